"""What most rows are: people write for a while, and all that time something goes wrong."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence

from tests.faults.bench import Bench
from tests.faults.node import Node
from tests.faults.plan import Plan
from tests.faults.rows.resting import rested, warmed
from tests.faults.world import World

Trouble = Callable[[World, random.Random], Coroutine[None, None, None]]

LONG = 30.0
"""Seconds of load after which it is worth looking at what is left of it."""


async def under(
    bench: Bench,
    plan: Plan,
    trouble: Trouble,
    *,
    before: Callable[[World], Awaitable[None]] | None = None,
    may_end: Collection[int] = (),
    noticed: Sequence[str] = (),
) -> None:
    """Run the plan with this trouble; `may_end`: exit codes with which nodes may end by themselves.

    `before` the load, when everybody is idle, there may be something to look at.
    `noticed` are events that the servers' own logs must hold: without them nothing was tried.
    """
    async with bench.world(plan) as world:
        for node in world.nodes:
            node.may_end = may_end
        await world.start()
        await warmed(world)
        if before is not None:
            await before(world)
        making = asyncio.create_task(trouble(world, random.Random(bench.seed)))
        try:
            await world.driver.run(round(plan.habits.rate * bench.seconds))
        finally:
            world.over = True
            await making
        for node in world.nodes:
            if not node.alive:  # how it ended is noted there
                await node.start()
        await world.settle()
        if bench.seconds >= LONG:
            await rested(world)
        for event in noticed:
            await _notice(bench, world, event)
        await world.finish()


def output_of(node: Node) -> str:
    """All that it has written."""
    return node.output


async def _notice(bench: Bench, world: World, event: str) -> None:
    logs = [await asyncio.to_thread(output_of, node) for node in world.nodes]
    count = sum(log.count(f'"event": "{event}"') for log in logs)
    bench.told.append(f"the servers' logs say {event} {count} times")
    if not count:
        bench.missed.append(f"no server noticed anything: none says {event}")
