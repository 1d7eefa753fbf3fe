"""How soon it accepts when it is started again, and what it holds while nobody speaks."""

import asyncio
import time
from dataclasses import dataclass

from bench.plan import Shape
from bench.readings import resident_mb
from bench.world import World

IDLE = 2.0
"""Seconds after which the start is over and done with."""
SECONDS_CEILING = 2.0
MEMORY_CEILING = 140.0


@dataclass(frozen=True, slots=True)
class Start:
    """A second start: the database is there, the byte code is compiled."""

    seconds: float
    rss_mb: float


async def measure(world: World) -> Start:
    """Start it twice and look at the second time."""
    await world.teach(Shape.WHOLE)
    database = f"sqlite:///{world.folder / 'start' / 'parley.db'}"
    async with world.program("start", database, stream=True):
        pass
    began = time.monotonic()
    async with world.program("start", database, stream=True) as program:
        seconds = time.monotonic() - began
        await asyncio.sleep(IDLE)
        return Start(seconds, resident_mb(program.pid))
