"""The calls that we make, over the library's client, with our errors and our pace."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.failures import CallFailed, Declined, limited, translate
from adapters.slack.finding import Finder, carrying
from adapters.slack.limits import POST, UPDATE, Pace
from adapters.slack.render import PLAIN_LIMIT, Rendered
from adapters.slack.settings import Settings
from adapters.slack.web import Http, SharedClient, silence_the_libraries
from bot import Ambiguous, Clock, Transient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are, and what we may do."""

    user: str
    bot: str
    team: str
    name: str
    team_name: str
    scopes: frozenset[str] | None = None


class Client:
    """One installation's calls.

    `must_be_sure` is asked right before each one that shows something: a process may be frozen
    behind any wait, and its turns have gone on elsewhere when it wakes up.
    """

    def __init__(
        self,
        settings: Settings,
        http: Http,
        clock: Clock,
        pace: Pace,
        must_be_sure: Callable[[], None],
    ) -> None:
        silence_the_libraries()
        self.pace = pace
        self.web = SharedClient(settings, http, clock)
        self._settings = settings
        self._clock = clock
        self._must_be_sure = must_be_sure
        self._finder = Finder(self.web, clock, self._ask)

    @property
    def ahead(self) -> timedelta:
        """How far Slack's clock is ahead of ours, by its last answer."""
        return self.web.seen.ahead

    # -- speaking ----------------------------------------------------------------------------

    async def post(
        self, channel: str, thread: str | None, rendered: Rendered, key: str
    ) -> tuple[str, str]:
        """A new message; its channel and its `ts`. Raises what `Adapter.send` raises.

        The message carries its key. Where no answer came it is looked for before anybody has to
        wonder, and what is still doubtful is not sent again before a look has said something.
        """
        doubt = (channel, thread, key)
        if (ts := await self._finder.found_late(doubt)) is not None:
            return channel, ts
        await self.pace.post(channel)
        oldest = self._finder.stamp(self._clock.now())
        try:
            sent = await self._laid_out(rendered, lambda how: self._post(channel, thread, key, how))
        except Ambiguous:
            ts = await self._finder.look_for(doubt, oldest)
            if ts is None:
                raise
            return channel, ts
        self._finder.settled(doubt)
        return sent

    async def _post(
        self, channel: str, thread: str | None, key: str, how: dict[str, Any]
    ) -> tuple[str, str]:
        self._must_be_sure()
        answer = await self._guard(
            POST,
            channel,
            self.web.chat_postMessage(
                channel=channel,
                thread_ts=thread,
                metadata=carrying(key),
                unfurl_links=False,
                unfurl_media=False,
                **how,
            ),
        )
        return _text(answer, "channel") or channel, _required(answer, "ts")

    async def update(self, channel: str, ts: str, rendered: Rendered) -> None:
        """Another text in its place; the caller has waited for its pace.

        Raises:
            Transient: also where the answer was lost: an edit can be made again.
        """

        async def edit(how: dict[str, Any]) -> object:
            how = {"blocks": [], **how}  # without the key, the former layout would stay
            self._must_be_sure()
            return await self._guard(
                UPDATE, channel, self.web.chat_update(channel=channel, ts=ts, **how)
            )

        try:
            await self._laid_out(rendered, edit, PLAIN_LIMIT)
        except Ambiguous as error:
            raise Transient(str(error)) from None

    async def take_buttons(self, channel: str, ts: str, text: str, blocks: Sequence[Any]) -> None:
        """A choice is made once."""
        await self.pace.final(channel, ts)
        await self._guard(
            UPDATE,
            channel,
            self.web.chat_update(channel=channel, ts=ts, text=text or "…", blocks=list(blocks)),
        )

    async def delete(self, channel: str, ts: str) -> None:
        """Take one of our messages off the screen."""
        await self._ask("chat.delete", self.web.chat_delete(channel=channel, ts=ts))

    async def whisper(self, channel: str, user: str, rendered: Rendered) -> str:
        """A message that only one person of a channel sees; nobody can find it again."""
        await self.pace.call("chat.postEphemeral")

        async def say(how: dict[str, Any]) -> str:
            self._must_be_sure()
            answer = await self._guard(
                "chat.postEphemeral",
                channel,
                self.web.chat_postEphemeral(channel=channel, user=user, **how),
            )
            return _text(answer, "message_ts")

        return await self._laid_out(rendered, say)

    async def respond(self, url: str, rendered: Rendered) -> None:
        """Answer to a slash command where it was given; Slack takes five of these an hour."""
        said = {"response_type": "ephemeral", **_laid_out(rendered)}
        headers = {"Content-Type": "application/json; charset=utf-8"}
        self._must_be_sure()
        try:
            status, found, _ = await self.web.exchange(
                "POST", url, data=msgspec.json.encode(said), headers=headers
            )
        except CallFailed as error:
            raise error.outcome from None
        if status == 429:
            raise limited(found.get("Retry-After"))
        if 400 <= status < 500:
            raise Declined(f"http_{status}")
        if status >= 300:
            raise Ambiguous(f"HTTP {status}")

    async def find(self, channel: str, thread: str | None, key: str, since: datetime) -> str | None:
        """The `ts` of the message that carries this key; None where there surely is none.

        Raises:
            Transient: Slack does not say now.
            Permanent: we may not read there, or too much was said since.
        """
        return await self._finder.find((channel, thread, key), since)

    # -- asking ------------------------------------------------------------------------------

    async def me(self) -> Identity:
        """Who we are."""
        answer = await self._ask("auth.test", self.web.auth_test())
        granted = answer.headers.get("x-oauth-scopes")
        scopes = None if granted is None else frozenset(granted.replace(" ", "").split(","))
        return Identity(
            user=_text(answer, "user_id"),
            bot=_text(answer, "bot_id"),
            team=_text(answer, "team_id"),
            name=_text(answer, "user"),
            team_name=_text(answer, "team"),
            scopes=scopes,
        )

    async def open_socket(self) -> str:
        """An address for one socket; it is good once."""
        token = self._settings.app_token
        assert token is not None
        opened = self.web.apps_connections_open(app_token=token.get_secret_value())
        return _required(await self._ask("apps.connections.open", opened), "url")

    async def refuse_function(self, execution: str, token: str, reason: str) -> None:
        """A workflow waits for a step that we do not have."""
        call = self.web.functions_completeError(
            function_execution_id=execution, error=reason, token=token
        )
        await self._ask("functions.completeError", call)

    # -- what all of them share --------------------------------------------------------------

    async def _laid_out(
        self,
        rendered: Rendered,
        call: Callable[[dict[str, Any]], Awaitable[T]],
        plain_limit: int | None = None,
    ) -> T:
        """Where the layout is not understood, the words are still worth sending."""
        try:
            return await call(_laid_out(rendered))
        except Declined as error:
            if not error.is_about_blocks or not rendered.blocks:
                raise
            if plain_limit is not None and len(rendered.plain) > plain_limit:
                raise
            return await call({"text": rendered.plain or rendered.notice})

    async def _guard(
        self, method: str, channel: str, call: Awaitable[AsyncSlackResponse]
    ) -> AsyncSlackResponse:
        try:
            return await call
        except SlackClientError as error:
            outcome = translate(error)
        if isinstance(outcome, Transient) and outcome.retry_after is not None:
            self.pace.pause(method, channel, outcome.retry_after.total_seconds())
        raise outcome

    async def _ask(self, method: str, call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
        """A call that can always be made again: without an answer nothing is lost."""
        try:
            return await self._guard(method, "", call)
        except Ambiguous as error:
            raise Transient(str(error)) from None


def _laid_out(rendered: Rendered) -> dict[str, Any]:
    return {"blocks": list(rendered.blocks), "text": rendered.notice or "…"}


def _text(answer: AsyncSlackResponse, name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _required(answer: AsyncSlackResponse, name: str) -> str:
    value = _text(answer, name)
    if not value:
        # A success without its only content: the message is probably there.
        raise Ambiguous("an answer of an unknown form")
    return value
