"""A peer in a process of its own, for benchmarks and fault runs."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
import msgspec

PeerName = Literal["telegram", "slack", "wechat", "model"]
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Remote:
    """A running peer: where it is, who it is, and its surface for the driver."""

    url: str
    session: aiohttp.ClientSession
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """For a signal."""
        return self.process.pid

    async def tell(self, path: str, **body: Any) -> Any:
        """`faults`, `push`, `texts`, `answer` …: see the peers' `control`."""
        async with self.session.post(f"{self.url}/_peer/{path}", json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def log(self, after: int = 0) -> list[dict[str, Any]]:
        """The newest entries of its log."""
        entries: list[dict[str, Any]] = await self.tell("log", after=after)
        return entries

    async def ended(self) -> int:
        """Wait until the process is gone; its exit code."""
        async with asyncio.timeout(10):
            return await self.process.wait()


@asynccontextmanager
async def running(peer: PeerName, *options: str, log: Path | None = None) -> AsyncIterator[Remote]:
    """Start a peer and stop it at the end; it also stops when this process dies."""
    logged = () if log is None else ("--log", str(log))
    async with started("-m", "tests.peers", peer, *logged, *options) as remote:
        yield remote


@asynccontextmanager
async def started(*words: str) -> AsyncIterator[Remote]:
    """Any peer that is a Python program of its own, with these words."""
    command = (sys.executable, *words)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = await process.stdout.readline()
        url = msgspec.json.decode(line, type=dict[str, Any])["url"]
        async with aiohttp.ClientSession() as session:
            yield Remote(url, session, process)
    finally:
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()
