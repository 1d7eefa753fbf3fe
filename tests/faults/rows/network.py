"""Between a node and PostgreSQL: silence, one-way lines, delay, cuts; the server heals alone."""

import asyncio
import random
from collections import Counter
from functools import partial
from itertools import cycle

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.proxy import Line
from tests.faults.rows.under import under
from tests.faults.world import World

LENGTHS = (0.5, 4.0)
"""How long a partition lasts, in leases."""
PAUSE = (1.0, 3.0)
LINES = (Line.SILENT, Line.DEAF, Line.DUMB, Line.SLOW, Line.CUT)


async def partitions(bench: Bench) -> None:
    """Three nodes, one of them behind a broken line at a time."""
    plan = Plan(
        "partitions",
        "postgres",
        nodes=3,
        talks=20,
        seed=bench.seed,
        within=90.0,
        # Some answers outlast a lease: who is cut off must not hear them to the end.
        pause=0.6,
        proxied=True,
        # A node that never comes back in time is as good as dead to its turns: three times is
        # poison, and a person is told so.
        reports=True,
        habits=Habits(rate=15.0),
    )
    await under(bench, plan, partial(_break, bench))


async def _break(bench: Bench, world: World, chance: random.Random) -> None:
    met: Counter[str] = Counter()
    # Each in its turn, in another order each time: chance alone leaves some out.
    lines = cycle(chance.sample(LINES, len(LINES)))
    while not world.over:
        await asyncio.sleep(chance.uniform(*PAUSE))
        number = chance.randrange(len(world.nodes))
        node, proxy = world.nodes[number], world.proxies[number]
        line = next(lines)
        world.log.write("cut_off", node=node.name, line=line)
        before = proxy.struck
        proxy.line = line
        try:
            await asyncio.sleep(world.plan.lease * chance.uniform(*LENGTHS))
        finally:
            proxy.line = Line.WHOLE
            world.log.write("joined", node=node.name)
        met[line.value] += 1
        if proxy.struck == before:
            bench.missed.append(f"nothing passed while the line of {node.name} was {line}")
    bench.told.append(f"lines broken: {dict(met)}")
