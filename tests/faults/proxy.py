"""A TCP proxy that loses, delays and cuts on demand: a partition without the rights of root."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

CHUNK = 65536


class Line(StrEnum):
    """How bytes fare."""

    WHOLE = "whole"
    SILENT = "silent"
    """Nothing passes either way; nobody is told."""
    DEAF = "deaf"
    """What the client says arrives; what the server says does not."""
    DUMB = "dumb"
    """What the server says arrives; what the client says does not."""
    SLOW = "slow"
    """Everything arrives late."""
    CUT = "cut"
    """Open connections are closed, new ones refused."""


@dataclass(slots=True)
class Proxy:
    """Stands before one server for one client; `line` can be changed at any time.

    What is kept back while the line is silent is delivered when it is whole again, as TCP does
    it after a partition; what was cut is gone.
    """

    host: str
    target: int
    delay: float = 0.3
    port: int = 0
    struck: int = 0
    """Connections cut or refused, and pieces kept back or delayed, so far."""
    _line: Line = Line.WHOLE
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def line(self) -> Line:
        """How bytes fare now."""
        return self._line

    @line.setter
    def line(self, line: Line) -> None:
        self._line = line
        self._changed.set()
        self._changed = asyncio.Event()
        if line is Line.CUT:
            for writer in self._writers:
                self.struck += 1
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the other side is told by the closing
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def close(self) -> None:
        """Let go of every connection."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*tuple(self._tasks), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._line is Line.CUT:
            self.struck += 1
            return
        server_reader, server_writer = await asyncio.open_connection(self.host, self.target)
        self._writers |= {writer, server_writer}
        try:
            up = asyncio.ensure_future(self._carry(reader, server_writer, Line.DUMB))
            down = asyncio.ensure_future(self._carry(server_reader, writer, Line.DEAF))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in (up, down):
                    way.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        finally:
            self._writers -= {writer, server_writer}
            server_writer.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: Line
    ) -> None:
        while data := await reader.read(CHUNK):
            self.struck += self._line in (Line.SILENT, lost)
            while self._line in (Line.SILENT, lost):
                await self._changed.wait()
            if self._line is Line.SLOW:
                self.struck += 1
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def proxying(host: str, port: int) -> AsyncGenerator[Proxy, None]:
    """A proxy before this address, on a free port."""
    proxy = Proxy(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
