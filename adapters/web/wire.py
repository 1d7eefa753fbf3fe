"""One HTTP request and its answer, on raw ASGI: the hot endpoints need no more."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec

Scope = MutableMapping[str, Any]
Take = Callable[[], Awaitable[MutableMapping[str, Any]]]
Give = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"
NO_STORE: Header = (b"cache-control", b"no-store")
NO_SNIFF: Header = (b"x-content-type-options", b"nosniff")


class TooLarge(Exception):
    """The body is longer than it may be."""


class Exchange:
    """A request, and the one answer that is given to it."""

    def __init__(self, scope: Scope, take: Take, give: Give) -> None:
        self.method: str = scope["method"]
        self.take = take
        self.give = give
        self.root: str = scope.get("root_path", "")
        # Servers differ in whether a mount's prefix is still part of the path
        self.path: str = scope["path"].removeprefix(self.root)
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._query: bytes = scope.get("query_string", b"")

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def asked(self, name: str) -> str | None:
        """The first value of a query parameter."""
        values = parse_qs(self._query.decode("latin-1")).get(name)
        return values[0] if values else None

    async def body(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            TooLarge: it is longer than `limit` bytes.
        """
        length = self.header(b"content-length")
        if length is not None and length.isdecimal() and int(length) > limit:
            raise TooLarge
        chunks: list[bytes] = []
        size = 0
        while True:
            part = await self.take()
            chunks.append(part.get("body", b""))
            size += len(chunks[-1])
            if size > limit:
                raise TooLarge
            if not part.get("more_body", False):
                return b"".join(chunks)

    async def begin(self, status: int, headers: Sequence[Header]) -> None:
        """Send the head of an answer."""
        await self.give({"type": "http.response.start", "status": status, "headers": headers})

    async def answer(
        self, status: int, body: bytes = b"", *, kind: bytes, headers: Sequence[Header] = ()
    ) -> None:
        """Send a whole answer."""
        length = (b"content-length", str(len(body)).encode())
        await self.begin(status, [(b"content-type", kind), length, NO_SNIFF, *headers])
        shown = b"" if self.method == "HEAD" else body
        await self.give({"type": "http.response.body", "body": shown})

    async def json(self, status: int, data: object, *headers: Header) -> None:
        """Send JSON that nobody keeps."""
        body = msgspec.json.encode(data)
        await self.answer(status, body, kind=JSON, headers=[NO_STORE, *headers])

    async def refuse(self, status: int, sentence: str, *headers: Header) -> None:
        """Say in a sentence why not."""
        await self.json(status, {"error": sentence}, *headers)
