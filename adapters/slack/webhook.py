"""The request URL: a raw ASGI application that answers 200 once the payload is on disk."""

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from slack_bolt.response import BoltResponse

from adapters.slack.dispatch import Dispatcher, Unreadable, read_body
from adapters.slack.watch import Watch
from bot import ASGIApp, Clock, Observer, Rejected, body_of, give_bare

FRESH = timedelta(minutes=5)
"""How old a request may be, and how far ahead of us."""
RETRIES = (b"x-slack-retry-num", b"x-slack-retry-reason")

CHALLENGE = "parley asks itself"
"""What our own probe sends in Slack's place; it is no sign that Slack calls."""

_SIGNATURE = b"x-slack-signature"
_TIMESTAMP = b"x-slack-request-timestamp"
_SSL_CHECK = b"ssl_check=1"
_FORM = b"application/x-www-form-urlencoded"
_KINDS = frozenset({b"application/json", _FORM})

_Incoming = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Outgoing = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Headers = Sequence[tuple[bytes, bytes]]


class Webhook:
    """Checks the size while it reads, then age and signature of the bytes, then what they say."""

    def __init__(
        self,
        name: str,
        *,
        secret: bytes,
        watch: Watch,
        clock: Clock,
        observer: Observer,
        max_size: int,
    ) -> None:
        self._name = name
        self._secret = secret
        self._watch = watch
        self._clock = clock
        self._observer = observer
        self._max_size = max_size

    def app(self, dispatcher: Dispatcher) -> ASGIApp:
        """The application for one engine."""

        async def serve(
            scope: MutableMapping[str, Any], incoming: _Incoming, outgoing: _Outgoing
        ) -> None:
            if scope["type"] != "http":
                return
            try:
                body = await self._body(scope, incoming)
                if body is not None:
                    status, said, headers = await self._take(scope, body, dispatcher)
                    await give_bare(outgoing, status, said, *headers)
            except Rejected as error:
                self._observer.rejected(adapter=self._name, why=error.why)
                await give_bare(outgoing, error.status, b"", *error.headers)

        return serve

    async def _take(
        self, scope: MutableMapping[str, Any], body: bytes, dispatcher: Dispatcher
    ) -> tuple[int, bytes, _Headers]:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        # Slack looks at our certificate now and then, unsigned, and wants no more than a 200.
        # In JSON the same signs are what somebody wrote.
        form = scope.get("query_string") or (body if kind == _FORM else b"")
        if _SSL_CHECK in form.split(b"&"):
            return 200, b"", ()
        if scope["method"] != "POST":
            raise Rejected(405, "method", (b"allow", b"POST"))
        self._verify(headers, body)
        if kind and kind not in _KINDS:
            raise Rejected(415, "content type")
        try:
            payload = read_body(body)
        except Unreadable:
            raise Rejected(400, "unreadable") from None
        if payload.get("challenge") != CHALLENGE:
            self._watch.took()
        return _taken(await dispatcher.dispatch(payload, _retries(headers)))

    def _verify(self, headers: Mapping[bytes, bytes], body: bytes) -> None:
        """Slack's own, and of these minutes. Nothing of the body is looked at before."""
        stamp = headers.get(_TIMESTAMP, b"")
        if not (stamp.isdigit() and len(stamp) <= 12):
            raise Rejected(401, "unsigned")
        expected = hmac.new(self._secret, b"v0:%b:%b" % (stamp, body), sha256).hexdigest()
        given = headers.get(_SIGNATURE, b"")
        if not hmac.compare_digest(given, f"v0={expected}".encode()):
            self._watch.forged += 1
            raise Rejected(401, "signature")
        ahead = timedelta(seconds=int(stamp) - self._clock.now().timestamp())
        if abs(ahead) > FRESH:
            self._watch.late = ahead
            raise Rejected(401, "stale")

    async def _body(self, scope: MutableMapping[str, Any], incoming: _Incoming) -> bytes | None:
        if scope["method"] not in {"POST", "GET"}:
            raise Rejected(405, "method", (b"allow", b"POST"))
        return await body_of(scope, incoming, self._max_size)


def _retries(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The only headers that go further; Bolt would take orders from some of the others."""
    return {name.decode(): headers[name].decode("latin-1") for name in RETRIES if name in headers}


def _taken(response: BoltResponse) -> tuple[int, bytes, _Headers]:
    wanted = ("content-type", "retry-after")
    headers = [
        (name.encode(), values[0].encode())
        for name in wanted
        if (values := response.headers.get(name))
    ]
    return response.status, (response.body or "").encode(), headers
