"""A stand-in in a process of its own, whose log is read through a pipe while it is written."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.peers.process import PeerName, Remote, running


@asynccontextmanager
async def watched(
    name: PeerName, folder: Path, read: Callable[[bytes], None], *options: str
) -> AsyncGenerator[Remote, None]:
    """The peer; `read` gets what it writes, as soon as it is written."""
    path = folder / f"{name}.log"
    os.mkfifo(path)
    with _reading(path) as end:
        async with running(name, *options, log=path) as peer:
            loop = asyncio.get_running_loop()
            loop.add_reader(end, lambda: read(os.read(end, 1 << 20)))
            try:
                yield peer
            finally:
                loop.remove_reader(end)
    path.unlink()


@contextmanager
def _reading(path: Path) -> Iterator[int]:
    # Opened before there is a writer, and until it has gone: the peer must never find it closed.
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield end
    finally:
        os.close(end)
