"""The power goes: what the disk holds at that instant opens, with all that was acknowledged.

The server is stopped for the moment of a copy, so that file and log are of one instant. What the
system had not written by then is not modelled by that; a torn copy is: the end of its log is cut
off anywhere behind the copy before, and rubbish stands there.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World
from tests.peers.log import monotonic_us

BETWEEN = (0.02, 0.15)
"""Seconds between copies."""
SALTS = slice(16, 24)
"""Where a log says which run of it this is: they change when it begins anew."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The files as they were at one instant."""

    at: int
    database: Path
    log: bytes

    def follows(self, other: "Copy") -> bool:
        """Whether its log is the other's, and what came after."""
        return self.log[SALTS] == other.log[SALTS] and len(self.log) >= len(other.log) > 0


async def power_cuts(bench: Bench) -> None:
    """Copies at random instants while messages are accepted and answered."""
    plan = Plan(
        "power cuts", "sqlite", talks=20, seed=bench.seed, habits=Habits(rate=30.0), within=90.0
    )
    await under(bench, plan, partial(_copy_again_and_again, bench))


async def _copy_again_and_again(bench: Bench, world: World, chance: random.Random) -> None:
    source, target = world.folder / "parley.db", world.folder / "copies"
    target.mkdir()
    before: Copy | None = None
    torn_ones = 0
    while not world.over:
        await asyncio.sleep(chance.uniform(*BETWEEN))
        copy = await copied(world, source, target / "copy.db")
        note = partial(look, world.folder / "copies.jsonl")
        await asyncio.to_thread(note, copy.database, copy.log, at=copy.at, torn=False)
        world.log.write("copied", node=world.node.name, since=copy.at)
        if before is not None and copy.follows(before):
            torn = _torn(before, copy, chance)
            # Behind the copy before anything may be missing, so only that one's instant counts.
            await asyncio.to_thread(note, copy.database, torn, at=before.at, torn=True)
            world.log.write("copied", node=world.node.name, since=before.at, torn=len(torn))
            torn_ones += 1
        before = copy
    bench.told.append(f"{torn_ones} of the copies had a torn log")
    if not torn_ones:
        bench.missed.append("no copy was torn: the log began anew each time")


async def copied(world: World, source: Path, target: Path) -> Copy:
    """Both files of one instant."""
    pid = world.node.pid
    # Too short to be called a freeze: nothing may go wrong because of it.
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            while not _stands(pid):  # noqa: ASYNC110  # the kernel tells nobody
                await asyncio.sleep(0)
        at = monotonic_us()
        shutil.copyfile(source, target)
        return Copy(at, target, _log_of(source))
    finally:
        os.kill(pid, signal.SIGCONT)


def _log_of(database: Path) -> bytes:
    return Path(f"{database}-wal").read_bytes()


def _stands(pid: int) -> bool:
    """Whether every thread of it is stopped."""
    stats = (task / "stat" for task in Path(f"/proc/{pid}/task").iterdir())
    return all(
        stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T" for stat in stats
    )


def _torn(before: Copy, copy: Copy, chance: random.Random) -> bytes:
    end = chance.randint(len(before.log), len(copy.log))
    return copy.log[:end] + chance.randbytes(chance.randint(0, 5000))


def look(book: Path, copy: Path, log: bytes, *, at: int, torn: bool) -> None:
    """Open a copy as a server would, and write down what is in it."""
    place = copy.with_name("opened.db")
    shutil.copyfile(copy, place)
    Path(f"{place}-wal").write_bytes(log)
    Path(f"{place}-shm").unlink(missing_ok=True)
    line: dict[str, object] = {"kind": "copy", "mono": at, "torn": torn, "held": []}
    try:
        with closing(sqlite3.connect(place)) as database:
            line["integrity"] = database.execute("PRAGMA integrity_check").fetchone()[0]
            found = database.execute("SELECT event_key FROM inbox").fetchall()
            line["held"] = [key for (key,) in found]
    except sqlite3.Error as error:
        line["integrity"] = str(error)
    with book.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
