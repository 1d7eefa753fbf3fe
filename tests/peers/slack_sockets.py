"""Socket Mode from the service's side: tickets, hello, envelopes, refreshes, goodbyes."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from tests.peers.log import Json, Log
from tests.peers.slack_delivery import Redelivery, name_of
from tests.peers.slack_events import envelope_type

MOST = 10
"""Sockets that one app may have open."""


@dataclass(slots=True)
class Socket:
    """One socket of the app's."""

    number: int
    wire: web.WebSocketResponse
    leaving: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Sockets:
    """Every socket that is open, and what waits for one."""

    def __init__(self, log: Log, app_id: str, redelivery: Redelivery) -> None:
        self.open: list[Socket] = []
        self.tickets: set[str] = set()
        self.opened = 0
        self.acks: list[Json] = []
        self.silent = False
        """A socket that never says hello."""
        self.turned_away = ""
        """The reason for which each new socket has to go right after its hello; none is closed,
        as slack-sdk's own test server does it."""
        self.on_change: Callable[[], None] = lambda: None
        self._log = log
        self._app_id = app_id
        self._redelivery = redelivery
        self._numbers = count(1)
        self._acked: dict[str, asyncio.Event] = {}
        self._waiting: deque[Json] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turn = 0

    def ticket(self) -> str:
        """Good for one socket."""
        ticket = f"ticket-{next(self._numbers)}"
        self.tickets.add(ticket)
        return ticket

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One socket from its beginning to its end."""
        ticket = request.query.get("ticket", "")
        if ticket not in self.tickets:
            return web.Response(status=401)
        self.tickets.discard(ticket)
        wire = web.WebSocketResponse(heartbeat=10)
        await wire.prepare(request)
        self.opened += 1
        socket = Socket(self.opened, wire)
        self.open.append(socket)
        self._log.write("socket_opened", socket=socket.number, open=len(self.open))
        if not self.silent:
            await self._welcome(socket)
        try:
            async for frame in wire:
                if frame.type is WSMsgType.TEXT:
                    self._take(socket, msgspec.json.decode(frame.data, type=dict[str, Any]))
        finally:
            self._forget(socket)
        return wire

    def push(self, body: Json) -> None:
        """Deliver on some socket, now or as soon as there is one."""
        self._waiting.append(body)
        self._flush()

    async def disconnect(self, reason: str = "refresh_requested", *, close: bool = True) -> None:
        """Tell every socket to go; with `close` it is closed soon after."""
        for socket in tuple(self.open):
            await self._dismiss(socket, reason, close=close)

    async def drop(self) -> None:
        """Cut every socket without a word."""
        for socket in tuple(self.open):
            self._forget(socket)
            await socket.wire.close(code=1006)

    async def close(self) -> None:
        """No more sockets."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in tuple(self.open):
            await socket.wire.close()

    async def _welcome(self, socket: Socket) -> None:
        if len(self.open) > MOST:
            await self._dismiss(socket, "too_many_websockets", close=True)
            return
        await self._send(
            socket,
            {
                "type": "hello",
                "num_connections": len(self.open),
                "connection_info": {"app_id": self._app_id},
                "debug_info": {"host": "applink-1", "approximate_connection_time": 18060},
            },
        )
        if self.turned_away:
            await self._dismiss(socket, self.turned_away, close=False)
        self._flush()

    async def _dismiss(self, socket: Socket, reason: str, *, close: bool) -> None:
        socket.leaving = True
        self._log.write("socket_dismissed", socket=socket.number, reason=reason)
        await self._send(
            socket, {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}}
        )
        if close:
            self._run(self._close_soon(socket))

    async def _close_soon(self, socket: Socket) -> None:
        # The successor is opened meanwhile; an app that waits for the end loses no envelope
        # either, but is away for a while.
        await asyncio.sleep(0.05)
        await socket.wire.close()

    def _flush(self) -> None:
        while self._waiting and self._usable():
            self._run(self._deliver(self._waiting.popleft()))

    def _usable(self) -> list[Socket]:
        return [socket for socket in self.open if not socket.leaving and not socket.wire.closed]

    async def _deliver(self, body: Json) -> None:
        """An envelope, again until it is acknowledged; each time on the next socket."""
        kind = envelope_type(body)
        for attempt in range(1 + len(self._redelivery.pauses)):
            sockets = self._usable()
            if not sockets:
                self._waiting.append(body)
                return
            self._turn += 1
            socket = sockets[self._turn % len(sockets)]
            envelope: Json = {
                "envelope_id": f"envelope-{next(self._numbers)}",
                "payload": body,
                "type": kind,
                "accepts_response_payload": kind == "slash_commands",
            }
            if kind == "events_api":
                envelope |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
            if await self._acknowledged(socket, envelope, body, attempt + 1):
                return
        self._log.write("given_up", name=name_of(body), status=0)

    async def _acknowledged(self, socket: Socket, envelope: Json, body: Json, attempt: int) -> bool:
        done = self._acked[envelope["envelope_id"]] = asyncio.Event()
        self._log.write("delivery", name=name_of(body), attempt=attempt, socket=socket.number)
        await self._send(socket, envelope)
        waits = [asyncio.ensure_future(event.wait()) for event in (done, socket.gone)]
        try:
            await asyncio.wait(
                waits,
                timeout=self._redelivery.patience,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for wait in waits:
                wait.cancel()
            del self._acked[envelope["envelope_id"]]
        if done.is_set():
            self._log.write("acknowledged", name=name_of(body))
        return done.is_set()

    def _take(self, socket: Socket, ack: Json) -> None:
        self.acks.append(ack)
        done = self._acked.get(str(ack.get("envelope_id")))
        if done is not None:
            done.set()
        self.on_change()

    async def _send(self, socket: Socket, frame: Json) -> None:
        try:
            await socket.wire.send_str(msgspec.json.encode(frame).decode())
        except (ConnectionError, RuntimeError):
            self._forget(socket)

    def _forget(self, socket: Socket) -> None:
        if socket in self.open:
            self.open.remove(socket)
            self._log.write("socket_closed", socket=socket.number, open=len(self.open))
        socket.gone.set()

    def _run(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
