"""Socket Mode: a socket of our own, and its successor open before it closes.

The library's client has a session of its own, closes the old socket before it opens the next one
and starts a task for every frame that nobody waits for; of it, the vocabulary is used.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

import aiohttp
import msgspec
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from adapters.slack.advice import of_disconnect, of_socket
from adapters.slack.client import Client
from adapters.slack.dispatch import Dispatcher
from adapters.slack.watch import Watch
from bot import Ambiguous, Backoff, Clock, Observer, Permanent, Said, Transient

HEARTBEAT = 20.0
HELLO = 15.0
"""Seconds until a new socket must have said that it is ready."""
GOODBYE = 2.0
LINGER = 30.0
"""How long a socket that Slack will close may still bring something."""
WRONG_SETTINGS_WAIT = 60.0
STEADY = timedelta(seconds=10)
"""A socket that lasted less has not worked: the pauses go on growing."""
EXPECTED = frozenset({"warning", "refresh_requested"})
AT_ONCE = 100
"""Frames of one socket that are being taken; the next ones wait in the socket."""
SMALLEST_FRAME = 4 * 1024 * 1024
RETRY_REASON = "x-slack-retry-reason"

Http = Callable[[], aiohttp.ClientSession]
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Sockets:
    """Keeps one socket of this process open."""

    def __init__(
        self,
        name: str,
        *,
        client: Client,
        http: Http,
        watch: Watch,
        clock: Clock,
        observer: Observer,
        max_size: int,
        timeout: float,
    ) -> None:
        self._name = name
        self._client = client
        self._http = http
        self._watch = watch
        self._clock = clock
        self._observer = observer
        self._max_size = max_size
        self._timeout = timeout
        self._backoff = Backoff()
        self._short = 0
        """Sockets in a row that did not last."""

    async def run(self, dispatcher: Dispatcher) -> None:
        """Until cancelled. A socket that is about to close is read on while the next one opens."""
        self._watch.seeking = True
        try:
            await self._keep_open(dispatcher)
        finally:
            self._watch.seeking = False

    async def _keep_open(self, dispatcher: Dispatcher) -> None:
        lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        async with asyncio.TaskGroup() as group:
            while True:
                link = Link(
                    await self._connect(),
                    dispatcher,
                    lanes=lanes,
                    max_size=self._max_size,
                    clock=self._clock,
                    reject=lambda why: self._observer.rejected(adapter=self._name, why=why),
                )
                group.create_task(link.serve())
                await link.settle()
                begun = self._clock.now()
                if link.ready.is_set():
                    self._opened()
                await link.leaving.wait()
                steady = link.ready.is_set() and self._clock.now() - begun >= STEADY
                await self._left(link, steady=steady)

    def _opened(self) -> None:
        self._watch.opened()
        self._observer.listening(adapter=self._name, alive=True)

    async def _left(self, link: "Link", *, steady: bool) -> None:
        """A socket goes: at once to the next one if Slack asked for it, else after a pause.

        Slack may ask for a new one soon after a hello, when it moves us; again and again, every
        socket costs a ticket and brings nothing.
        """
        self._watch.left()
        if steady:
            self._backoff.reset()
            self._short = 0
        else:
            self._short += 1
        if link.reason in EXPECTED and self._short <= 1:
            return
        self._down(of_disconnect(link.reason))
        wait = WRONG_SETTINGS_WAIT if link.reason == "link_disabled" else self._backoff.next()
        await self._clock.sleep(wait)

    def _down(self, trouble: Said) -> None:
        self._watch.failed(trouble)
        self._observer.listening(adapter=self._name, alive=False)

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        while True:
            try:
                return await self._try()
            except (Transient, Ambiguous) as error:
                self._down(of_socket(error))
                wait = self._backoff.next()
                if isinstance(error, Transient) and error.retry_after is not None:
                    wait = max(wait, error.retry_after.total_seconds())
            except Permanent as error:
                self._down(of_socket(error))
                wait = WRONG_SETTINGS_WAIT
            await self._clock.sleep(wait)

    async def _try(self) -> aiohttp.ClientWebSocketResponse:
        address = await self._client.open_socket()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._http().ws_connect(
                    address,
                    heartbeat=HEARTBEAT,
                    # Slack does not always answer a goodbye.
                    timeout=aiohttp.ClientWSTimeout(ws_close=GOODBYE),
                    max_msg_size=max(4 * self._max_size, SMALLEST_FRAME),
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The address holds a ticket: no error of the transport travels on.
            raise Transient(f"no socket: {type(error).__name__}") from None


class Link:
    """One socket: frames are taken side by side, those of one channel in order."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        dispatcher: Dispatcher,
        *,
        lanes: "WeakValueDictionary[str, asyncio.Lock]",
        max_size: int,
        clock: Clock,
        reject: Callable[[str], None],
    ) -> None:
        self.ready = asyncio.Event()
        self.leaving = asyncio.Event()
        self.reason = ""
        self._socket = socket
        self._dispatcher = dispatcher
        self._lanes = lanes
        self._max_size = max_size
        self._clock = clock
        self._reject = reject
        self._room = asyncio.Semaphore(AT_ONCE)
        self._lingering: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Until it closes, and what came is handled."""
        try:
            async with asyncio.TaskGroup() as group:
                async for frame in self._socket:
                    if frame.type is aiohttp.WSMsgType.TEXT:
                        await self._room.acquire()
                        group.create_task(self._take(frame.data, group))
                if self._lingering is not None:
                    self._lingering.cancel()
                self.leaving.set()
        finally:
            self.leaving.set()
            await self._socket.close()

    async def settle(self) -> None:
        """Return once it is ready or gone; one that never says hello is closed."""
        patience = self._clock.sleep(HELLO)
        waits = [
            asyncio.ensure_future(wait)
            for wait in (self.ready.wait(), self.leaving.wait(), patience)
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self.ready.is_set():
            await self._socket.close()

    async def _take(self, raw: str, group: asyncio.TaskGroup) -> None:
        try:
            frame = _frame(raw)
            match frame.get("type"):
                case "hello":
                    self.ready.set()
                case "disconnect":
                    self._leave(str(frame.get("reason", "")), group)
                case _:
                    await self._envelope(frame, len(raw))
        finally:
            self._room.release()

    def _leave(self, reason: str, group: asyncio.TaskGroup) -> None:
        self.reason = reason
        self.leaving.set()
        if self._lingering is None:
            self._lingering = group.create_task(self._linger())

    async def _linger(self) -> None:
        """Slack closes the socket by itself; one that it forgets would stay for ever."""
        # A socket that is one too many counts as long as it stays open.
        await self._clock.sleep(LINGER if self.reason in EXPECTED else GOODBYE)
        await self._socket.close()

    async def _envelope(self, frame: dict[str, Any], size: int) -> None:
        request = SocketModeRequest.from_dict(frame)
        if request is None or not isinstance(request.envelope_id, str):
            return
        if size > self._max_size:
            self._reject("size")
            await self._acknowledge(request.envelope_id)
            return
        headers = {} if request.retry_reason is None else {RETRY_REASON: request.retry_reason}
        async with self._lane(request.payload):
            response = await self._dispatcher.dispatch(request.payload, headers)
        if response.status == 200:
            await self._acknowledge(request.envelope_id)

    def _lane(self, payload: dict[str, Any]) -> asyncio.Lock:
        """What is said in one channel is accepted in the order in which it came."""
        event = payload.get("event")
        place = payload if not isinstance(event, dict) else event
        channel = place.get("channel") or payload.get("channel_id")
        return self._lanes.setdefault(str(channel), asyncio.Lock())

    async def _acknowledge(self, envelope: str) -> None:
        answer = SocketModeResponse(envelope_id=envelope).to_dict()
        try:
            await self._socket.send_str(msgspec.json.encode(answer).decode())
        except (aiohttp.ClientError, OSError):
            return  # it comes again, and is known then


def _frame(raw: str) -> dict[str, Any]:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return {}
