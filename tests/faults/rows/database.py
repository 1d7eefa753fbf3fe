"""PostgreSQL itself: stopped at once and started again, connections ended, none left to have."""

import asyncio
import random
from contextlib import AsyncExitStack

import asyncpg

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.under import Trouble, under
from tests.faults.world import World
from tests.peers.log import monotonic_us

END_ONE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'parley' AND datname = current_database()
ORDER BY random() LIMIT $1
"""


async def immediate_restarts(bench: Bench) -> None:
    """The server is stopped without a word to anybody, and comes back after up to two seconds."""
    await _under(bench, "immediate restarts", _restart, reports=True)


async def ended_connections(bench: Bench) -> None:
    """An administrator ends connections while statements run on them."""
    await _under(bench, "ended connections", _end_connections, reports=False)


async def exhausted_server(bench: Bench) -> None:
    """Somebody else has all connections that the server gives; ours are ended on top."""
    await _under(bench, "exhausted server", _exhaust, reports=True)


async def _under(bench: Bench, row: str, trouble: Trouble, *, reports: bool) -> None:
    plan = Plan(
        row,
        "postgres",
        nodes=3,
        talks=20,
        seed=bench.seed,
        within=90.0,
        pause=0.2,
        reports=reports,
        habits=Habits(rate=15.0),
    )
    await under(bench, plan, trouble, noticed=("failed",) if row != "ended connections" else ())


async def _restart(world: World, chance: random.Random) -> None:
    assert world.server is not None
    while not world.over:
        await asyncio.sleep(chance.uniform(4.0, 12.0))
        world.log.write("restarted", node="postgres")
        await _crash(world, chance.uniform(0.0, 2.0))


async def _crash(world: World, pause: float) -> None:
    assert world.server is not None
    await asyncio.to_thread(world.server.crash)
    await asyncio.sleep(pause)
    await asyncio.to_thread(world.server.start)


async def _end_connections(world: World, chance: random.Random) -> None:
    while not world.over:
        await asyncio.sleep(chance.uniform(0.05, 0.6))
        await _end(world, chance.randint(1, 5))


async def _end(world: World, number: int) -> None:
    connection = await asyncpg.connect(world.url, ssl=False, timeout=10)
    try:
        # Written down first: what it does to a send may be seen before it says what it did.
        entry = world.log.write("note", node="postgres", text="ending connections")
        ended = await connection.fetch(END_ONE.replace("$1", str(number)), timeout=10)
    finally:
        await connection.close(timeout=10)
    if any(done for (done,) in ended):
        world.log.write("terminated", node="postgres", connections=len(ended), since=entry.mono)


async def _exhaust(world: World, chance: random.Random) -> None:
    while not world.over:
        await asyncio.sleep(chance.uniform(2.0, 4.0))
        async with AsyncExitStack() as stack:
            await _end(world, 30)
            since = monotonic_us()
            taken = await _take_all(world, stack)
            await asyncio.sleep(chance.uniform(0.5, 3.0))
            world.log.write("exhausted", node="postgres", taken=taken, since=since)


async def _take_all(world: World, stack: AsyncExitStack) -> int:
    taken = 0
    while True:
        try:
            connection = await asyncpg.connect(world.url, ssl=False, timeout=10)
        except asyncpg.PostgresError:
            return taken
        stack.push_async_callback(connection.close, timeout=10)
        taken += 1
