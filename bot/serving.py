"""Listening for HTTP: the socket, the protocol, and how it all stops."""

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any, TypeVar, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bot.errors import ConfigError
from bot.ports import ASGIApp

BACKLOG = 2048
KEEP_ALIVE = 75
"""Seconds; longer than the proxies' own, so that it is never we who close in mid-request."""
MAX_HEAD = 65_536
HEAD_TIME = 30.0
"""Seconds that the head of a request, or a connection's first byte, may take."""
STOP_TIME = 5.0

_T = TypeVar("_T")


class Server:
    """One listening socket and the app behind it."""

    def __init__(self, *, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._hang_up: Callable[[], None] | None = None
        self._socket: socket.socket | None = None
        self._uvicorn: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None

    async def bind(self) -> int:
        """Take the port for us alone and say which; connections are refused until `start`.

        Raises:
            ConfigError: the address cannot be taken.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            self._socket = _bound(*found[0])
        except OSError as error:
            raise ConfigError(_sentence(error, self._host, self._port)) from error
        port: int = self._socket.getsockname()[1]
        return port

    def release(self) -> None:
        """Give back the port of a server that has not started; after `stop` it is given back."""
        if self._socket is not None:
            self._socket.close()

    async def start(self, app: ASGIApp, *, hang_up: Callable[[], None]) -> None:
        """Accept connections from now on.

        `hang_up` tells the app's open streams to end; it is called when the server stops.
        """
        if self._socket is None:
            await self.bind()
        assert self._socket is not None
        self._hang_up = hang_up
        _share(self._socket, others=True)
        self._socket.listen(BACKLOG)
        self._uvicorn = _Uvicorn(_config(app))
        serving = self._uvicorn.serve(sockets=[self._socket])
        self._task = asyncio.create_task(serving, name="server")
        begun = asyncio.ensure_future(self._uvicorn.begun.wait())
        await asyncio.wait({self._task, begun}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self, grace: timedelta = timedelta(seconds=STOP_TIME)) -> None:
        """Accept no more, end the streams, let requests finish within the grace time."""
        if self._uvicorn is None or self._task is None or self._hang_up is None:
            self.release()
            return
        # The library would notice its stop a moment later, and take connections until then.
        for listening in self._uvicorn.servers:
            listening.close()
        self._hang_up()
        seconds = grace.total_seconds()
        # A float waits as well as the whole number that the library's type asks for.
        self._uvicorn.config.timeout_graceful_shutdown = cast(int, seconds)
        self._uvicorn.should_exit = True
        ended, late = await asyncio.wait({self._task}, timeout=seconds + STOP_TIME)
        for task in late:
            task.cancel()
        for task in ended:
            task.result()


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run the program on the fast event loop where there is one."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


class _Protocol(HttpToolsProtocol):
    """HTTP with a bound on the head of a request, which the library leaves open."""

    began: float | None = None
    _head = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self.began = self.loop.time()

    def data_received(self, data: bytes) -> None:
        if self.began is not None:
            self._head += len(data)
            if self._head > MAX_HEAD + len(data):
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.began = self.loop.time()

    def on_headers_complete(self) -> None:
        self.began, self._head = None, 0
        super().on_headers_complete()


class _Uvicorn(uvicorn.Server):
    """The library's server; signals are the program's business, not its."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()

    async def on_tick(self, counter: int) -> bool:
        if counter % 100 == 0:
            self._drop_the_silent()
        return await super().on_tick(counter)

    def _drop_the_silent(self) -> None:
        too_old = asyncio.get_running_loop().time() - HEAD_TIME
        for connection in list(self.server_state.connections):
            if (
                isinstance(connection, _Protocol)
                and connection.began is not None
                and connection.began < too_old
            ):
                connection.transport.close()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        cast(Any, app),
        http=_Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        # Who asks is decided by the connection alone; see bot/asgi.py.
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
    )


def _bound(
    family: int, kind: int, protocol: int, _: str, address: tuple[Any, ...]
) -> socket.socket:
    """Ours alone: Linux gives what is shared to others as well, until one of them listens."""
    taken = socket.socket(family, kind, protocol)
    try:
        taken.settimeout(0)
        try:
            taken.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            # Perhaps only by old connections in their last minute: a restart need not wait for it.
            _share(taken, others=True)
            taken.bind(address)
            _share(taken, others=False)
    except OSError:
        taken.close()
        raise
    return taken


def _share(taken: socket.socket, *, others: bool) -> None:
    """Whether others may be bound beside it; the connections that it accepts inherit that."""
    # On Windows it would let them take the port away from us.
    if sys.platform != "win32":
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(others))


def _sentence(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        return f"server.host: no address is known for {host!r}; 127.0.0.1 is this machine"
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"server.port: {port} on {host} is taken by another program; stop that one, or set "
                f"PARLEY_SERVER__PORT={port + 1 if port < 65535 else 8080} (0 takes a free one)"
            )
        case errno.EACCES | errno.EPERM:
            return (
                f"server.port: this user may not listen on {port}; take one above 1023 and let a "
                "proxy answer for the other"
            )
        case errno.EADDRNOTAVAIL:
            return (
                f"server.host: {host} is not an address of this machine; 127.0.0.1 listens on "
                "loopback only, 0.0.0.0 on all of its addresses"
            )
        case code:
            return f"server.host: cannot listen on {host}:{port} ({errno.errorcode.get(code or 0)})"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  # there is none for Windows

    return uvloop.new_event_loop
