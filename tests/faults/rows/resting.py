"""What nodes hold before the load, and when they have rested from it: the judge compares both."""

import asyncio
from collections.abc import Sequence
from typing import Literal

from tests.faults.node import Node
from tests.faults.sampling import sample
from tests.faults.world import World

WARMING = 40
"""Messages before the books are opened: what is loaded at the first one stays."""
REST = 20.0
"""Seconds after which idle connections to peers are closed."""
CALM = 3.0
"""Seconds in which who has just shown an answer has written that down and let go of it."""


async def warmed(world: World, nodes: Sequence[Node] = ()) -> None:
    """The first messages, and then a look at these nodes, or at all."""
    await _look(world, nodes, "before")


async def rested(world: World, nodes: Sequence[Node] = (), *, rest: float = REST) -> None:
    """A rest, and then the same look: from here on they have to hold what they held before."""
    world.log.write("rested")
    await asyncio.sleep(rest)
    # Pools give up what has been idle too long only when they are used again.
    await _look(world, nodes, "after")


async def _look(world: World, nodes: Sequence[Node], phase: Literal["before", "after"]) -> None:
    await world.driver.run(WARMING)
    await world.settle()
    await asyncio.sleep(CALM)
    await sample(nodes or world.nodes, world.url, world.folder, phase)
