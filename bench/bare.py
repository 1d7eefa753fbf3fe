"""The yardstick: a uvicorn that reads a request and says 200, driven by the same client."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn

from bench.load import Cost, quantile
from bench.readings import cpu_seconds, resident_mb
from bench.talk import now_us
from bench.wire import Connection, post

ROOT = Path(__file__).parents[1]
_BODY = b'{"text":"' + b"x" * 400 + b'"}'

_Message = MutableMapping[str, Any]


async def measure(in_flight: int, requests: int) -> Cost:
    """What one bare request costs, with so many under way."""
    async with _running() as (pid, port):
        await _drive(port, in_flight, requests // 4)
        before, began = cpu_seconds(pid), time.monotonic()
        waits = await _drive(port, in_flight, requests)
        seconds = time.monotonic() - began
        used = cpu_seconds(pid) - before
        return Cost(
            f"bare uvicorn request {in_flight}",
            len(waits),
            cpu_ms=used * 1000 / len(waits),
            per_second=len(waits) / seconds,
            p50_ms=quantile(waits, 0.5) / 1000,
            p99_ms=quantile(waits, 0.99) / 1000,
            rss_mb=resident_mb(pid),
        )


async def _drive(port: int, in_flight: int, requests: int) -> list[int]:
    request = post("/", _BODY)

    async def ask() -> list[int]:
        connection = await Connection.open(port)
        waits = []
        for _ in range(requests // in_flight):
            began = now_us()
            await connection.ask(request)
            waits.append(now_us() - began)
        connection.close()
        return waits

    return [
        wait for waits in await asyncio.gather(*(ask() for _ in range(in_flight))) for wait in waits
    ]


@asynccontextmanager
async def _running() -> AsyncGenerator[tuple[int, int], None]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bare"), cwd=ROOT, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            port = json.loads(await process.stdout.readline())
        yield process.pid, port
    finally:
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()


async def _app(
    _: _Message,
    take: Callable[[], Awaitable[_Message]],
    give: Callable[[_Message], Awaitable[None]],
) -> None:
    while (await take()).get("more_body"):
        pass
    headers = [(b"content-length", b"0")]
    await give({"type": "http.response.start", "status": 200, "headers": headers})
    await give({"type": "http.response.body", "body": b""})


async def _serve() -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    config = uvicorn.Config(
        _app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    print(json.dumps(listening.getsockname()[1]), flush=True)
    # It ends with whoever asked for it, however that one ended.
    asyncio.get_running_loop().add_reader(
        sys.stdin.fileno(), lambda: setattr(server, "should_exit", True)
    )
    await server.serve(sockets=[listening])


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve())
