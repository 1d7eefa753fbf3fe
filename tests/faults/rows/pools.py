"""Many conversations and few connections: a pool of one or two, and a pooler with three for all."""

import asyncio
import random
from collections.abc import Mapping
from functools import partial
from itertools import cycle

import asyncpg

from tests import pgbouncer
from tests.faults import administrator as admin
from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.locks import IDLE, LOCK
from tests.faults.rows.under import LONG, under
from tests.faults.world import World
from tests.peers.log import monotonic_us

HELD = 0.5
"""Seconds for which every statement of Parley's that comes by waits, and its connection with it."""
PAUSE = (0.5, 2.0)
MOST = 1, 2
"""Connections of a node that are for anything but its lease and its hints."""
IDLE_FOR = 10.0
SETTLED = 12.0
"""Seconds after which PostgreSQL has counted what was done before."""
BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock'
"""
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


async def narrow_pools(bench: Bench) -> None:
    """Three nodes with a pool of one or two, by the seed; then three behind a small pooler."""
    most = MOST[bench.seed % len(MOST)]
    narrow = _plan(bench, {"FAULTS_POOL": str(most)})
    bench.told.append(f"each node has {most} connections for its work")
    await under(bench, narrow, partial(_hold, bench, most * narrow.nodes))
    if pgbouncer.find() is None:
        bench.missed.append("there is no PgBouncer on this machine: nothing was tried behind one")
        return
    trouble = partial(_hold_behind, bench)
    await under(bench, _plan(bench, None), trouble, before=partial(_tell_idle, bench))


def _plan(bench: Bench, environ: Mapping[str, str] | None) -> Plan:
    return Plan(
        "narrow pools",
        "postgres",
        nodes=3,
        talks=60,
        seed=bench.seed,
        within=90.0,
        pause=0.2,
        # Behind a pooler each transaction has to say for itself how it is isolated.
        settings={"default_transaction_isolation": "serializable"} if environ is None else {},
        pooler=environ is None,
        module="bot" if environ is None else "tests.faults.narrow",
        environ=environ or {},
        habits=Habits(rate=15.0),
    )


async def _hold(bench: Bench, all_of_them: int, world: World, chance: random.Random) -> None:
    """Every so often all statements wait, until nobody has a connection left to wait with."""
    full = times = 0
    async with admin.session(world.url) as connection:
        while not world.over:
            await asyncio.sleep(chance.uniform(*PAUSE))
            waiting = await _lock(world, connection, chance)
            times += 1
            full += waiting >= all_of_them
    _judge(bench, f"of {times} times everybody's pool was empty {full} times", tried=full)


async def _hold_behind(bench: Bench, world: World, chance: random.Random) -> None:
    """The same; and transactions that were idle for a moment are ended, now and then."""
    assert world.server is not None
    said = await admin.complaints(world.server)
    full = times = 0
    async with admin.session(world.url) as connection:
        await admin.watch_over(connection)
        for patience in cycle((IDLE, {}, {})):
            if world.over:
                break
            await admin.enforce(connection, patience, local=True)
            await asyncio.sleep(chance.uniform(*PAUSE))
            waiting = await _lock(world, connection, chance)
            times += 1
            full += waiting >= POOLED
        await admin.enforce(connection, {})
    bench.told.append(admin.told(await said.count(admin.RAN_OUT)))
    _judge(bench, f"of {times} times the pooler was empty {full} times", tried=full)


POOLED = 3
"""The pooler's `default_pool_size`: what all nodes have together."""


async def _lock(world: World, connection: asyncpg.Connection, chance: random.Random) -> int:
    """Lock what nothing goes on without; how many of Parley's connections waited for it."""
    table = chance.choice(("inbox", "lane"))
    since = monotonic_us()
    async with connection.transaction():
        await connection.execute(LOCK.format(table=table))
        await asyncio.sleep(HELD)
        waiting: int = await connection.fetchval(BUSY)
    world.log.write("locked", node="postgres", line=table, since=since)
    return waiting


def _judge(bench: Bench, told: str, *, tried: int) -> None:
    bench.told.append(told)
    if not tried:
        bench.missed.append("nobody ever ran out of connections")


async def _tell_idle(bench: Bench, world: World) -> None:
    """Each statement is a transaction here, and every node has nothing but its polling."""
    if bench.seconds < LONG:
        return
    async with admin.session(world.url) as connection:
        await asyncio.sleep(SETTLED)
        before, since = await connection.fetchval(COMMITS), monotonic_us()
        await asyncio.sleep(IDLE_FOR)
        made = await connection.fetchval(COMMITS) - before
    each = made / len(world.nodes) / ((monotonic_us() - since) / 1e6)
    lease = f"renewals of a lease of {world.plan.lease:g} s among them"
    bench.told.append(f"an idle node behind the pooler asks {each:.1f} times a second, {lease}")
