"""What every peer is: an HTTP server on a free loopback port that logs and can go wrong."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from tests.peers.faults import Fault, Sees
from tests.peers.log import Json, Log

MAX_BODY = 64 * 1024 * 1024
CONTROL = "/_peer/"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer: `data` as JSON, or `raw` as it stands."""

    status: int
    data: object = None
    raw: bytes | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """The bytes to send."""
        return msgspec.json.encode(self.data) if self.raw is None else self.raw

    @property
    def said(self) -> object:
        """The body as the log shows it."""
        return self.data if self.raw is None else self.raw.decode(errors="replace")


@dataclass(slots=True)
class Exchange:
    """One request and what became of it. `at` and `ended_at` are monotonic microseconds."""

    number: int
    method: str
    body: Mapping[str, Any]
    at: int
    status: int | None = None
    fault: str | None = None
    ended_at: int | None = None
    facts: Json = field(default_factory=dict)


class Peer:
    """A loopback server; subclasses say what it speaks. Use as an async context manager."""

    name = "peer"

    def __init__(self, *, log: Log | None = None, port: int = 0, keep: int | None = None) -> None:
        self.log = log or Log(keep=keep)
        self.log.listeners.append(lambda entry: self.tell())
        self.exchanges: list[Exchange] = []
        self.gone = asyncio.Event()
        self._keep = keep
        self._port = port
        self._count = 0
        self._news = asyncio.Event()
        self._at_work: set[asyncio.Task[Reply]] = set()
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on 127.0.0.1; `url` is known afterwards."""
        server = web.Server(
            self._serve,
            request_factory=_request,
            # A caller that hangs up cancels its handler: that is how a closed stream is noticed.
            handler_cancellation=True,
            access_log=None,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=1024).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Hang up on everybody and stop listening."""
        self.gone.set()
        await asyncio.gather(*self._at_work)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.log.close()

    @property
    def port(self) -> int:
        """The port that the system chose."""
        return self._port

    @property
    def url(self) -> str:
        """Where the peer is, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    async def wait_for(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Return once the condition holds; looked at again after every entry of the log."""
        async with asyncio.timeout(timeout):
            while not condition():
                news = self._news
                await news.wait()

    def tell(self) -> None:
        """Something happened: whoever waits looks again."""
        self._news.set()
        self._news = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of the protocol that this peer speaks."""
        raise web.HTTPNotFound

    async def control(self, path: str, body: Json) -> object:
        """Answer one request of the peer's own surface under `/_peer/`."""
        if path == "log":
            return [entry.as_json() for entry in self.log.after(int(body.get("after", 0)))]
        raise web.HTTPNotFound

    def begin(self, method: str, body: Mapping[str, Any], **facts: Any) -> Exchange:
        """Log a request as soon as it is read."""
        self._count += 1
        entry = self.log.write("request", call=self._count, method=method, **facts, body=body)
        exchange = Exchange(self._count, method, body, entry.mono, facts=facts)
        self.keep(self.exchanges, exchange)
        return exchange

    def keep(self, things: list[T], newest: T) -> None:
        """Append; a peer that runs for long forgets the oldest."""
        things.append(newest)
        if self._keep is not None and len(things) > 2 * self._keep:
            del things[: self._keep]

    def end(self, exchange: Exchange, status: int, **facts: Any) -> None:
        """Log what was sent back; status 0 says that no answer was."""
        exchange.status = status
        if exchange.fault is not None:
            facts["fault"] = exchange.fault
        entry = self.log.write(
            "outcome", call=exchange.number, method=exchange.method, status=status, **facts
        )
        exchange.ended_at = entry.mono

    async def go_wrong(
        self, request: web.BaseRequest, exchange: Exchange, fault: Fault, truth: Callable[[], Reply]
    ) -> web.StreamResponse:
        """Do to this call what the fault says; `truth` has the effect and knows the right reply."""
        exchange.fault = fault.name
        reply = truth() if fault.effect else None
        if fault.sees is Sees.NOTHING:
            await self.silence(exchange, fault.seconds)
        if fault.sees is Sees.TRICKLE:
            await self.trickle(request, exchange, fault)
        if fault.sees is Sees.LATE and reply is not None:
            await self.pause(fault.seconds or 0.0)
            return self.send(exchange, reply)
        if fault.sees is Sees.LATE:
            return self.send(exchange, await self.work(exchange, fault.seconds or 0.0, truth))
        if fault.sees is Sees.ANSWER:
            return self.send(exchange, _reply_of(fault))
        return self.hang_up(request, exchange)

    def send(self, exchange: Exchange, reply: Reply) -> web.Response:
        """Log and build a whole answer."""
        self.end(exchange, reply.status, body=reply.said)
        return web.Response(
            status=reply.status,
            body=reply.body,
            headers={"Content-Type": reply.content_type, **dict(reply.headers)},
        )

    async def silence(self, exchange: Exchange, seconds: float | None) -> None:
        """Say nothing until the caller hangs up, the peer stops or the seconds have passed."""
        try:
            await self.pause(seconds)
        except asyncio.CancelledError:
            self.end(exchange, 0, closed_by="caller")
            raise

    async def work(self, exchange: Exchange, seconds: float, truth: Callable[[], Reply]) -> Reply:
        """Do it after so many seconds, also for a caller that has hung up."""

        async def do() -> Reply:
            await self.pause(seconds)
            return truth()

        task = asyncio.create_task(do())
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self.end(exchange, 0, closed_by="caller")
            raise

    async def trickle(self, request: web.BaseRequest, exchange: Exchange, fault: Fault) -> None:
        """Write byte after byte past the server, until all are told or the caller hangs up."""
        try:
            for byte in fault.body:
                if request.transport is None or request.transport.is_closing():
                    return
                request.transport.write(bytes([byte]))
                await self.pause(fault.seconds)
        except asyncio.CancelledError:
            self.end(exchange, 0, closed_by="caller")
            raise

    async def pause(self, seconds: float | None) -> None:
        """Wait, but never longer than the peer lives."""
        try:
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        except TimeoutError:
            return

    def hang_up(self, request: web.BaseRequest, exchange: Exchange) -> web.Response:
        """Close the connection without an answer."""
        self.end(exchange, 0, closed_by="peer")
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if not request.path.startswith(CONTROL):
            return await self.handle(request)
        raw = await request.read()
        body = msgspec.json.decode(raw, type=dict[str, Any]) if raw else dict(request.query)
        answer = await self.control(request.path.removeprefix(CONTROL), body)
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _reply_of(fault: Fault) -> Reply:
    return Reply(
        fault.status, raw=fault.body, content_type=fault.content_type, headers=fault.headers
    )


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)
