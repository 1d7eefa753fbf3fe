"""The request URL: a raw ASGI application that answers 200 once the payload is on disk."""

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from slack_bolt.response import BoltResponse

from adapters.slack.dispatch import Dispatcher, Unreadable, read_body
from adapters.slack.watch import Watch
from bot import ASGIApp, Clock, Observer

FRESH = timedelta(minutes=5)
"""How old a request may be, and how far ahead of us."""
RETRIES = (b"x-slack-retry-num", b"x-slack-retry-reason")

_SIGNATURE = b"x-slack-signature"
_TIMESTAMP = b"x-slack-request-timestamp"
_SSL_CHECK = b"ssl_check=1"

_Incoming = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Outgoing = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Headers = Sequence[tuple[bytes, bytes]]


class _Rejected(Exception):
    """The caller gets this status and nothing else."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


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
                    await _answer(outgoing, *await self._take(scope, body, dispatcher))
            except _Rejected as error:
                self._observer.rejected(adapter=self._name, why=error.why)
                await _answer(outgoing, error.status)

        return serve

    async def _take(
        self, scope: MutableMapping[str, Any], body: bytes, dispatcher: Dispatcher
    ) -> tuple[int, bytes, _Headers]:
        # Slack looks at our certificate now and then, unsigned, and wants no more than a 200.
        if _SSL_CHECK in (scope.get("query_string") or body).split(b"&"):
            return 200, b"", ()
        if scope["method"] != "POST":
            raise _Rejected(405, "method")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self._verify(headers, body)
        try:
            payload = read_body(body)
        except Unreadable:
            raise _Rejected(400, "unreadable") from None
        return _taken(await dispatcher.dispatch(payload, _retries(headers)))

    def _verify(self, headers: Mapping[bytes, bytes], body: bytes) -> None:
        """Slack's own, and of these minutes. Nothing of the body is looked at before."""
        stamp = headers.get(_TIMESTAMP, b"")
        if not (stamp.isdigit() and len(stamp) <= 12):
            raise _Rejected(401, "unsigned")
        expected = hmac.new(self._secret, b"v0:%b:%b" % (stamp, body), sha256).hexdigest()
        given = headers.get(_SIGNATURE, b"")
        if not hmac.compare_digest(given, f"v0={expected}".encode()):
            self._watch.forged += 1
            raise _Rejected(401, "signature")
        ahead = timedelta(seconds=int(stamp) - self._clock.now().timestamp())
        if abs(ahead) > FRESH:
            self._watch.late = ahead
            raise _Rejected(401, "stale")
        self._watch.took()

    async def _body(self, scope: MutableMapping[str, Any], incoming: _Incoming) -> bytes | None:
        """The request's bytes; None when the caller has hung up."""
        if scope["method"] not in {"POST", "GET"}:
            raise _Rejected(405, "method")
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > self._max_size:
            raise _Rejected(413, "size")
        body: bytes = b""
        while True:
            message = await incoming()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_size:
                raise _Rejected(413, "size")
            if not message.get("more_body", False):
                return body


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


async def _answer(
    outgoing: _Outgoing, status: int, body: bytes = b"", headers: _Headers = ()
) -> None:
    if status == 405:
        headers = (*headers, (b"allow", b"POST"))
    await outgoing(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", str(len(body)).encode()), *headers],
        }
    )
    await outgoing({"type": "http.response.body", "body": body})
