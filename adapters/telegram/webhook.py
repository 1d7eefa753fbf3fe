"""The webhook: a raw ASGI application that answers 200 once the update is on disk."""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from adapters.telegram.normalise import is_json
from adapters.telegram.reception import Reception
from bot import ASGIApp, Observer, Receive, Transient

SECRET_HEADER = b"x-telegram-bot-api-secret-token"
RETRY_AFTER = 2

_Incoming = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Outgoing = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Rejected(Exception):
    """The caller gets this status and nothing else."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Webhook:
    """Checks the secret before it reads the body, and the size while it reads."""

    def __init__(
        self,
        name: str,
        *,
        reception: Reception,
        secret: Callable[[], Awaitable[bytes]],
        observer: Observer,
        max_size: int,
    ) -> None:
        self._name = name
        self._reception = reception
        self._secret = secret
        self._observer = observer
        self._max_size = max_size

    def app(self, receive: Receive) -> ASGIApp:
        """The application for one engine."""

        async def serve(
            scope: MutableMapping[str, Any], incoming: _Incoming, outgoing: _Outgoing
        ) -> None:
            if scope["type"] != "http":
                return
            try:
                update = await self._body(scope, incoming)
                if update is not None:
                    await self._take(update, receive)
                    await _answer(outgoing, 200)
            except _Rejected as error:
                self._observer.rejected(adapter=self._name, why=error.why)
                await _answer(outgoing, error.status)
            except Transient as error:
                # Telegram keeps the update and comes again.
                after = error.retry_after
                seconds = RETRY_AFTER if after is None else max(1, round(after.total_seconds()))
                await _answer(outgoing, 503, (b"retry-after", str(seconds).encode()))

        return serve

    async def _take(self, update: bytes, receive: Receive) -> None:
        read = self._reception.read(update)
        if read.update_id is None and not is_json(update):
            raise _Rejected(400, "unreadable")
        await self._reception.take(read, receive)

    async def _body(self, scope: MutableMapping[str, Any], incoming: _Incoming) -> bytes | None:
        """The update's bytes; None when the caller has hung up."""
        if scope["method"] != "POST":
            raise _Rejected(405, "method")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        expected = await self._secret()
        if not hmac.compare_digest(headers.get(SECRET_HEADER, b""), expected):
            raise _Rejected(401, "secret")
        length = headers.get(b"content-length", b"")
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


async def _answer(outgoing: _Outgoing, status: int, *headers: tuple[bytes, bytes]) -> None:
    if status == 405:
        headers = (*headers, (b"allow", b"POST"))
    await outgoing(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", b"0"), *headers],
        }
    )
    await outgoing({"type": "http.response.body", "body": b""})
