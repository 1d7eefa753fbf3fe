"""Visitors of the web page: each has its cookie and its open stream."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from bench.talk import Talk, WrongAnswersError, expect, now_us
from bench.telegram import question
from bench.wire import Connection, post


class _Said(msgspec.Struct):
    text: str


class WebTalk(Talk):
    """One visitor."""

    def __init__(self, expected: str, connection: Connection, cookie: str) -> None:
        super().__init__(expected)
        self._connection = connection
        self._cookie = cookie

    async def say(self, number: int) -> None:
        body = msgspec.json.encode({"id": f"message-{number}", "text": question(number)})
        request = post("/in/web/messages", body, Cookie=self._cookie)
        expect(await self._connection.ask(request), 202)

    async def watch(self, stream: aiohttp.ClientResponse) -> None:
        """Read the stream until it is closed."""
        rest = b""
        async for data in stream.content.iter_any():
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                self._see(event)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _see(self, event: bytes) -> None:
        if event.startswith((b"event: draft", b"event: snapshot")):
            self.grown += 1
        elif event.startswith(b"event: message"):
            said = msgspec.json.decode(event.partition(b"\ndata: ")[2], type=_Said)
            self.came(said.text, now_us())


class Visitors:
    """Those who open the page; they need no platform."""

    def adapter(self, *, stream: bool) -> dict[str, Any]:
        """Its block of the configuration."""
        return {"use": "adapters.web", "stream": stream, "rate": 1_000_000}

    @asynccontextmanager
    async def talks(
        self, number: int, expected: str, port: int
    ) -> AsyncGenerator[list[Talk], None]:
        """So many new visitors, each with its page open."""
        async with AsyncExitStack() as stack:
            connector = aiohttp.TCPConnector(limit=0)
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    f"http://127.0.0.1:{port}",
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None, sock_read=60),
                )
            )
            made = [await _visitor(stack, session, expected, port) for _ in range(number)]
            yield list(made)


async def _visitor(
    stack: AsyncExitStack, session: aiohttp.ClientSession, expected: str, port: int
) -> WebTalk:
    async with session.get("/in/web/config") as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    stream = await session.get("/in/web/events", headers={"Cookie": cookie})
    stack.callback(stream.close)
    if stream.status != 200:
        raise WrongAnswersError(f"the stream was answered with {stream.status}")
    talk = WebTalk(expected, await Connection.open(port), cookie)
    stack.callback(talk.close)
    watching = asyncio.create_task(talk.watch(stream))
    stack.push_async_callback(_ended, watching)
    return talk


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
