"""The power goes: what the disk holds at that instant opens, with all that was acknowledged.

The server is stopped for the moment of a copy, so that file and log are of one instant, and each
time they are copied twice: as they were written, and as a cut of the power would leave them, which
is what syncs have surely brought to the disk. Between these two stands a third: of what no sync
has brought there each sector is on the disk, or is not. And where the log has only grown since the
copy before, its end is cut off anywhere behind that one, and rubbish stands there.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.ioswitch import PAGES, twin_of
from tests.faults.iovfs import found_vfs
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World
from tests.peers.log import monotonic_us

LEASE = 15.0
BETWEEN = (0.02, 0.15)
"""Seconds between copies."""
OFTEN = 1000
"""Pages of log after which it is copied into the file: several times in a run, and not so often
that it begins anew between any two copies."""
SECTOR = 512
"""Bytes that a disk writes all together or not at all."""
HEAD, SALTS = 32, slice(16, 24)
"""A log's own head, and where it says which run of it this is: they change when it begins anew."""
FRAME = 24 + 4096
"""Bytes of one page in a log, with what stands before it."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The files as they were at one instant."""

    at: int
    database: Path
    log: bytes

    @property
    def length(self) -> int:
        """Bytes of the log that are of this run; what an older one has left stands behind them."""
        end = HEAD
        while end + FRAME <= len(self.log) and self._run_at(end) == self.log[SALTS]:
            end += FRAME
        return end

    def follows(self, other: "Copy") -> bool:
        """Whether its log is the other's, and what came after."""
        return self.log[SALTS] == other.log[SALTS] and self.length >= other.length > HEAD

    def _run_at(self, frame: int) -> bytes:
        return self.log[frame + 8 : frame + 16]


async def power_cuts(bench: Bench) -> None:
    """Copies at random instants while messages are accepted and answered."""
    if found_vfs() is None:
        bench.missed.append("this Python hides the names of its SQLite: nobody saw what is synced")
        return
    plan = Plan(
        "power cuts",
        "sqlite",
        talks=20,
        seed=bench.seed,
        habits=Habits(rate=30.0),
        # Copying files and syncing them keeps the disk busy: nobody here is to lose a lease by it.
        lease=LEASE,
        within=90.0,
        module="tests.faults.ioerrors",
        environ={PAGES: str(OFTEN)},
    )
    await under(bench, plan, partial(_copy_again_and_again, bench))


async def _copy_again_and_again(bench: Bench, world: World, chance: random.Random) -> None:
    source, folder = world.folder / world.plan.database, world.folder / "copies"
    folder.mkdir()
    before: Copy | None = None
    counts: Counter[str] = Counter()
    while not world.over:
        await asyncio.sleep(chance.uniform(*BETWEEN))
        # The copy before is still needed.
        written = folder / f"written-{counts['written'] % 2}.db"
        copy, synced = await copied(world, (source, written), (twin_of(source), folder / "cut.db"))
        await _note(world, counts, "written", copy)
        await _note(world, counts, "synced", synced)
        if (mixed := await asyncio.to_thread(_mixed, synced, copy, chance)) is not None:
            await _note(world, counts, "mixed", mixed)
        if before is not None and copy.follows(before):
            await _note(world, counts, "torn", _torn(before, copy, chance))
        before = copy
    bench.told.append(f"copies: {dict(counts)}")
    bench.counts.update({f"{kind} copies": number for kind, number in counts.items()})
    if not counts["torn"]:
        bench.missed.append("no copy was torn: the log began anew each time")


async def _note(world: World, counts: Counter[str], kind: str, copy: Copy) -> None:
    counts[kind] += 1
    book = world.folder / "copies.jsonl"
    torn = kind in ("mixed", "torn")
    await asyncio.to_thread(look, book, copy.database, copy.log, at=copy.at, torn=torn)
    world.log.write("copied", node=world.node.name, since=copy.at, how=kind)


async def copied(world: World, *files: tuple[Path, Path]) -> list[Copy]:
    """Each of these databases to its place, with the logs beside them, all of one instant."""
    pid = world.node.pid
    # Too short to be called a freeze: nothing may go wrong because of it.
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            while not _stands(pid):  # noqa: ASYNC110  # the kernel tells nobody
                await asyncio.sleep(0)
        at = monotonic_us()
        for source, target in files:
            shutil.copyfile(source, target)
        return [Copy(at, target, _log_of(source)) for source, target in files]
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


def _mixed(synced: Copy, written: Copy, chance: random.Random) -> Copy | None:
    """Both as one disk may have them; None where there is nothing that waits for a sync."""
    have, wrote = synced.database.read_bytes(), written.database.read_bytes()
    if have[: len(wrote)] == wrote and synced.log[: len(written.log)] == written.log:
        return None
    database = synced.database.with_name("mixed.db")
    database.write_bytes(_by_sector(have, wrote, chance))
    return Copy(synced.at, database, _by_sector(synced.log, written.log, chance))


def _by_sector(have: bytes, wrote: bytes, chance: random.Random) -> bytes:
    found = bytearray(have[: len(wrote)].ljust(len(wrote), b"\0"))
    for at in range(0, len(wrote), SECTOR):
        place = slice(at, at + SECTOR)
        if found[place] != wrote[place] and chance.random() < 0.5:
            found[place] = wrote[place]
    return bytes(found)


def _torn(before: Copy, copy: Copy, chance: random.Random) -> Copy:
    """Behind the copy before anything may be missing, so only that one's instant counts.

    What the file has got out of the log since then it would not have without a sync of the log.
    """
    end = chance.randint(before.length, copy.length)
    log = copy.log[:end] + chance.randbytes(chance.randint(0, 5000))
    return Copy(before.at, before.database, log)


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
