"""The writer commits what is queued, and one bad operation or a full disk stays its own trouble."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from bot.errors import Fenced, Permanent, Transient
from bot.store.sqlite_file import connect
from bot.store.sqlite_writer import BROKEN, Operation, Writer
from tests.engine.test_letting_go import rings

LONG = 10


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    made = Writer(lambda: connect(tmp_path / "w.db"), rolled_back=lambda: None)
    made.start()
    await made.run(lambda db: db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)"))
    yield made
    await made.close()


def _insert(n: int, size: int = 1) -> Operation[object]:
    return lambda db: db.execute("INSERT INTO t VALUES (?, zeroblob(?))", (n, size)).rowcount


def _numbers(db: sqlite3.Connection) -> list[int]:
    return [n for (n,) in db.execute("SELECT n FROM t ORDER BY n").fetchall()]


async def test_operations_run_in_the_order_they_were_given(writer: Writer) -> None:
    writer.post(lambda db: db.execute("INSERT INTO t VALUES (1, 'a')"))
    writer.post(lambda db: db.execute("UPDATE t SET x = x || 'b'"))
    found = await writer.run(lambda db: db.execute("SELECT x FROM t").fetchall())
    assert found == [("ab",)]


class Standing:
    """A connection whose commits stand still until a test lets them go."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.reached, self.let_go = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            self.reached.set()
            self.let_go.wait(LONG)
        return self._db.execute(statement, *values)


async def test_who_waits_is_told_after_the_commit(tmp_path: Path) -> None:
    standing = Standing(connect(tmp_path / "w.db"))
    db = cast(sqlite3.Connection, standing)
    writer = Writer(lambda: db, rolled_back=lambda: None)
    writer.start()
    told = asyncio.ensure_future(writer.run(lambda db: "done"))
    try:
        assert await asyncio.to_thread(standing.reached.wait, LONG)
        # Whatever the writer's thread said before it stood still has arrived by now.
        for _ in range(5):
            await asyncio.sleep(0)
        assert not told.done()
    finally:
        standing.let_go.set()
        assert await told == "done"
        await writer.close()


