"""Hostile plugins: what only fails costs nobody else anything, what kills costs a node at most."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from tests.faults.bench import Bench
from tests.faults.checker.reading import read
from tests.faults.checker.records import Story
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.deadly import innocent, kill_one_by_one
from tests.faults.rows.hostility import Phase, alternate, compare, compared, tried
from tests.faults.rows.resting import REST, warmed
from tests.faults.rows.under import LONG
from tests.faults.sampling import sample

PHASES = 6.0
"""The part of the row's time that one phase takes."""
SHORTEST = 4.0
RATE = 12.0
"""Messages a second of bystanders: what waits because the machine is full tells nothing."""


def plan_of(bench: Bench) -> Plan:
    """The world of this row."""
    return Plan(
        "hostile plugins",
        bench.store,
        nodes=1 if bench.store == "sqlite" else 3,
        talks=24,
        seed=bench.seed,
        within=90.0,
        # The model answers at once: what is measured is the house.
        pause=0.0,
        reports=True,
        plugins=("ledger", "hostile"),
        habits=Habits(rate=RATE, twice=0.0, reordered=0.0, wishes=("",)),
    )


async def plugins(bench: Bench) -> None:
    """First what others must not notice, then what ends processes."""
    async with bench.world(plan_of(bench)) as world:
        await world.start()
        await warmed(world)
        measure = partial(alternate, world, max(SHORTEST, bench.seconds / PHASES))
        phases = await confirmed(bench, measure, partial(read, world.folder))
        if bench.seconds >= LONG:
            await asyncio.sleep(REST)
            await sample(world.nodes, world.url, world.folder, "after")
        deadly = await kill_one_by_one(bench, world)
        await world.settle()
        await world.finish()
        story = await asyncio.to_thread(read, world.folder)
        compare(bench, story, phases)
        tried(bench, world)
        innocent(bench, story, deadly)


async def confirmed(
    bench: Bench, measure: Callable[[], Awaitable[list[Phase]]], story: Callable[[], Story]
) -> list[Phase]:
    """What is to be judged: where hostility seems to cost others something, it has to again."""
    phases = await measure()
    found = compared(await asyncio.to_thread(story), phases)
    if not found.is_worse:
        return phases
    bench.told.append(f"p99 moved by {found.moved * 1000:+.0f} ms: measured once more")
    return await measure()
