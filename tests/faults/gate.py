"""A door before the model that can be shut for real, in each of the ways in which doors are shut.

A service can go wrong only behind a connection; what has none to it meets what stands here: a
port where nobody listens, a host that takes the call and says nothing, another protocol.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.faults.certificate import write_certificate
from tests.faults.proxy import Line, Proxy
from tests.peers.log import Log
from tests.ports import free_port

LOG = "doors.jsonl"
AT_ONCE = struct.pack("ii", 1, 0)
"""Lingering for no time: closing is a reset, and not a good bye."""
BANNER = b"220 mail.invalid ESMTP ready\r\n"
HEARD = 4096
QUEUED = 3
"""Calls that fill the queue of a socket which takes none."""


class Shut(StrEnum):
    """How a door is shut. `SILENT` is the only one in which open connections are left open."""

    REFUSED = "refused"
    """Nobody listens at the port."""
    UNANSWERED = "unanswered"
    """Calls are neither taken nor refused."""
    SILENT = "silent"
    """Calls are taken, and nothing is said."""
    RESET = "reset"
    """Calls are taken, heard for a moment, and reset."""
    FOREIGN = "foreign"
    """Somebody else is at the port, who speaks another protocol: also where TLS is expected."""
    TLS = "tls"
    """TLS is spoken where it is not expected, or by somebody whom nobody vouches for."""


@dataclass(slots=True)
class Door:
    """Stands at one port, on the way of one node. What becomes of it is written to the log."""

    proxy: Proxy
    node: str
    log: Log
    trust: ssl.SSLContext
    port: int = field(default_factory=free_port)
    """Not one of those that a system hands out: nobody else takes it while it is shut."""
    met: int = 0
    """Connections that found it shut and could be heard."""
    _how: Shut | None = None
    _server: asyncio.Server | None = None
    _queue: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is, as if it were the service."""
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Let everybody through; who was kept waiting is not, or he would be heard too late."""
        if self._how is Shut.SILENT:
            self.proxy.line = Line.CUT
        await self._stop()
        self.proxy.line = Line.WHOLE
        was, self._how = self._how, None
        await self._listen()
        if was is not None:
            self.log.write("opened", node=self.node)

    async def shut(self, how: Shut) -> None:
        """From now on nobody gets through, and who was inside is cut off."""
        self.log.write("shut", node=self.node, how=how)
        self._how = how
        if how is Shut.SILENT:
            self.proxy.line = Line.SILENT
            return
        await self._stop()
        self.proxy.line = Line.CUT
        if how is Shut.UNANSWERED:
            self._fill()
        elif how is not Shut.REFUSED:
            await self._listen(self.trust if how is Shut.TLS else None)

    async def close(self) -> None:
        """Nobody is there any more."""
        await self._stop()
        await self.proxy.close()

    @contextmanager
    def told(self, how: str) -> Iterator[None]:
        """Write down a way of being unreachable that is none of this door: a wrong address."""
        self.log.write("shut", node="", how=how)
        try:
            yield
        finally:
            self.log.write("opened", node="")

    async def _listen(self, context: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        while self._queue:
            self._queue.pop().close()

    def _fill(self) -> None:
        """A socket that takes no call, and calls that fill its queue: the next hear nothing."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(0)
        self._queue.append(listening)
        for _ in range(QUEUED):
            calling = socket.socket()
            calling.setblocking(False)
            calling.connect_ex(("127.0.0.1", self.port))
            self._queue.append(calling)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.met += self._how is not None
        if self._how is Shut.RESET:
            await reader.read(HEARD)
            reset(writer)
        elif self._how in (Shut.FOREIGN, Shut.TLS):
            writer.write(BANNER)
            writer.close()
        else:
            await self.proxy.serve(reader, writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close as a host does that knows nothing of the connection any more."""
    connection: Any = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()


@asynccontextmanager
async def doors(nodes: int, port: int, folder: Path) -> AsyncGenerator[list[Door], None]:
    """An open door for each node before what listens at this port of loopback."""
    trust = write_certificate(folder)
    log = Log(folder / LOG, keep=1000)
    made = [Door(Proxy("127.0.0.1", port), f"n{one}", log, trust) for one in range(1, nodes + 1)]
    try:
        for one in made:
            await one.open()
        yield made
    finally:
        for one in made:
            await one.close()
        log.close()
