"""What a caller still sends when its request is answered: for a while, and not without end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.server import Site
from bot.serving import Server
from tests.fakes import RecordingObserver

NOWHERE = b"POST /in/nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
HELLO = b"GET /in/test HTTP/1.1\r\nhost: x\r\n\r\n"


async def _hello(scope: Any, take: Any, give: Any) -> None:
    await take()
    headers = [(b"content-length", b"5")]
    await give({"type": "http.response.start", "status": 200, "headers": headers})
    await give({"type": "http.response.body", "body": b"hello"})


@asynccontextmanager
async def caller(
    head_time: float = 30.0,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """One connection to a server that has an app at `/in/test` and nothing anywhere else."""
    site = Site(
        adapters={"test": _hello}, front=None, own={}, observer=RecordingObserver(), max_size=10_000
    )
    server = Server(host="127.0.0.1", port=0, head_time=head_time)
    port = await server.bind()
    await server.start(site, hang_up=site.hang_up)
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            yield reader, writer
            writer.close()
    finally:
        async with asyncio.timeout(10):
            await server.stop()


async def _status(reader: asyncio.StreamReader) -> bytes:
    """The status line of an answer that is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = [
        int(line.partition(b":")[2])
        for line in head.lower().splitlines()
        if line.startswith(b"content-length")
    ]
    await reader.readexactly(length)
    return head.splitlines()[0]


async def _is_cut_off(reader: asyncio.StreamReader) -> bool:
    """Whether nothing more will come; a moment is waited for it."""
    try:
        async with asyncio.timeout(0.02):
            return await reader.read(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.slow
@pytest.mark.parametrize("drop", [b"x", b"\r\n"], ids=["of a body", "before a head"])
async def test_drops_behind_an_answer_do_not_keep_a_connection_open(drop: bytes) -> None:
    async with caller(head_time=0.3) as (reader, writer):
        writer.write(NOWHERE % 10**9 if drop == b"x" else HELLO)
        await _status(reader)
        while not await _is_cut_off(reader):
            writer.write(drop)


@pytest.mark.slow
async def test_a_body_that_comes_after_its_answer_leaves_the_connection_to_the_next_request() -> (
    None
):
    async with caller(head_time=0.3) as (reader, writer):
        for _ in range(2):
            writer.write(NOWHERE % 10)
            assert b"404" in await _status(reader)
            writer.write(b"x" * 10)
            for _ in range(30):
                assert not await _is_cut_off(reader), "it may rest as any other"
            writer.write(HELLO)
            assert b"200" in await _status(reader)


async def test_who_sends_more_than_is_wanted_still_reads_why_it_was_refused() -> None:
    async with caller() as (reader, writer):
        for _ in range(5):
            writer.write(NOWHERE % 2_000_000)
            assert b"404" in await _status(reader)
            for _ in range(200):
                writer.write(b"x" * 10_000)
                await writer.drain()
        writer.write(HELLO)
        assert b"200" in await _status(reader)
