"""PostgreSQL's own disk is full for seconds: the nodes live through it, and nothing is repeated."""

import asyncio
import os
import random
from functools import partial
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.disk import Disk, disk
from tests.faults.driver import Habits
from tests.faults.placing import folder_of
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World
from tests.peers.log import monotonic_us

MEGABYTES = 64
"""Room for the tables; the server's log stands elsewhere, or it would end with it."""
LENGTHS = (1.0, 5.0)
PAUSE = (1.0, 4.0)


async def postgres_full(bench: Bench) -> None:
    """Two nodes whose tables stand on a small disk; it is filled and freed again and again."""
    assert bench.server is not None
    home = await folder_of(bench.server)
    place = home / f"small-{bench.seed}-{monotonic_us()}"
    with disk(place, MEGABYTES, home.stat().st_uid) as small:
        if small is None:
            bench.missed.append("nothing may be mounted by this user: nothing was tried")
            return
        tables = place / "tables"
        tables.mkdir(mode=0o700)
        _give(tables, home)
        plan = Plan(
            "postgres disk full",
            "postgres",
            nodes=2,
            talks=20,
            seed=bench.seed,
            within=90.0,
            pause=0.2,
            space=tables,
            # Half of the messages bring calls and their results, which need room of their own.
            habits=Habits(rate=15.0),
        )
        await under(bench, plan, partial(_fill, bench, small), noticed=("failed",))


def _give(tables: Path, home: Path) -> None:
    """The server's user is another one than root."""
    owner = home.stat()
    os.chown(tables, owner.st_uid, owner.st_gid)


async def _fill(bench: Bench, small: Disk, world: World, chance: random.Random) -> None:
    times = struck = 0
    while not world.over:
        await asyncio.sleep(chance.uniform(*PAUSE))
        since, refused = monotonic_us(), world.driver.refused
        small.fill()
        try:
            await asyncio.sleep(chance.uniform(*LENGTHS))
        finally:
            small.free()
        met = world.driver.refused - refused
        world.log.write("filled" if met else "note", node="postgres", since=since, refused=met)
        times += 1
        struck += met > 0
    bench.told.append(f"the disk was full {times} times, and somebody was refused {struck} times")
    if not struck:
        bench.missed.append("no delivery met the full disk")
