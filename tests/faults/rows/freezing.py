"""Nodes that stand still beyond their lease and then go on, as if nothing had happened."""

import asyncio
import random

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World

LENGTHS = (1.2, 3.0)
"""How long a node is frozen, in leases."""
PAUSE = (1.0, 3.0)


async def frozen_nodes(bench: Bench) -> None:
    """Three nodes take turns; while one is frozen the others have its work."""
    plan = Plan(
        "frozen nodes",
        "postgres",
        nodes=3,
        talks=20,
        seed=bench.seed,
        # Long enough that most freezes catch a turn in the middle.
        pause=0.4,
        # On a busy machine a message can lose its node three times: that looks like poison.
        reports=True,
        habits=Habits(rate=20.0),
    )
    await under(bench, plan, _freeze, noticed=("turn.resumed",))


async def _freeze(world: World, chance: random.Random) -> None:
    while not world.over:
        await asyncio.sleep(chance.uniform(*PAUSE))
        node = chance.choice(world.nodes)
        node.freeze()
        try:
            await asyncio.sleep(world.plan.lease * chance.uniform(*LENGTHS))
        finally:
            node.thaw()
