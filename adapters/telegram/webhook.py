"""The webhook: a raw ASGI application that answers 200 once the update is on disk."""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from adapters.telegram.normalise import is_json
from adapters.telegram.reception import Reception
from bot import ASGIApp, Observer, Receive, Rejected, Transient, body_of, give_bare

SECRET_HEADER = b"x-telegram-bot-api-secret-token"
RETRY_AFTER = 2

_Incoming = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Outgoing = Callable[[MutableMapping[str, Any]], Awaitable[None]]


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
                    await give_bare(outgoing, 200)
            except Rejected as error:
                self._observer.rejected(adapter=self._name, why=error.why)
                await give_bare(outgoing, error.status, b"", *error.headers)
            except Transient as error:
                # Telegram keeps the update and comes again.
                after = error.retry_after
                seconds = RETRY_AFTER if after is None else max(1, round(after.total_seconds()))
                await give_bare(outgoing, 503, b"", (b"retry-after", str(seconds).encode()))

        return serve

    async def _take(self, update: bytes, receive: Receive) -> None:
        read = self._reception.read(update)
        if read.update_id is None and not is_json(update):
            raise Rejected(400, "unreadable")
        await self._reception.take(read, receive)

    async def _body(self, scope: MutableMapping[str, Any], incoming: _Incoming) -> bytes | None:
        """The update's bytes; None when the caller has hung up."""
        if scope["method"] != "POST":
            raise Rejected(405, "method", (b"allow", b"POST"))
        headers: dict[bytes, bytes] = dict(scope["headers"])
        expected = await self._secret()
        if not hmac.compare_digest(headers.get(SECRET_HEADER, b""), expected):
            raise Rejected(401, "secret")
        return await body_of(scope, incoming, self._max_size)
