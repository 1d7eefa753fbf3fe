"""What was deleted leaves the file when that is written anew; until then nobody waits for it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.domain.message import Kind
from bot.domain.records import Claim, Retention
from bot.domain.sentences import sentence
from bot.errors import PartlyDone
from bot.ports import Store
from bot.store.sqlite import SqliteStore
from bot.store.sqlite_copying import room_lacking
from tests.contracts.worlds import CHAT, HERE, World
from tests.engine.house import House, ScriptedModel
from tests.fakes import FakeClock
from tests.needs import ROOT
from tests.store.traces import MARKER, traces

RULES = Retention(7 * 86400.0, 90 * 86400.0)
MUCH = 10**15


@dataclass
class Disk:
    """As much room is left as a test says."""

    room: int = MUCH

    def __call__(self, folder: Path) -> int:
        return self.room


@asynccontextmanager
async def world_on(folder: Path, disk: Disk) -> AsyncIterator[World]:
    clock = FakeClock()
    store = SqliteStore(folder / "parley.db", clock, free=disk)
    await store.open()

    async def age(seconds: float) -> None:
        clock.advance(seconds)

    async def another() -> SqliteStore:
        return store

    try:
        yield World(store, age, clock.now, another)
    finally:
        await store.close()


async def talk(world: World) -> Claim:
    """So much that a page splits and leaves copies behind."""
    claim = await world.claimed()
    for n in range(12):
        await world.accept(world.inbound(f"{MARKER} question {n} " + "filler " * n * 20))
        await world.answered(claim, f"{MARKER} answer")
    return claim


def written_anew(store: Store) -> list[str]:
    """Each time from here on that somebody tries to."""
    assert isinstance(store, SqliteStore)
    seen: list[str] = []

    def look(statement: str) -> None:
        if statement == "VACUUM":
            seen.append(statement)

    store._writer.post(lambda db: db.set_trace_callback(look))
    return seen


def break_rewriting(store: Store, *, broken: bool = True) -> None:
    """A file is copied into one that is attached to it for as long."""
    assert isinstance(store, SqliteStore)

    def ask(action: int, *about: str | None) -> int:
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK

    store._writer.post(lambda db: db.set_authorizer(ask if broken else None))


async def test_without_room_for_a_copy_the_file_is_written_anew_as_soon_as_there_is(
    tmp_path: Path,
) -> None:
    disk = Disk(room=1000)
    async with world_on(tmp_path, disk) as world:
        claim = await talk(world)
        tries = written_anew(world.store)
        with pytest.raises(PartlyDone, match=r"make room, .* MB in "):
            await world.store.forget(claim, None)
        assert await world.said(claim.conversation) == []
        with pytest.raises(PartlyDone, match="make room"):
            await world.store.retain(RULES)
        assert tries == []
        disk.room = MUCH
        await world.store.retain(RULES)
        assert len(tries) == 1
        assert traces(tmp_path) == []
        await world.store.retain(RULES)
        assert len(tries) == 1, "nothing is owed any more"


async def test_a_file_that_was_not_written_anew_is_so_by_the_next_process(tmp_path: Path) -> None:
    async with world_on(tmp_path, Disk(room=1000)) as world:
        claim = await talk(world)
        with pytest.raises(PartlyDone):
            await world.store.forget(claim, None)
    async with world_on(tmp_path, Disk()) as world:
        await world.store.retain(RULES)
        assert traces(tmp_path) == []


async def test_a_rewriting_that_fails_is_not_tried_again_for_minutes(tmp_path: Path) -> None:
    async with world_on(tmp_path, Disk()) as world:
        claim = await talk(world)
        tries = written_anew(world.store)
        break_rewriting(world.store)
        for _ in range(3):
            with pytest.raises(PartlyDone):
                await world.store.forget(claim, None)
        assert len(tries) == 1
        assert (await world.accept()).new, "what there was of a copy is in nobody's way"
        break_rewriting(world.store, broken=False)
        await world.age(600)
        await world.store.forget(claim, None)
        assert traces(tmp_path) == []
        await world.store.retain(RULES)
        assert len(tries) == 2


async def test_who_erases_hears_that_the_file_holds_traces_and_can_ask_again(
    tmp_path: Path,
) -> None:
    disk = Disk(room=1000)
    async with world_on(tmp_path, disk) as world:
        await talk(world)
        with pytest.raises(PartlyDone, match="make room"):
            await world.store.erase("default", CHAT)
        assert await world.store.conversation("default", CHAT) is None
        disk.room = MUCH
        assert await world.store.erase("default", CHAT) is True
        assert traces(tmp_path) == []
        assert await world.store.erase("default", CHAT) is False


@pytest.mark.parametrize("direct", [True, False])
async def test_who_asked_to_be_forgotten_is_told_that_traces_are_left_and_goes_on(
    tmp_path: Path, *, direct: bool
) -> None:
    clock = FakeClock()
    store = SqliteStore(tmp_path / "parley.db", clock)
    await store.open()
    try:
        async with House(ScriptedModel(), clock=clock, store=store).open() as house:
            await house.say(MARKER, direct=direct)
            await house.has_sent(1)
            break_rewriting(store)
            await house.say("/forget", kind=Kind.COMMAND, direct=direct)
            told = (await house.has_sent(2))[1]
            assert told.startswith("Done")
            assert sentence("traces_left", "en") in told
            assert house.observer.named("failed")
            await house.say("and now?", direct=direct)
            assert "and now?" in (await house.has_sent(3))[2]
            prompt = house.model.requests[-1].messages
            assert not any(MARKER in message.text for message in prompt)
    finally:
        await store.close()


# ---- how much room, and where ------------------------------------------------------------


async def test_a_copy_takes_as_much_room_as_what_is_used_of_the_file(tmp_path: Path) -> None:
    async with world_on(tmp_path, Disk()) as world:
        await world.store.accept(world.inbound("x" * 3_000_000), HERE)
    with closing(sqlite3.connect(tmp_path / "parley.db")) as db:
        assert room_lacking(db, tmp_path, Disk(room=10_000_000)) is None
        lacking = room_lacking(db, tmp_path, Disk(room=2_000_000))
        assert lacking is not None
        assert "2.0 MB" in lacking
        assert str(tmp_path) in lacking
        # What is not used any more is not copied.
        db.execute("DELETE FROM inbox")
        db.commit()
        assert room_lacking(db, tmp_path, Disk(room=2_000_000)) is None


@pytest.mark.slow
@pytest.mark.parametrize("told", ["SQLITE_TMPDIR", "TMPDIR", None])
def test_sqlite_puts_its_temporary_files_where_we_look_for_room(
    tmp_path: Path, told: str | None
) -> None:
    """It reads what it is told when it is loaded."""
    environ = {key: value for key, value in os.environ.items() if "TMPDIR" not in key}
    if told is not None:
        environ[told] = str(tmp_path)
    script = (
        "import os, sqlite3\n"
        "from bot.store.sqlite_copying import temporary_folder\n"
        "db = sqlite3.connect('')\n"
        "db.execute('PRAGMA cache_size=1')\n"
        "db.execute('CREATE TABLE t (x)')\n"
        "db.execute('INSERT INTO t VALUES (zeroblob(9000000))')\n"
        "opened = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')\n"
        "          if os.path.lexists(f'/proc/self/fd/{n}')]\n"
        "(file,) = [one for one in opened if 'etilqs' in one]\n"
        "assert os.path.dirname(file) == str(temporary_folder().resolve()), (file, opened)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environ, cwd=ROOT, check=False)
    assert done.returncode == 0
