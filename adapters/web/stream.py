"""One page's event stream, from its first byte to the last."""

import asyncio

from adapters.web.events import Stream
from adapters.web.wire import NO_SNIFF, Exchange, Header

HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx holds back what it can gather, unless told not to
    (b"x-accel-buffering", b"no"),
    NO_SNIFF,
)
GREETING = b"retry: 1000\n\n"
HEARTBEAT = b"event: beat\ndata: {}\n\n"


class _Gone(Exception):
    """The page hung up, or reads nothing any more."""


class Writer:
    """Writes what a stream holds as fast as the page reads, and a comment when there is nothing.

    A page that has not read one write within a heartbeat is given up: what it misses waits for
    it in the history.
    """

    def __init__(self, exchange: Exchange, stream: Stream, *, heartbeat: float) -> None:
        self._exchange = exchange
        self._stream = stream
        self._heartbeat = heartbeat
        self._beat = False
        self._writing = False

    async def run(self, *headers: Header) -> None:
        """Until the page goes or the stream is closed."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch())
                group.create_task(self._write(headers))
        except* _Gone:
            pass

    async def _write(self, headers: tuple[Header, ...]) -> None:
        await self._exchange.begin(200, [*HEADERS, *headers])
        await self._give(GREETING)
        while True:
            if data := self._stream.take():
                await self._give(data)
            elif self._stream.closed:
                break
            elif self._beat:
                await self._give(HEARTBEAT)
            else:
                await self._stream.wait()
        await self._exchange.give({"type": "http.response.body", "body": b""})
        raise _Gone

    async def _give(self, data: bytes) -> None:
        self._writing, self._beat = True, False
        await self._exchange.give({"type": "http.response.body", "body": data, "more_body": True})
        self._writing = False

    async def _watch(self) -> None:
        """Notice that the page has gone, and keep the line warm."""
        while True:
            try:
                async with asyncio.timeout(self._heartbeat):
                    said = await self._exchange.take()
            except TimeoutError:
                self._tick()
                continue
            if said["type"] == "http.disconnect":
                raise _Gone

    def _tick(self) -> None:
        if self._writing and self._beat:
            raise _Gone
        self._beat = True
        self._stream.wake()
