"""A copy of the file and its log, taken at any instant, holds every message that was accepted."""

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.address import Address
from bot.store.sqlite import SqliteStore
from tests.contracts.worlds import World, sqlite_world

COPIES = 25
WRITERS = 8


@pytest.mark.slow
async def test_every_copy_opens_and_holds_what_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(7)
    acknowledged: set[str] = set()
    done = asyncio.Event()
    async with (
        sqlite_world(tmp_path / "live") as world,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):
        for n in range(WRITERS):
            group.create_task(_write(world, n, acknowledged, done))
        for copy in range(COPIES):
            for _ in range(chance.randrange(1, 6)):
                await world.accept()
            if copy % 8 == 7:
                await _checkpoint(world)
            # Whatever is known now must be in the copy; the writers go on meanwhile.
            before = frozenset(acknowledged)
            await asyncio.to_thread(_copy, tmp_path / "live", tmp_path / str(copy))
            assert before <= _keys(tmp_path / str(copy) / "parley.db")
            shutil.rmtree(tmp_path / str(copy))
        done.set()
    assert len(acknowledged) > COPIES


async def _write(world: World, n: int, acknowledged: set[str], done: asyncio.Event) -> None:
    address = Address("telegram", "1", str(n))
    count = 0
    while not done.is_set():
        count += 1
        inbound = world.inbound(f"message {count}", key=f"{n}:{count}", address=address)
        await world.accept(inbound)
        acknowledged.add(inbound.event_key)


async def _checkpoint(world: World) -> None:
    assert isinstance(world.store, SqliteStore)
    await world.store._writer.run(
        lambda db: db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall(), alone=True
    )


def _copy(live: Path, target: Path) -> None:
    """As the disk would be: the log grows at its end only, the file only in a checkpoint."""
    target.mkdir()
    shutil.copyfile(live / "parley.db", target / "parley.db")
    shutil.copyfile(live / "parley.db-wal", target / "parley.db-wal")


def _keys(copy: Path) -> set[str]:
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {key for (key,) in db.execute("SELECT event_key FROM inbox").fetchall()}
