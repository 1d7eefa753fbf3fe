"""Bolt between the wire and our reception: one way for HTTP and for Socket Mode.

Bolt tells from a payload for which installation it is and who has acted, across organisations,
shared channels and the many shapes of payloads, and answers the check of our address. It does
not get to verify, parse or authorise: it parses before it verifies, logs what it refuses, and
asks Slack who it is before it handles the first event, answering 200 when it gets no answer.
Everything that is no check of the address ends in one middleware of ours before that, so that
nothing is left over for Bolt to answer 404.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.reading import Here
from adapters.slack.reception import Reception
from adapters.slack.web import silent_logger
from bot import Observer, Receive, Transient

RETRY_AFTER = 2
"""Seconds, where the reason of a refusal names none."""
FIELDS = 100
"""Fields that a form of Slack's has at most; it has about a dozen."""


class Unreadable(ValueError):
    """A body that Slack could not have written."""


def read_body(raw: bytes) -> dict[str, Any]:
    """JSON, or a form that may hold JSON.

    Raises:
        Unreadable: it is neither.
    """
    try:
        if raw.lstrip()[:1] in b"{[":
            return msgspec.json.decode(raw, type=dict[str, Any])
        form = dict(
            parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="strict")
        )
        payload = form.get("payload")
        if payload is None:
            return dict(form)
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise Unreadable("neither JSON nor a form") from None


class Dispatcher:
    """Hands payloads to the reception of one engine."""

    def __init__(
        self,
        name: str,
        *,
        reception: Reception,
        receive: Receive,
        web: AsyncWebClient,
        observer: Observer,
    ) -> None:
        self._name = name
        self._observer = observer
        self._app = AsyncApp(
            name="parley",
            logger=silent_logger(),
            client=web,
            before_authorize=_Catch(reception, receive),
            request_verification_enabled=False,
            ssl_check_enabled=False,
            ignoring_self_events_enabled=False,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )
        self._app.error(_pass_on)

    async def dispatch(
        self, body: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> BoltResponse:
        """Take one verified payload; 200 once it is on disk, 503 when it must come again.

        Only headers that Slack signs or we made belong here: Bolt obeys some of them.
        """
        try:
            request = AsyncBoltRequest(
                body=body, mode="socket_mode", headers=dict(headers) if headers else None
            )
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            self._observer.discarded(adapter=self._name, why="malformed")
            return BoltResponse(status=200, body="")
        return await self._app.async_dispatch(request)


async def _pass_on(error: Exception) -> None:
    """What nobody expected is for the server to report, not for Bolt to log."""
    raise error


class _Catch(AsyncMiddleware):
    def __init__(self, reception: Reception, receive: Receive) -> None:
        self._reception = reception
        self._receive = receive

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002  # Bolt's name for it
    ) -> BoltResponse:
        if req.body.get("type") == "url_verification":
            await next()
            return resp
        try:
            await self._reception.take(req.body, here_of(req.body, req.context), self._receive)
        except Transient as error:
            # Slack keeps what is not acknowledged and comes again, three times.
            after = error.retry_after
            seconds = RETRY_AFTER if after is None else max(1, round(after.total_seconds()))
            return BoltResponse(status=503, body="", headers={"retry-after": str(seconds)})
        return BoltResponse(status=200, body="")


def here_of(body: Mapping[str, Any], context: AsyncBoltContext) -> Here:
    """The installation that a payload is for, and whether a stranger has acted."""
    # An organisation's installation names no workspace; the event does.
    named = body.get("team_id")
    team = context.team_id or (named if isinstance(named, str) else "") or context.enterprise_id
    return Here(team or "", external=_is_strangers(body, context))


def _is_strangers(body: Mapping[str, Any], context: AsyncBoltContext) -> bool:
    """In a channel that two organisations share: did somebody of the other one act?"""
    if body.get("is_ext_shared_channel") is True:
        home = context.enterprise_id
        at_home = home is not None and context.actor_enterprise_id == home
        return not at_home and context.actor_team_id != context.team_id
    user, team = body.get("user"), body.get("team")
    if not (isinstance(user, Mapping) and isinstance(team, Mapping)):
        return False
    teams = {user.get("team_id"), team.get("id")} - {None}
    return len(teams) > 1 and context.enterprise_id is None
