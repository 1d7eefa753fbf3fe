"""Listening for HTTP: the socket, the protocol, and how it all stops."""

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, cast

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
TICK = 0.1
"""Seconds between two ticks of the library's server."""
STOP_TIME = 5.0

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only shown
_Found = tuple[int, int, int, str, tuple[Any, ...]]
"""One of the addresses of a name, as the system tells them."""


class Server:
    """One listening socket and the app behind it."""

    def __init__(self, *, host: str, port: int, head_time: float = HEAD_TIME) -> None:
        """`head_time` bounds the head of a request, and the rest of a body that nobody reads."""
        self._host = host
        self._port = port
        self._head_time = head_time
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
            self._socket = _bound(*_chosen(found, self._host))
        except OSError as error:
            raise ConfigError(_sentence(error, self._host, self._port)) from error
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where it answers somebody on this machine, once it is bound."""
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        host = _ANYWHERE.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

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
        self._uvicorn = _Uvicorn(_config(app), self._head_time)
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


def runner() -> asyncio.Runner:
    """What runs the program: on the fast event loop where there is one."""
    return asyncio.Runner(loop_factory=_loop_factory())


class _Protocol(HttpToolsProtocol):
    """HTTP with a bound on what no app waits for, which the library leaves open.

    That is the head of a request, whatever comes before it, and the rest of a body whose request
    is answered: it is read and dropped for a while, or its sender would not see the answer.
    """

    began: float | None = None
    _head = 0
    _in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self.began = self.loop.time()

    def data_received(self, data: bytes) -> None:
        if self.began is None and self.cycle.response_complete:
            self.began = self.loop.time()
        if self.began is not None and not self._in_body:
            self._head += len(data)
            if self._head > MAX_HEAD + len(data):
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()
        self.began = self.loop.time()

    def on_headers_complete(self) -> None:
        self.began, self._head, self._in_body = None, 0, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        if self.cycle.response_complete:
            # All of a body that nobody read is here: the next request has its time again.
            self.began = None
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )


class _Uvicorn(uvicorn.Server):
    """The library's server; signals are the program's business, not its."""

    def __init__(self, config: uvicorn.Config, head_time: float) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()
        self._head_time = head_time
        self._every = max(1, round(head_time / 3 / TICK))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()

    async def on_tick(self, counter: int) -> bool:
        if counter % self._every == 0:
            self._drop_the_silent()
        return await super().on_tick(counter)

    def _drop_the_silent(self) -> None:
        too_old = asyncio.get_running_loop().time() - self._head_time
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


def _chosen(found: Sequence[_Found], host: str) -> _Found:
    """The address to listen on; whoever writes localhost means the one that all programs know."""
    of_four = [one for one in found if one[0] == socket.AF_INET]
    return of_four[0] if of_four and host == "localhost" else found[0]


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
