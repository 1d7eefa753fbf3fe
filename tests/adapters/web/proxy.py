"""A wire that is cut: a TCP proxy that hangs up in the middle of answers."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Self


class Proxy:
    """Stands between a page and the server.

    Each answer to a request for `path` is cut where the next of `cuts` says: so many writes of
    the server pass whole, and so many bytes of what follows. With no more cuts, answers stay whole.
    """

    def __init__(
        self, target: int, *, cuts: Iterable[tuple[int, int]] = (), path: str = "/events"
    ) -> None:
        self.target = target
        self.port = 0
        self.cuts = 0
        self.refusing = False
        self._cuts = list(reversed(list(cuts)))
        self._path = path.encode()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._streams: set[asyncio.StreamWriter] = set()
        self._stalled: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where a page finds it."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self.refusing = True
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    def plan(self, cuts: Iterable[tuple[int, int]]) -> None:
        """From now on, cut answers like this; what is open is cut at once."""
        self._cuts = list(reversed(list(cuts)))
        self.cut()

    def cut(self) -> None:
        """Hang up on everybody now."""
        for writer in tuple(self._open):
            writer.transport.abort()

    def stall(self) -> None:
        """The streams that are open stay open, and nothing comes through them any more."""
        self._stalled |= self._streams & self._open

    def is_stalled(self, writer: asyncio.StreamWriter) -> bool:
        """Whether this end is to hear nothing more."""
        return writer in self._stalled

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            there, here = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, here}
        wire = _Wire(self, reader, here, there, writer)
        try:
            await asyncio.gather(wire.up(), wire.down())
        finally:
            for each in (writer, here):
                each.transport.abort()
            self._open -= {writer, here}
            self._streams.discard(writer)

    def next_cut(self, request: bytes, page: asyncio.StreamWriter) -> tuple[int, int] | None:
        """Where the answer to this request is cut; None leaves it whole."""
        wanted = self._path in request.split(b"\r\n", 1)[0]
        if wanted:
            self._streams.add(page)
        return self._cuts.pop() if wanted and self._cuts else None


class _Wire:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        here: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._page = (reader, writer)
        self._server = (there, here)
        self._cut: tuple[int, int] | None = None

    async def up(self) -> None:
        """What the page asks."""
        with contextlib.suppress(OSError):
            while data := await self._page[0].read(65536):
                self._cut = self._proxy.next_cut(data, self._page[1])
                self._server[1].write(data)
                await self._server[1].drain()
        self._server[1].transport.abort()

    async def down(self) -> None:
        """What the server answers, as far as it goes."""
        with contextlib.suppress(OSError):
            while data := await self._server[0].read(65536):
                if self._proxy.is_stalled(self._page[1]):
                    continue
                if self._cut is not None:
                    whole, size = self._cut
                    if not whole and len(data) >= size:
                        self._page[1].write(data[:size])
                        self._proxy.cuts += 1
                        break
                    self._cut = (whole - 1, size) if whole else (0, size - len(data))
                self._page[1].write(data)
                await self._page[1].drain()
        self._page[1].close()
        self._server[1].transport.abort()
