"""What is old on SQLite, what a person said, and who lived before this process."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bot.domain.message import Sent
from bot.domain.records import Retention
from bot.errors import PartlyDone, Transient
from bot.store.sqlite import SqliteStore
from tests.contracts.worlds import LEASE, World, sqlite_world
from tests.fakes import FakeClock

T = TypeVar("T")
DAY = 86400.0
RULES = Retention(7 * DAY, 90 * DAY)


async def test_lines_that_are_gone_are_not_remembered_although_their_room_cannot_be_given_back(
    tmp_path: Path,
) -> None:
    async with sqlite_world(tmp_path) as world:
        claim = await world.claimed()
        await world.answered(claim)
        assert await world.said(claim.conversation) == ["hello", "an answer"]
        await world.age(91 * DAY)
        store = world.store
        assert isinstance(store, SqliteStore)
        store._writer.post(lambda db: db.set_authorizer(_no_giving_back))
        with pytest.raises(Transient) as failed:
            await store.retain(RULES)
        assert await world.said(claim.conversation) == []
        assert isinstance(failed.value, PartlyDone)
        assert failed.value.counts["messages"] == 2


def _no_giving_back(action: int, about: str | None, *more: str | None) -> int:
    return sqlite3.SQLITE_DENY if about == "incremental_vacuum" else sqlite3.SQLITE_OK


@pytest.mark.parametrize("buried", [False, True])
async def test_what_a_platform_said_of_an_answer_goes_with_its_words(
    tmp_path: Path, *, buried: bool
) -> None:
    async with sqlite_world(tmp_path) as world:
        claim = await world.claimed()
        (row,) = await world.answered(claim, sending_first=True)
        if buried:
            await world.store.bury(claim, row, error="it would not take: hello")
        else:
            await world.store.put_back(claim, row, due_at=row.due_at, error="not yet: hello")
            await world.store.sent(claim, row, Sent("1"))
        await world.age(91 * DAY)
        await world.store.retain(replace(RULES, keys_seconds=365 * DAY))
        with closing(sqlite3.connect(tmp_path / "parley.db")) as db:
            assert db.execute("SELECT body, error FROM outbox").fetchall() == [(None, "")]


class WatchedStore(SqliteStore):
    """Between what is asked of a connection that only looks, something else may happen."""

    meanwhile: Callable[[str], object] | None = None

    def _look(self, look: Callable[[sqlite3.Connection], T]) -> T:
        def watched(db: sqlite3.Connection) -> T:
            db.set_trace_callback(self.meanwhile)
            return look(db)

        return super()._look(watched)


async def test_what_is_read_of_a_person_holds_once_what_is_answered_meanwhile(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    store = WatchedStore(tmp_path / "parley.db", clock)
    await store.open()
    try:
        world = World(store, _nothing, clock.now, _nobody)
        claim = await world.claimed()
        loop, asked = asyncio.get_running_loop(), list[str]()

        def answer_it(statement: str) -> None:
            asked.append(statement)
            if len(asked) == 2:
                asyncio.run_coroutine_threadsafe(world.answered(claim), loop).result(30)

        store.meanwhile = answer_it
        said = await store.said_by("default", "telegram:1001:7")
        assert [entry.message.text for entry in said if not entry.waiting] == [
            "hello",
            "an answer",
        ]
        assert len(said) == 2
    finally:
        await store.close()


async def _nothing(seconds: float) -> None:
    """Time stands still here."""


async def _nobody() -> Any:
    raise AssertionError("there is one server only")


async def test_who_had_the_file_before_this_process_is_dead_whatever_the_clock_says_now(
    tmp_path: Path,
) -> None:
    """Its lease lies an hour ahead: the clock was set back since."""
    clock = FakeClock()
    path = tmp_path / "parley.db"
    before = SqliteStore(path, clock)
    await before.open()
    world = World(before, _nothing, clock.now, _nobody)
    node = await world.node("former")
    claim = await world.claimed(node)
    assert await before.listeners(lambda: node, "default").hold("telegram") == 0
    at = clock.now()
    assert await before.claim_tick("sweep", at, node)
    await before.close()
    clock.advance(-3600)
    after = SqliteStore(path, clock)
    await after.open()
    try:
        me = await after.join("present", LEASE)
        (taken,) = await after.claim(me, 10)
        assert taken.conversation == claim.conversation
        assert await after.listeners(lambda: me, "default").hold("telegram") == 0
        assert await after.claim_tick("sweep", at, me)
        # Two of this process live beside each other.
        await after.join("guest", LEASE)
        assert await after.renew(me, LEASE)
    finally:
        await after.close()
