"""After /forget and erase neither the file nor its log holds a trace of what was said."""

import asyncio
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.conversation import Step, StepKind
from bot.domain.message import Kind, Sent
from bot.domain.records import Approval, Claim, NewSignal, SignalKind
from bot.errors import Transient
from bot.store.sqlite import SqliteStore
from tests.contracts.worlds import ANN, BOB, CHAT, LEASE, World, sqlite_world
from tests.engine.house import House, ScriptedModel
from tests.fakes import FakeClock, until
from tests.store.traces import MARKER, traces

TEXT = NewSignal(SignalKind.TEXT, "default", CHAT, MARKER)
LONG = 30


async def _say_much(world: World) -> Claim:
    """The marker in every place that holds words."""
    claim = await world.claimed()
    for n in range(30):
        await world.accept(world.inbound(f"{MARKER} question {n} " + "filler " * n * 20))
        head = await world.store.head(claim)
        turn, session = world.turn(head), replace(world.session(head), summary=MARKER)
        await world.store.start(claim, turn, session)
        step = Step(1, StepKind.MODEL, "stop", MARKER)
        await world.store.step(claim, turn.id, step, durable=True)
        await world.store.put_signals([TEXT])
        asked = Approval(claim.conversation, ANN.id, "pay", MARKER, head.now.replace(year=2090))
        finish = replace(
            world.finish(head, turn, f"{MARKER} answer", pieces=2), session=session, approval=asked
        )
        rows = await world.store.finish(claim, finish)
        await world.store.sent(claim, rows[0], Sent("1"))
    await world.store.put_signals([TEXT])
    return claim