async def test_a_refusal_costs_its_group_nothing(writer: Writer) -> None:
    def refused(db: sqlite3.Connection) -> None:
        raise Fenced

    async with asyncio.timeout(LONG):
        results = await asyncio.gather(
            writer.run(_insert(1)),
            writer.run(refused),
            writer.run(_insert(2)),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [int, Fenced, int]
    assert await writer.run(_numbers) == [1, 2]


async def test_a_row_that_the_database_refuses_does_not_take_its_group_along(
    writer: Writer,
) -> None:
    async with asyncio.timeout(LONG):
        results = await asyncio.gather(
            *(writer.run(_insert(n)) for n in (1, 2, 1, 3)), return_exceptions=True
        )
    assert [type(result) for result in results] == [int, int, Permanent, int]
    assert await writer.run(_numbers) == [1, 2, 3]


async def test_a_mistake_in_an_operation_is_told_to_its_caller_alone(writer: Writer) -> None:
    def mistaken(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t VALUES (9, 'half')")
        raise KeyError("nothing of it may stay")

    async with asyncio.timeout(LONG):
        results = await asyncio.gather(
            writer.run(_insert(1)), writer.run(mistaken), return_exceptions=True
        )
    assert [type(result) for result in results] == [int, KeyError]
    assert await writer.run(_numbers) == [1]


@pytest.mark.parametrize(
    ("error", "told"),
    [(MemoryError, Transient), (AssertionError, AssertionError), (RecursionError, RecursionError)],
)
async def test_whatever_an_operation_dies_of_the_writer_goes_on(
    writer: Writer, error: type[Exception], told: type[Exception]
) -> None:
    """SQLite itself says that it has no memory left by Python's own error."""

    def dies(db: sqlite3.Connection) -> None:
        raise error

    async with asyncio.timeout(LONG):
        for alone in (False, True):
            with pytest.raises(told):
                await writer.run(dies, alone=alone)
        await writer.run(_insert(1))
    assert await writer.run(_numbers) == [1]


async def test_a_stored_text_that_cannot_be_read_is_told_to_its_caller_alone(
    writer: Writer,
) -> None:
    def reads(db: sqlite3.Connection) -> object:
        return msgspec.json.decode(b"{", type=int)

    async with asyncio.timeout(LONG):
        for alone in (False, True):
            results = await asyncio.gather(
                writer.run(_insert(1 + alone)),
                writer.run(reads, alone=alone),
                writer.run(_insert(3 + alone)),
                return_exceptions=True,
            )
            assert [type(result) for result in results] == [int, msgspec.ValidationError, int]
    assert await writer.run(_numbers) == [1, 2, 3, 4]


class Unforeseen(Exception):
    """Of a kind that nobody thought of."""


@pytest.mark.parametrize("alone", [False, True])
async def test_a_writer_that_ends_refuses_all_that_wait_and_ends_the_process(
    tmp_path: Path, alone: bool
) -> None:
    ended: list[int] = []
    said: list[str] = []
    writer = Writer(
        lambda: connect(tmp_path / "w.db"),
        rolled_back=lambda: None,
        end=ended.append,
        say=said.append,
    )

    def dies(db: sqlite3.Connection) -> None:
        raise Unforeseen("a word that a person wrote")

    # A real process is gone by the time that its thread would complain.
    threading.excepthook, hook = lambda _: None, threading.excepthook
    try:
        writer.start()
        async with asyncio.timeout(LONG):
            results = await asyncio.gather(
                writer.run(lambda db: db.execute("CREATE TABLE t (n INTEGER)").rowcount),
                writer.run(dies, alone=alone),
                writer.run(lambda db: None),
                return_exceptions=True,
            )
            await writer.close()
    finally:
        threading.excepthook = hook
    kept = int if alone else Transient
    assert [type(result) for result in results] == [kept, Transient, Transient]
    assert ended == [BROKEN]
    assert "Unforeseen" in said[0]
    assert "a person" not in said[0]


async def test_a_full_disk_is_told_to_everyone_and_heals_by_itself(writer: Writer) -> None:
    await _limit(writer, pages=10)
    writer.post(_insert(1, 100_000))
    with pytest.raises(Transient):
        async with asyncio.timeout(LONG):
            await writer.run(_insert(2, 100_000))
    await _limit(writer, pages=1_000_000)
    async with asyncio.timeout(LONG):
        await writer.run(_insert(3))
    # What nobody waited for was kept, and comes before what was given later.
    assert await writer.run(_numbers) == [1, 3]


@pytest.mark.parametrize("alone", [False, True])
async def test_what_a_full_disk_refuses_leaves_nothing_for_the_collector(
    writer: Writer, *, alone: bool
) -> None:
    async def refused(n: int) -> None:
        with pytest.raises(Transient):
            await writer.run(_insert(n, 100_000), alone=alone)

    await _limit(writer, pages=10)
    await refused(1)
    with rings() as found:
        async with asyncio.timeout(LONG):
            await asyncio.gather(*(refused(n) for n in range(2, 9)))
    assert found == set()


async def test_what_is_refused_leaves_nothing_for_the_collector(writer: Writer) -> None:
    def refuse(db: sqlite3.Connection) -> None:
        raise Fenced

    with rings() as found:
        for _ in range(3):
            with pytest.raises(Fenced):
                await writer.run(refuse)
    assert found == set()


async def test_what_nobody_waits_for_is_tried_again_without_company(writer: Writer) -> None:
    tried = asyncio.Event()
    loop = asyncio.get_running_loop()

    def insert(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t VALUES (1, zeroblob(100000))")
        loop.call_soon_threadsafe(tried.set)

    await _limit(writer, pages=10)
    writer.post(insert)
    with pytest.raises(Transient):
        async with asyncio.timeout(LONG):
            await writer.run(_insert(2, 100_000))
    await _limit(writer, pages=1_000_000)
    async with asyncio.timeout(LONG):
        await tried.wait()
        await writer.run(lambda db: None)
    assert await writer.run(_numbers) == [1]


async def test_closing_commits_what_is_queued(tmp_path: Path) -> None:
    writer = Writer(lambda: connect(tmp_path / "w.db"), rolled_back=lambda: None)
    writer.start()
    writer.post(lambda db: db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)"))
    for n in range(5):
        writer.post(_insert(n))
    await writer.close()
    assert _numbers(connect(tmp_path / "w.db")) == [0, 1, 2, 3, 4]
    with pytest.raises(Transient):
        await writer.run(_insert(9))
    with pytest.raises(Transient):
        writer.post(_insert(9))


async def test_a_caller_that_was_cancelled_takes_nobody_along(writer: Writer) -> None:
    async with asyncio.timeout(LONG):
        impatient = asyncio.create_task(writer.run(_insert(1)))
        await asyncio.sleep(0)
        impatient.cancel()
        await writer.run(_insert(2))
    assert await writer.run(_numbers) == [1, 2]


async def _limit(writer: Writer, *, pages: int) -> None:
    """How large the file may grow: a disk that is full, as SQLite sees it."""

    def set_limit(db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA max_page_count={pages}").fetchall()

    await writer.run(set_limit, alone=True)


async def test_the_log_is_copied_into_the_file_again_and_again(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    writer = Writer(lambda: connect(file), rolled_back=lambda: None, pages=50)
    writer.start()
    await writer.run(lambda db: db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)"))
    rows = [(3000,)] * 100
    for _ in range(10):
        await writer.run(
            lambda db: db.executemany("INSERT INTO t (x) VALUES (zeroblob(?))", rows).rowcount
        )
    length, log = _lengths(file)
    assert length > log
    assert log < 2_000_000  # of four million that were written
    await writer.close()


async def test_few_rows_that_are_large_do_not_make_a_log_without_end(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    writer = Writer(lambda: connect(file), rolled_back=lambda: None, large=1_000_000)
    writer.start()
    await writer.run(lambda db: db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)"))
    for _ in range(20):
        await writer.run(
            lambda db: db.execute("INSERT INTO t (x) VALUES (zeroblob(300000))").rowcount
        )
    _, log = _lengths(file)
    assert log < 2_000_000  # of six million that were written
    await writer.close()


def _lengths(file: Path) -> tuple[int, int]:
    return file.stat().st_size, Path(f"{file}-wal").stat().st_size
