"""A real socket: it takes a port, answers HTTP, refuses nonsense, and stops in order."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from bot.errors import ConfigError
from bot.ports import ASGIApp
from bot.server import Site
from bot.serving import MAX_HEAD, Server, runner
from tests.fakes import RecordingObserver


@asynccontextmanager
async def serving(app: ASGIApp, host: str = "127.0.0.1") -> AsyncIterator[tuple[Server, int]]:
    """A server on a free port, with this app at `/in/test`."""
    site = _site(app)
    server = Server(host=host, port=0)
    port = await server.bind()
    await server.start(site, hang_up=site.hang_up)
    try:
        yield server, port
    finally:
        async with asyncio.timeout(10):
            await server.stop()


async def hello(scope: Any, take: Any, give: Any) -> None:
    await take()
    await give({"type": "http.response.start", "status": 200, "headers": []})
    await give({"type": "http.response.body", "body": b"hello"})


async def test_port_0_takes_a_free_one_and_answers_there() -> None:
    async with serving(hello) as (_, port), aiohttp.ClientSession() as http:
        assert port > 0
        async with http.post(f"http://127.0.0.1:{port}/in/test", data=b"x") as response:
            assert (response.status, await response.read()) == (200, b"hello")
            assert "server" not in response.headers


async def test_it_says_where_it_answers() -> None:
    places = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1"}
    if _speaks_version_six():
        places |= {"::1": "[::1]", "::": "[::1]"}
    for host, shown in places.items():
        async with serving(hello, host) as (server, port), aiohttp.ClientSession() as http:
            assert server.url == f"http://{shown}:{port}"
            async with http.post(f"{server.url}/in/test", data=b"x") as response:
                assert await response.read() == b"hello"


async def test_nothing_is_answered_between_taking_the_port_and_starting() -> None:
    server = Server(host="127.0.0.1", port=0)
    port = await server.bind()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await server.stop()


async def test_a_port_that_is_taken_is_a_sentence_that_says_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port: int = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"server\.port: {port} .* PARLEY_SERVER__PORT="):
            await Server(host="127.0.0.1", port=port).bind()


async def test_a_port_is_taken_from_the_moment_it_is_bound_though_nobody_listens_yet() -> None:
    server = Server(host="127.0.0.1", port=0)
    port = await server.bind()
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(ConfigError, match="is taken by another program"):
            await Server(host=host, port=port).bind()
    server.release()
    after = Server(host="127.0.0.1", port=port)
    assert await after.bind() == port
    after.release()


async def test_connections_that_a_former_server_ended_keep_no_next_one_from_its_port() -> None:
    async with serving(hello) as (_, port):
        await _ended_by_the_server(port)
    for _ in range(2):
        again, late = Server(host="127.0.0.1", port=port), Server(host="127.0.0.1", port=port)
        assert await again.bind() == port
        with pytest.raises(ConfigError, match="is taken by another program"):
            await late.bind()
        await again.start(_site(hello), hang_up=lambda: None)
        await _ended_by_the_server(port)
        await again.stop()


@pytest.mark.parametrize(
    ("host", "words"),
    [("192.0.2.1", "is not an address of this machine"), ("no such host", "no address is known")],
)
async def test_a_host_that_cannot_be_listened_on_is_a_sentence(host: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        await Server(host=host, port=0).bind()


async def test_after_a_stop_the_port_is_free_again_and_a_restart_takes_it() -> None:
    async with serving(hello) as (_, port):
        assert not await _is_refused(port)
    again = Server(host="127.0.0.1", port=port)
    assert await again.bind() == port
    await again.stop()


async def test_a_stop_lets_a_request_finish_ends_streams_and_takes_no_more() -> None:
    working, may_finish = asyncio.Event(), asyncio.Event()
    streaming = asyncio.Event()

    async def app(scope: Any, take: Any, give: Any) -> None:
        await take()
        await give({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"].endswith("/stream"):
            await give({"type": "http.response.body", "body": b"data", "more_body": True})
            streaming.set()
            await take()
            await give({"type": "http.response.body", "body": b"bye"})
        else:
            working.set()
            await may_finish.wait()
            await give({"type": "http.response.body", "body": b"done"})

    async def read(http: aiohttp.ClientSession, url: str) -> bytes:
        async with http.get(url) as response:
            return await response.read()

    async with serving(app) as (server, port), aiohttp.ClientSession() as http:
        base = f"http://127.0.0.1:{port}/in/test"
        reading = [asyncio.create_task(read(http, f"{base}{end}")) for end in ("", "/stream")]
        async with asyncio.timeout(10):
            await working.wait()
            await streaming.wait()
            stopping = asyncio.create_task(server.stop(timedelta(seconds=5)))
            assert await reading[1] == b"databye"
            assert await _is_refused(port)
            may_finish.set()
            assert await reading[0] == b"done"
            await stopping


async def test_a_stream_that_an_app_just_leaves_at_a_stop_is_ended_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    streaming = asyncio.Event()

    async def leaves(scope: Any, take: Any, give: Any) -> None:
        await take()
        await give({"type": "http.response.start", "status": 200, "headers": []})
        await give({"type": "http.response.body", "body": b"data", "more_body": True})
        streaming.set()
        await take()

    async with serving(leaves) as (server, port), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /in/test HTTP/1.1\r\nHost: x\r\n\r\n")
        await streaming.wait()
        await server.stop()
        assert (await reader.read()).endswith(b"data\r\n0\r\n\r\n")
        writer.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_request_that_never_ends_does_not_keep_the_server_from_stopping(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun = asyncio.Event()

    async def stuck(scope: Any, take: Any, give: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    caplog.set_level(logging.CRITICAL)
    async with serving(stuck) as (server, port), asyncio.timeout(10):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /in/test HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        await server.stop(timedelta(seconds=0.1))
        writer.close()


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00\x01", b"GET /\x00 HTTP/1.1\r\n\r\n", b"hello\r\n\r\n"]
)
async def test_what_is_not_http_is_refused(nonsense: bytes) -> None:
    async with serving(hello) as (_, port), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(nonsense)
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()


async def test_a_head_without_end_is_cut_off() -> None:
    async with serving(hello) as (_, port), asyncio.timeout(10):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /in/test HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            await _write_on(writer)
        writer.close()


async def test_one_connection_serves_many_requests_with_long_heads() -> None:
    head = b"POST /in/test HTTP/1.1\r\nhost: x\r\nx-long: " + b"x" * 30_000 + b"\r\n"
    async with serving(hello) as (_, port), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(5):
            writer.write(head + b"content-length: 5\r\n\r\n12345")
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"0\r\n\r\n")
        writer.close()


def test_the_program_runs_on_the_fast_loop() -> None:
    async def which() -> str:
        return type(asyncio.get_running_loop()).__module__

    with runner() as fast:
        assert fast.run(which()) in {"uvloop", "asyncio.windows_events"}


def _site(app: ASGIApp) -> Site:
    return Site(
        adapters={"test": app}, front=None, own={}, observer=RecordingObserver(), max_size=10_000
    )


async def _ended_by_the_server(port: int) -> None:
    """Leave a connection behind that the system remembers for its last minute."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"nonsense\r\n\r\n")
    async with asyncio.timeout(10):
        await reader.read()
    writer.close()
    await writer.wait_closed()


def _speaks_version_six() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def _is_refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return True
    writer.close()
    return False


async def _write_on(writer: asyncio.StreamWriter) -> None:
    for _ in range(MAX_HEAD):
        writer.write(b"x-more: " + b"x" * 1000 + b"\r\n")
        await writer.drain()
