"""After /forget and erase neither the file nor its log holds a trace of what was said."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bot.domain.conversation import Step, StepKind
from bot.domain.message import Kind, Sent
from bot.domain.records import Approval, Claim, NewSignal, SignalKind
from tests.contracts.worlds import ANN, BOB, CHAT, World, sqlite_world

MARKER = "xyzzy-marker-plugh"
TEXT = NewSignal(SignalKind.TEXT, "default", CHAT, MARKER)


def _traces(folder: Path) -> list[str]:
    """Every file beside the database that holds the marker, in whatever encoding it is text."""
    return [path.name for path in sorted(folder.iterdir()) if MARKER.encode() in path.read_bytes()]


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
        assert _traces(tmp_path)
        await world.store.forget(claim, None)
        assert _traces(tmp_path) == []
        assert (tmp_path / "parley.db-wal").stat().st_size == 0
        assert await world.said(claim.conversation) == []
        await world.answered(claim)


async def test_forgetting_one_sender_leaves_no_trace_of_theirs(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        claim = await _say_much(world)
        await world.accept(world.inbound("his own words", sender=BOB))
        await world.answered(claim, "told to Bob")
        await world.store.forget(claim, ANN)
        assert _traces(tmp_path) == []
        assert await world.said(claim.conversation) == ["his own words", "told to Bob"]


async def test_erasing_leaves_no_trace_and_gives_the_space_back(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        await _say_much(world)
        await world.store.writable()
        assert await world.store.erase("default", CHAT)
        assert _traces(tmp_path) == []
        with closing(sqlite3.connect(tmp_path / "parley.db")) as db:
            assert db.execute("PRAGMA freelist_count").fetchall() == [(0,)]
