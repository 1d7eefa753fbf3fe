"""SQLite's disk is full for seconds, its files may not grow or not be written: it lives through it.

An odd seed stands on a small disk that is filled, an even one on files that are made read-only; in
between both have files that may not grow.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.disk import (
    Disk,
    disk,
    empty_log,
    events_in,
    integrity_of,
    kept_short,
    may_protect,
    write_protected,
)
from tests.faults.driver import Habits
from tests.faults.node import Node
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World
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
Kinds = Mapping[str, Callable[[World], AbstractAsyncContextManager[None]]]
"""What goes wrong, by the name under which it is counted."""


async def disk_full(bench: Bench) -> None:
    """Full and free again, kept short and free again, while people go on writing."""
    async with _on_a_disk(bench, bench.missed) as kinds:
        await under(bench, plan_of(bench), partial(_trouble, bench, kinds))


async def full_once(bench: Bench) -> None:
    """Each of what can be done here once, with messages that come just then, nothing at random."""
    async with _on_a_disk(bench, bench.told) as kinds, bench.world(plan_of(bench)) as world:
        await world.start()
        for kind, trouble in kinds.items():
            async with _striking(world, kind), trouble(world):
                await _write_until_refused(world)
                await _note(world)
            if not await world.settle():
                bench.failed.append("no answer after there was room again")
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
async def _on_a_disk(bench: Bench, lacking: list[str]) -> AsyncGenerator[Kinds, None]:
    """The world that is made next stands on it; at the end its file is looked through.

    `lacking` is told what cannot be done here.
    """
    world = bench.folder / f"world-{len(bench.folders) + 1}"
    with ExitStack() as stack:
        yield _kinds(bench.seed, world / PLACE.parent, stack, lacking)
        database = world / PLACE
        _write(world, events_in(database), integrity_of(database))
    bench.told.append(_told(bench, world))


def _kinds(seed: int, folder: Path, stack: ExitStack, lacking: list[str]) -> Kinds:
    """What can be done to a disk here; what nobody has to be root for is always done."""
    if seed % 2 == 0:
        folder.mkdir(parents=True)
        if may_protect(folder):
            return {"write_protected": _protected, "limited": _limited}
        lacking.append("this user, or this file system, cannot make open files read-only")
        return {"limited": _limited}
    small = stack.enter_context(disk(folder, MEGABYTES))
    if small is None:
        lacking.append("nothing may be mounted by this user: the disk was never full")
        return {"limited": _limited}
    return {"filled": partial(_filled, small), "limited": _limited}


def _told(bench: Bench, world: Path) -> str:
    """How the deliveries ended."""
    with (world / "driver.jsonl").open(encoding="utf-8") as lines:
        ends = Counter(json.loads(line).get("status") for line in lines)
    del ends[None]
    if not ends[NO_ROOM]:
        bench.missed.append("no delivery met the full disk")
    return f"deliveries by status: {dict(ends.most_common())}"


async def _trouble(bench: Bench, kinds: Kinds, world: World, chance: random.Random) -> None:
    times: Counter[str] = Counter()
    struck: Counter[str] = Counter()
    in_turn = cycle(kinds.items())
    while not world.over:
        await asyncio.sleep(chance.uniform(*PAUSE))
        kind, trouble = next(in_turn)
        async with _striking(world, kind, struck), trouble(world):
            await asyncio.sleep(chance.uniform(*LENGTHS))
            await _note(world)
        times[kind] += not world.over  # when nobody writes any more, nobody is refused
    bench.told.append(f"deliveries were refused in {dict(struck)} of {dict(times)}")
    if lacking := {kind for kind in times if times[kind] and not struck[kind]}:
        bench.missed.append(f"no delivery was ever refused while {', '.join(sorted(lacking))}")


@asynccontextmanager
async def _striking(
    world: World, kind: str, struck: Counter[str] | None = None
) -> AsyncGenerator[None, None]:
    """A fault counts when somebody was refused because of it."""
    since, refused = monotonic_us(), world.driver.refused
    try:
        yield
    finally:
        refused = world.driver.refused - refused
        name = world.node.name
        world.log.write(kind if refused else "note", node=name, since=since, refused=refused)
        if refused and struck is not None:
            struck[kind] += 1


@asynccontextmanager
async def _filled(small: Disk, world: World) -> AsyncGenerator[None, None]:
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
    with kept_short(node.pid, ledger + MORE):
        await asyncio.to_thread(empty_log, world.folder / PLACE)
        yield
    world.log.write("note", node=node.name, text="may grow again")


@asynccontextmanager
async def _protected(world: World) -> AsyncGenerator[None, None]:
    database = world.folder / PLACE
    with write_protected([database, Path(f"{database}-wal")]):
        yield
    world.log.write("note", node=world.node.name, text="may be written again")


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
