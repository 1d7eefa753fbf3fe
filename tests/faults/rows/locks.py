"""Locks that others hold, and what comes of them: time-outs, cancelled statements, deadlocks."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import cycle

import asyncpg

from tests.faults import administrator as admin
from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World
from tests.peers.log import monotonic_us

HELD = (0.3, 6.0)
"""Seconds for which somebody else holds a lock: up to three leases."""
PAUSE = (0.3, 1.5)
SOON = 0.4
"""Seconds in which some statement of Parley's stands at a lock."""

CROSSED, LOOK = 0.2, "400ms"
"""Seconds between the two locks of ours that cross theirs; who waits for one looks once, after so
long, whether he is in a deadlock."""

SHORT: tuple[dict[str, str], ...] = (
    {"lock_timeout": "200ms"},
    {"statement_timeout": "200ms"},
    {},
)
"""What sessions are given to wait with; nothing: what they have given themselves."""
IDLE = {"idle_in_transaction_session_timeout": "1ms"}
OURS = {"lock_timeout": "200ms", "statement_timeout": "1s"}
"""Of the database: what connects to it has them, unless it says something else itself."""

LOCK = 'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE'
SOME_LANES = "SELECT conversation_id FROM lane ORDER BY random() LIMIT {number} FOR UPDATE"
CANCEL = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND application_name <> 'administrator'
ORDER BY random() LIMIT 5
"""
FIRST_ROWS = """
SELECT conversation_id FROM {table} WHERE conversation_id IN (
  SELECT conversation_id FROM lane WHERE node IS NOT NULL OR wake_at IS NOT NULL)
FOR UPDATE
"""
THEIR_LANES = "SELECT FROM lane WHERE conversation_id = ANY ($1::bigint[]) FOR UPDATE"


async def locked(bench: Bench) -> None:
    """An administrator's locks on tables and lanes, with and without limits to waiting for them."""
    await under(bench, _plan(bench, "locked", OURS), partial(_lock, bench), noticed=("failed",))


async def serializable(bench: Bench) -> None:
    """Sessions that were made serialisable, whatever Parley says, and deadlocks on top."""
    level = "serializable" if bench.seed % 2 else "repeatable read"
    ours = {"default_transaction_isolation": level, "deadlock_timeout": LOOK}
    trouble = partial(_conflict, bench, level)
    await under(bench, _plan(bench, "serializable", ours), trouble, noticed=("failed",))


def _plan(bench: Bench, row: str, settings: Mapping[str, str]) -> Plan:
    return Plan(
        row,
        "postgres",
        nodes=3,
        talks=20,
        seed=bench.seed,
        within=90.0,
        pause=0.2,
        settings=settings,
        habits=Habits(rate=15.0),
    )


@asynccontextmanager
async def _counted(
    bench: Bench, world: World, states: tuple[str, ...]
) -> AsyncGenerator[asyncpg.Connection, None]:
    """With a session whose settings reach Parley's; afterwards, how often it was refused."""
    assert world.server is not None
    said = await admin.complaints(world.server)
    async with admin.session(world.url) as connection:
        await admin.watch_over(connection)
        yield connection
        await admin.enforce(connection, {})
    found = await said.count(states)
    bench.told.append(admin.told(found))
    bench.missed.extend(f"nobody was ever told {one}" for one in states if not found[one])


# ---- locks, and limits to waiting for them -------------------------------------------------


async def _lock(bench: Bench, world: World, chance: random.Random) -> None:
    async with _counted(bench, world, ("55P03", "57014")) as connection:
        limits = chance.sample(SHORT, len(SHORT))
        # First each of them for a moment, where it is met for certain.
        for limit in limits:
            await admin.enforce(connection, limit)
            await asyncio.sleep(PAUSE[0])
            await _hold(world, LOCK.format(table="lane"), "lane", SOON, chance)
        for limit in cycle(limits):
            if world.over:
                return
            await admin.enforce(connection, limit)
            await asyncio.sleep(chance.uniform(*PAUSE))
            await _hold(world, *_choose(chance), chance.uniform(*HELD), chance)


def _choose(chance: random.Random) -> tuple[str, str]:
    """Half of the time something that nothing goes on without; and what is locked as a whole."""
    if chance.random() < 0.3:
        return SOME_LANES.format(number=chance.randint(1, 30)), ""
    table = chance.choice(admin.WRITTEN if chance.random() < 0.5 else admin.TABLES)
    return LOCK.format(table=table), table


async def _hold(world: World, what: str, table: str, seconds: float, chance: random.Random) -> None:
    """Hold it so long; who waits for it may be told that nobody waits any more."""
    async with admin.session(world.url) as connection, connection.transaction():
        await connection.execute(what)
        since = monotonic_us()
        left = seconds
        while left > 0 and not world.over:
            await asyncio.sleep(min(SOON, left))
            left -= SOON
            if chance.random() < 0.2:
                await connection.execute(CANCEL)
        # Before it is free: while nobody can write to `node`, no lease lasts longer than one.
        world.log.write("locked", node="postgres", line=table, since=since)


# ---- conflicts -----------------------------------------------------------------------------


async def _conflict(bench: Bench, level: str, world: World, chance: random.Random) -> None:
    bench.told.append(f"every session is {level}, now and then")
    async with _counted(bench, world, admin.CONFLICTS) as connection:
        while not world.over:
            forced = chance.random() < 0.7
            await admin.enforce(
                connection, {"default_transaction_isolation": level} if forced else {}
            )
            await asyncio.sleep(chance.uniform(*PAUSE))
            since = monotonic_us()
            await _cross(world, chance)
            world.log.write("conflicted", node="postgres", since=since)


async def _cross(world: World, chance: random.Random) -> None:
    """Take what a statement of Parley's takes last, and then, as it waits for it, the first.

    Each of those waits for us and has what we want: all of them are victims, one by one.
    """
    table = chance.choice(("inbox", "turn", "outbox"))
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(admin.session(world.url))
        await stack.enter_async_context(connection.transaction())
        if chance.random() < 0.5:
            await connection.execute(LOCK.format(table=table))
            await asyncio.sleep(CROSSED)
            await connection.execute(LOCK.format(table="lane"))
            return
        rows = await connection.fetch(FIRST_ROWS.format(table=table))
        await asyncio.sleep(CROSSED)
        await connection.execute(THEIR_LANES, [where for (where,) in rows])
