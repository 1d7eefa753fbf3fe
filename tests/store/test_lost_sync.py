"""A sync of SQLite's file that fails loses pages for good: nobody may go on as if it had not."""

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.store.sqlite_writer import LOST
from tests.faults.disk import integrity_of
from tests.faults.ioswitch import twin_of

pytestmark = [pytest.mark.slow, pytest.mark.vfs]

ROOT = Path(__file__).parents[2]
LONG = 60


async def test_it_ends_although_its_errors_go_to_a_disk_that_fails_as_well(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.store.losing", str(tmp_path)), cwd=ROOT, stderr=full
    )
    os.close(full)
    async with asyncio.timeout(LONG):
        assert await process.wait() == LOST
    assert integrity_of(twin_of(tmp_path / "w.db")) == "ok"


async def _losing(folder: Path, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.store.losing", str(folder), *words),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LONG):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_a_power_cut_after_a_sync_that_failed_leaves_a_whole_database(tmp_path: Path) -> None:
    code, said = await _losing(tmp_path)
    left = twin_of(tmp_path / "w.db")
    assert integrity_of(left) == "ok"
    assert code == LOST
    assert "fsync failed" in said
    with closing(sqlite3.connect(left)) as db:
        (rows,) = db.execute("SELECT count(*) FROM t").fetchone()
    assert rows


async def test_nobody_starts_on_a_log_that_does_not_reach_the_disk(tmp_path: Path) -> None:
    code, said = await _losing(tmp_path, "start")
    assert code == 0
    assert said == "the disk does not keep what is written to it (fsync failed)\n"


async def test_what_is_said_to_be_stored_is_there_after_a_power_cut(tmp_path: Path) -> None:
    code, _ = await _losing(tmp_path, "keep")
    assert code == 0
    with closing(sqlite3.connect(twin_of(tmp_path / "w.db"))) as db:
        assert db.execute("SELECT count(*) FROM t").fetchone() == (1,)
