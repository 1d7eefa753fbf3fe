"""SQLite's disk has errors: reads, writes and syncs of the file and of its log fail for a while.

What a sync that failed should have brought to the disk is lost there for good unless it is written
again, as it is on Linux: at random instants the server is stopped, and what a power cut would leave
is looked through. A server whose file has lost something ends itself, and is started again; nothing
else may end it.
"""

import asyncio
import json
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.ioswitch import Call, Place, Switch, twin_of
from tests.faults.iovfs import found_vfs
from tests.faults.plan import Plan
from tests.faults.rows.power_cut import copied, look
from tests.faults.rows.under import under
from tests.faults.world import World
from tests.peers.log import monotonic_us

LENGTHS = (0.2, 3.0)
PAUSE = (0.2, 1.0)
ONCE = 0.3
"""The part of the strikes that is one single error."""
PATIENCE = 3.0
"""Seconds in which one comes, if anything is done on the disk at all."""
CUTS = 0.5
"""The part of the strikes after which the power is cut."""
READING = 1.0
"""Seconds in which people write so much that the log is copied meanwhile."""
LOST = 74
"""The exit code of a server whose file has lost something."""
PLACES = ((Place.DATABASE,), (Place.LOG,), tuple(Place))
MORE, FEW = 9, 20
"""Strikes at most after a short run, and messages that meet each of them."""


async def disk_errors(bench: Bench) -> None:
    """Each call and each file in turn, once or for up to three seconds, while people write."""
    if found_vfs() is None:
        bench.missed.append("this Python hides the names of its SQLite: no call could be broken")
        return
    await under(bench, plan_of(bench), partial(_trouble, bench), may_end=(LOST,))
    world = bench.folders[-1]
    copy = partial(look, world / "copies.jsonl", world / "parley.db")
    await asyncio.to_thread(copy, b"", at=monotonic_us(), torn=False)
    bench.told.append(_told(world))


def plan_of(bench: Bench) -> Plan:
    """One process, and SQLite's calls wrapped in it."""
    return Plan(
        "disk errors",
        "sqlite",
        talks=20,
        seed=bench.seed,
        pause=0.2,
        within=90.0,
        module="tests.faults.ioerrors",
        habits=Habits(rate=15.0),
    )


async def _trouble(bench: Bench, world: World, chance: random.Random) -> None:
    switch = Switch(world.node.switch)
    (world.folder / "copies").mkdir()
    came: Counter[str] = Counter()
    since_start: Counter[str] = Counter()
    ends = 0
    async for call, places in _strikes(world, came, chance):
        if call is Call.SYNC and Place.DATABASE in places:
            # Behind a reader the log is copied in part, and what is copied so is not synced.
            async with _reading(world.folder / "parley.db"):
                await asyncio.sleep(READING)
        struck = await _strike(world, switch, (call, places), chance)
        came += struck
        since_start += struck
        if world.node.alive and chance.random() < CUTS:
            await _cut(world)
        if not world.node.alive:
            ends += 1
            await _start_again(bench, world, since_start)
            since_start.clear()
    bench.told.append(f"errors that came: {dict(came)}; the server ended itself {ends} times")
    if lacking := _lacking(came):
        bench.missed.append(f"none of these ever failed: {', '.join(lacking)}")


async def _strikes(
    world: World, came: Counter[str], chance: random.Random
) -> AsyncGenerator[tuple[Call, Sequence[Place]], None]:
    """As long as people write; and then what a short run has not come to, while a few go on."""
    more = 0
    for call, places in _kinds(chance):
        if not world.over:
            await asyncio.sleep(chance.uniform(*PAUSE))
            yield call, places
        elif more == MORE or not _lacking(came):
            return
        elif call.name.lower() in _lacking(came):
            more += 1
            writing = asyncio.create_task(world.driver.run(FEW))
            yield call, places
            await writing


def _lacking(came: Counter[str]) -> list[str]:
    calls = [call.name.lower() for call in Call]
    return [call for call in calls if not any(kind.startswith(call) for kind in came)]


@asynccontextmanager
async def _reading(database: Path) -> AsyncGenerator[None, None]:
    """Somebody reads what the file and the log held just now, as a backup does."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as db:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM inbox").fetchall()
        yield


async def _start_again(bench: Bench, world: World, struck: Counter[str]) -> None:
    """It ends because a sync failed while the log was copied into the file, and never otherwise."""
    code = await world.node.gone(within=60.0)
    world.log.write("fault", node=world.node.name, ended=code)
    if code != LOST or not any(kind.startswith("sync") for kind in struck):
        bench.failed.append(f"the server ended with {code} after {dict(struck)}")
    await world.node.start()


def _kinds(chance: random.Random) -> Iterator[tuple[Call, Sequence[Place]]]:
    """Each call in each round, so that a short run has all three."""
    while True:
        for places in chance.sample(PLACES, len(PLACES)):
            for call in chance.sample(tuple(Call), len(Call)):
                yield call, places


async def _strike(
    world: World, switch: Switch, kind: tuple[Call, Sequence[Place]], chance: random.Random
) -> Counter[str]:
    """What came of it; a strike counts when a call of SQLite really failed."""
    call, places = kind
    since, before, refused = monotonic_us(), switch.counts(), world.driver.refused
    once = chance.random() < ONCE
    switch.set([call], places, once=once)
    try:
        if once:
            await _wait_for_one(switch, before)
        else:
            await asyncio.sleep(chance.uniform(*LENGTHS))
    finally:
        switch.off()
    came = switch.counts() - before
    told = {"since": since, "errors": dict(came), "once": once}
    told["refused"] = world.driver.refused - refused
    world.log.write("io_failed" if came else "note", node=world.node.name, **told)
    return came


async def _wait_for_one(switch: Switch, before: Counter[str]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while switch.counts() == before:  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.02)


async def _cut(world: World) -> None:
    """What a power cut would leave just now: only what syncs have brought to the disk."""
    durable = twin_of(world.folder / world.plan.database)
    # A server may end itself in this very moment.
    with suppress(ProcessLookupError, FileNotFoundError):
        (copy,) = await copied(world, (durable, world.folder / "copies" / "copy.db"))
        note = partial(look, world.folder / "copies.jsonl", copy.database, copy.log, at=copy.at)
        await asyncio.to_thread(note, torn=False)
        world.log.write("copied", node=world.node.name, since=copy.at)


def _told(world: Path) -> str:
    """How the deliveries ended, and how many cuts of the power were looked at."""
    with (world / "driver.jsonl").open(encoding="utf-8") as lines:
        ends = Counter(json.loads(line).get("status") for line in lines)
    del ends[None]
    return f"deliveries by status: {dict(ends.most_common())}"
