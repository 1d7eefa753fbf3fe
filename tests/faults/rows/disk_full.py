"""SQLite's disk is full for seconds, or its files may not grow; the server lives through it."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.disk import Disk, disk, empty_log, events_in, integrity_of, kept_short
from tests.faults.driver import Habits
from tests.faults.node import Node
from tests.faults.rows.under import under
from tests.faults.world import Plan, World
from tests.peers.log import monotonic_us

MEGABYTES = 48
"""Room for the file and for a write-ahead log of its usual length."""
PLACE = Path("disk") / "parley.db"
LENGTHS = (1.0, 6.0)
PAUSE = (1.0, 4.0)
MORE = 1 << 16
"""Bytes by which the ledger of the tools may still grow where the database may not."""
REFUSED = 20
"""Deliveries after whose refusal it is clear that the disk is full."""
NO_ROOM = 503
TAKEN = (200, NO_ROOM, 0)
"""What a delivery may end with; 0: the platform did not wait any longer."""


async def disk_full(bench: Bench) -> None:
    """Full and free again, kept short and free again, while people go on writing."""
    async with _on_a_disk(bench) as small:
        await under(bench, plan_of(bench), partial(_trouble, bench, small))


async def full_once(bench: Bench) -> None:
    """Each of both once, with messages that come just then, and nothing at random."""
    async with _on_a_disk(bench) as small, bench.world(plan_of(bench)) as world:
        await world.start()
        for trouble in (_filled(world, small), _limited(world)):
            async with trouble:
                await _write_until_refused(world)
                await _note(world)
            if not await world.settle(40.0):
                bench.missed.append("no answer after there was room again")
        await world.finish()


async def _write_until_refused(world: World) -> None:
    """What is still room for is taken in; what comes after it is not."""
    refused = world.driver.refused
    async with asyncio.timeout(20):
        for talk in cycle(world.talks):
            if world.driver.refused >= refused + REFUSED:
                return
            world.driver.begin(talk, "look stamp")
            await asyncio.sleep(0.02)


def plan_of(bench: Bench) -> Plan:
    """One process, its data on a disk of its own."""
    return Plan(
        "disk full",
        "sqlite",
        # Everybody is answered at once when there is room again, on connections that then rest.
        talks=20,
        seed=bench.seed,
        pause=0.2,
        database=str(PLACE),
        habits=Habits(rate=15.0),
    )


@asynccontextmanager
async def _on_a_disk(bench: Bench) -> AsyncGenerator[Disk | None, None]:
    """The world that is made next stands on it; at the end its file is looked through."""
    world = bench.folder / f"world-{len(bench.folders) + 1}"
    with disk(world / PLACE.parent, MEGABYTES) as small:
        if small is None:
            bench.missed.append("nothing may be mounted by this user: the disk was never full")
        yield small
        database = world / PLACE
        _write(world, events_in(database), integrity_of(database))
    bench.told.append(_told(bench, world))


def _told(bench: Bench, world: Path) -> str:
    """How the deliveries ended."""
    with (world / "driver.jsonl").open(encoding="utf-8") as lines:
        ends = Counter(json.loads(line).get("status") for line in lines)
    del ends[None]
    if strange := {status: ends[status] for status in ends if status not in TAKEN}:
        bench.missed.append(f"deliveries ended with {strange}")
    if not ends[NO_ROOM]:
        bench.missed.append("no delivery met the full disk")
    return f"deliveries by status: {dict(ends.most_common())}"


async def _trouble(bench: Bench, small: Disk | None, world: World, chance: random.Random) -> None:
    pid = world.node.pid
    number = 0
    while not world.over:
        await asyncio.sleep(chance.uniform(*PAUSE))
        number += 1
        trouble = _filled(world, small) if number % 2 else _limited(world)
        async with trouble:
            await asyncio.sleep(chance.uniform(*LENGTHS))
            await _note(world)
    if not world.node.alive or world.node.pid != pid:
        bench.missed.append("the server did not live through it")


@asynccontextmanager
async def _filled(world: World, small: Disk | None) -> AsyncGenerator[None, None]:
    if small is None:
        yield
        return
    world.log.write("filled", node=world.node.name)
    await asyncio.to_thread(empty_log, small.folder / PLACE.name)
    small.fill()
    keeping = asyncio.create_task(_keep_full(small))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        small.free()
        world.log.write("note", node=world.node.name, text="room again")


async def _keep_full(small: Disk) -> None:
    """A log that begins anew gives room back: not now."""
    while True:
        small.fill()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _limited(world: World) -> AsyncGenerator[None, None]:
    node: Node = world.node
    ledger = node.ledger.stat().st_size if node.ledger.exists() else 0
    world.log.write("limited", node=node.name)
    with kept_short(node.pid, ledger + MORE):
        await asyncio.to_thread(empty_log, world.folder / PLACE)
        yield
    world.log.write("note", node=node.name, text="may grow again")


async def _note(world: World) -> None:
    """What is on the disk while it is full: all that was acknowledged."""
    at = monotonic_us()
    held = await asyncio.to_thread(events_in, world.folder / PLACE)
    _write(world.folder, held, "ok", at)


def _write(world: Path, held: list[str], integrity: str, at: int | None = None) -> None:
    mono = monotonic_us() if at is None else at
    line = {"kind": "copy", "mono": mono, "torn": False, "integrity": integrity, "held": held}
    with (world / "copies.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
