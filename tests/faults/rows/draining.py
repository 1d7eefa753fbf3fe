"""SIGTERM in the middle of the work: what runs is finished or handed on, and nothing runs twice."""

import asyncio
import random
from functools import partial

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World

BETWEEN = (1.0, 3.0)
LEASE = 15.0
"""Seconds, a server's own."""


async def drains(bench: Bench) -> None:
    """One node after the other is told to stop, and started again."""
    await under(bench, plan_of(bench), partial(_stop, bench))


def plan_of(bench: Bench) -> Plan:
    """Turns that are certainly met in the middle."""
    return Plan(
        "SIGTERM drains",
        bench.store,
        nodes=1 if bench.store == "sqlite" else 3,
        talks=20,
        seed=bench.seed,
        # A lease that runs out on a full machine hands work on as well, and then a step runs twice.
        lease=LEASE,
        pause=0.3,
        calm=True,
        habits=Habits(rate=20.0),
    )


async def _stop(bench: Bench, world: World, chance: random.Random) -> None:
    busy = 0
    while not world.over:
        await asyncio.sleep(chance.uniform(*BETWEEN))
        node = chance.choice(world.nodes)
        world.hidden.add(node.url)
        busy += await _is_busy(world)
        await node.stop()
        await node.start()
        world.hidden.discard(node.url)
    bench.told.append(f"{busy} times something was waiting for its answer")
    if not busy:
        bench.missed.append("whenever a server was told to stop there was nothing to do")


async def _is_busy(world: World) -> bool:
    """Whether anybody waits for an answer now."""
    await asyncio.to_thread(world.watch.look)
    sent = world.driver.sent.items()
    return any(
        one.acknowledged_at is not None and not world.watch.has_outcome(mark, one)
        for mark, one in tuple(sent)
    )
