"""`kill -9` of a random node every few seconds while people go on writing."""

import asyncio
import random

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World

RATE = 25.0
"""Messages a second that two cores carry beside everything else of a run."""
EVERY = (2.0, 6.0)
"""Seconds between kills."""
DOWN = (0.1, 1.5)
"""Seconds until a killed node is started again."""


async def random_kills(bench: Bench) -> None:
    """Three nodes on PostgreSQL, one process on SQLite."""
    plan = plan_of(bench, "random kills")
    await under(bench, plan, kill_now_and_then, noticed=("turn.resumed",))


def plan_of(bench: Bench, row: str) -> Plan:
    """People write all the time, and each kill meets several of them."""
    return Plan(
        row,
        bench.store,
        nodes=1 if bench.store == "sqlite" else 3,
        talks=30,
        seed=bench.seed,
        # Each kill is to meet several turns, at every stage of theirs.
        pause=0.5,
        # A message that was in flight at three kills is poison: it gets a sentence.
        reports=True,
        habits=Habits(rate=RATE),
    )


async def kill_now_and_then(world: World, chance: random.Random) -> None:
    """One node after the other, and it is started again."""
    while not world.over:
        await asyncio.sleep(chance.uniform(*EVERY))
        node = chance.choice(world.nodes)
        await node.kill("at random")
        await asyncio.sleep(chance.uniform(*DOWN))
        await node.start()