async def test_forgetting_leaves_no_trace_in_file_and_log(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        claim = await _say_much(world)
        await world.accept(world.inbound(f"{MARKER} not begun"))
        await world.accept(world.inbound("/forget", kind=Kind.COMMAND))
        assert traces(tmp_path)
        await world.store.forget(claim, None)
        assert traces(tmp_path) == []
        assert (tmp_path / "parley.db-wal").stat().st_size == 0
        assert await world.said(claim.conversation) == []
        await world.answered(claim)


async def test_forgetting_one_sender_leaves_no_trace_of_theirs(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        claim = await _say_much(world)
        await world.accept(world.inbound("his own words", sender=BOB))
        await world.answered(claim, "told to Bob")
        await world.store.forget(claim, ANN)
        assert traces(tmp_path) == []
        assert await world.said(claim.conversation) == ["his own words", "told to Bob"]


async def test_erasing_leaves_no_trace_and_gives_the_space_back(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        await _say_much(world)
        await world.store.writable()
        assert await world.store.erase("default", CHAT)
        assert traces(tmp_path) == []
        with closing(sqlite3.connect(tmp_path / "parley.db")) as db:
            assert db.execute("PRAGMA freelist_count").fetchall() == [(0,)]


# ---- while another program reads ---------------------------------------------------------


def _reading(folder: Path) -> sqlite3.Connection:
    """Another program that has begun to read, and does not end."""
    db = sqlite3.connect(folder / "parley.db", check_same_thread=False)
    db.execute("BEGIN")
    db.execute("SELECT count(*) FROM message").fetchall()
    return db


async def _statements_of(world: World) -> list[str]:
    """What the writer asks of SQLite from here on."""
    assert isinstance(world.store, SqliteStore)
    seen: list[str] = []
    await world.store._writer.run(lambda db: db.set_trace_callback(seen.append), alone=True)
    return seen


def _clock_of(world: World) -> FakeClock:
    assert isinstance(world.store, SqliteStore)
    assert isinstance(world.store._clock, FakeClock)
    return world.store._clock


async def _at_last(world: World, asked: Awaitable[object]) -> object:
    """Its outcome, however long it waits on the clock."""
    task = asyncio.ensure_future(asked)
    async with asyncio.timeout(LONG):
        while not task.done():
            await world.age(1)
            await asyncio.wait([task], timeout=0.01)
    return await task


async def test_nobody_waits_for_a_forgetting_that_waits_for_a_reader(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world, asyncio.timeout(LONG):
        node = await world.node()
        claim = await world.claimed(node)
        with closing(_reading(tmp_path)):
            forgetting = asyncio.ensure_future(world.store.forget(claim, None))
            await until(lambda: _clock_of(world).sleepers, LONG)
            # It waits on the clock, which stands still; the writer serves everybody else.
            assert (await world.accept()).new
            assert await world.store.renew(node, LEASE)
            assert not forgetting.done()
        await _at_last(world, forgetting)


async def test_a_reader_who_stays_costs_no_space_and_the_log_is_cut_when_it_goes(
    tmp_path: Path,
) -> None:
    async with sqlite_world(tmp_path) as world:
        claim = await _say_much(world)
        order = await world.accept(world.inbound("/forget", kind=Kind.COMMAND))
        seen = await _statements_of(world)
        log = tmp_path / "parley.db-wal"
        with closing(_reading(tmp_path)):
            before, size = log.stat().st_size, (await world.store.health()).size_bytes
            for _ in range(3):
                with pytest.raises(Transient):
                    await _at_last(world, world.store.forget(claim, None, order=order.inbound))
            grown = log.stat().st_size - before
            await world.accept(world.inbound("said after it"))
            assert traces(tmp_path)
        await _at_last(world, world.store.forget(claim, None, order=order.inbound))
        assert traces(tmp_path) == []
        assert log.stat().st_size == 0
        assert seen.count("VACUUM") == 1
        assert grown <= size
        head = await world.store.head(claim)
        assert [row.inbound.text for row in head.waiting] == ["/forget", "said after it"]


async def test_the_file_is_rewritten_once_although_somebody_reads_the_log_of_it(
    tmp_path: Path,
) -> None:
    async with sqlite_world(tmp_path) as world:
        claim = await _say_much(world)
        order = await world.accept(world.inbound("/forget", kind=Kind.COMMAND))
        seen: list[str] = []
        readers: list[sqlite3.Connection] = []

        def look(statement: str) -> None:
            seen.append(statement)
            if statement == "VACUUM" and not readers:
                readers.append(_reading(tmp_path))

        assert isinstance(world.store, SqliteStore)
        await world.store._writer.run(lambda db: db.set_trace_callback(look), alone=True)
        for _ in range(2):
            with pytest.raises(Transient):
                await _at_last(world, world.store.forget(claim, None, order=order.inbound))
        readers[0].close()
        await _at_last(world, world.store.forget(claim, None, order=order.inbound))
        assert traces(tmp_path) == []
        assert seen.count("VACUUM") == 1
        # Nor is it when the order is obeyed once more, because its answer was lost.
        await _at_last(world, world.store.forget(claim, None, order=order.inbound))
        assert seen.count("VACUUM") == 1


async def test_what_was_erased_while_somebody_read_can_be_asked_for_again(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        await _say_much(world)
        with closing(_reading(tmp_path)), pytest.raises(Transient):
            await _at_last(world, world.store.erase("default", CHAT))
        assert await _at_last(world, world.store.erase("default", CHAT)) is True
        assert traces(tmp_path) == []
        assert await _at_last(world, world.store.erase("default", CHAT)) is False


async def test_an_erasure_that_could_not_end_is_ended_by_another_process(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        await _say_much(world)
        with closing(_reading(tmp_path)), pytest.raises(Transient):
            await _at_last(world, world.store.erase("default", CHAT))
    async with sqlite_world(tmp_path) as world:
        assert await _at_last(world, world.store.erase("default", CHAT)) is True
        assert traces(tmp_path) == []
        assert await _at_last(world, world.store.erase("default", CHAT)) is False


async def test_whoever_asked_is_answered_once_and_only_when_the_reader_is_gone(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    store = SqliteStore(tmp_path / "parley.db", clock)
    await store.open()
    try:
        async with House(ScriptedModel(), clock=clock, store=store).open() as house:
            await house.say(MARKER)
            await house.has_sent(1)
            with closing(_reading(tmp_path)):
                await house.say("/forget", kind=Kind.COMMAND)
                async with asyncio.timeout(LONG):
                    while len(house.observer.named("failed")) < 2:
                        clock.advance(0.5)
                        await store.writable()
                assert traces(tmp_path)
                assert len(house.platform.sent) == 1
            async with asyncio.timeout(LONG):
                while len(house.platform.sent) < 2:
                    clock.advance(0.5)
                    await store.writable()
            assert traces(tmp_path) == []
            await house.say("and now?")
            assert (await house.has_sent(3))[2] == "you said: and now?"
    finally:
        await store.close()
