"""A growing answer is read in gulps, all answers at the same instants.

What waking up costs is more than what there is to do with one chunk: at fifty slow streams, chunks
read one by one cost nearly twice as much CPU as those of a fifth of a second together
(docs/bench.md).
"""

import asyncio
from typing import Protocol, cast

GULP = 0.2
"""Seconds. A page that is told five times a second looks as if it grew evenly."""


class Source(Protocol):
    """What receives the bytes of a connection."""

    def pause_reading(self) -> None:
        """Leave them in the kernel."""
        ...

    def resume_reading(self) -> None:
        """Take them."""
        ...


async def until_next_gulp(source: Source | None) -> None:
    """Wait for the next instant, and leave what arrives meanwhile where it is."""
    now = asyncio.get_running_loop().time()
    if source is not None:
        source.pause_reading()
    try:
        await asyncio.sleep(GULP - now % GULP)
    finally:
        if source is not None:
            source.resume_reading()


def source_of(stream: object) -> Source | None:
    """What receives the body of a response of the vendor's client.

    None once all of it is there, and where a new version of the vendor lays its layers otherwise:
    then chunks are joined all the same, but each of them still wakes the process.
    """
    answer = getattr(getattr(stream, "_stream", None), "_aiohttp_response", None)
    connection = getattr(answer, "connection", None)
    return cast(Source | None, getattr(connection, "protocol", None))
