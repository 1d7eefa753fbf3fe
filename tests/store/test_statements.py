"""Every statement runs on the tables as they are, and those of the hot path find rows by key."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.domain.conversation import ConversationId
from bot.store import statements, statements_operators, statements_upkeep
from bot.store.migrate import migrate_sqlite
from bot.store.sqlite import SqliteStore
from tests.contracts.worlds import World, sqlite_world
from tests.fakes import FakeClock

SMALL = {"tick", "slot", "approval", "audit", "node", "listener"}
"""Tables that hold a few rows: walking over them is cheaper than keeping an index."""


def _texts(module: object) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in vars(module).items():
        if not name.isupper():
            continue
        values = value.values() if isinstance(value, dict) else value
        texts = [values] if isinstance(values, str) else values
        if isinstance(texts, list | tuple) or isinstance(value, dict):
            found += [(name, text) for text in texts if isinstance(text, str) and " " in text]
    return found


HOT = _texts(statements)
ALL = HOT + _texts(statements_operators) + _texts(statements_upkeep)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("plans") / "parley.db"
    migrate_sqlite(path, FakeClock())
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


def _plan(db: sqlite3.Connection, text: str) -> list[str]:
    names = dict.fromkeys(re.findall(r":(\w+)", text), 1)
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", names).fetchall()]


def test_the_statements_are_found() -> None:
    assert len(HOT) > 50
    assert len(ALL) > 100


@pytest.mark.parametrize(("name", "text"), HOT)
def test_the_hot_path_finds_its_rows_by_key(db: sqlite3.Connection, name: str, text: str) -> None:
    assert not [line for line in _plan(db, text) if line.startswith("SCAN")]


@pytest.mark.parametrize(("name", "text"), ALL)
def test_no_statement_walks_a_table_that_grows(
    db: sqlite3.Connection, name: str, text: str
) -> None:
    walks = [line.split() for line in _plan(db, text) if line.startswith("SCAN")]
    assert not [walk for walk in walks if "INDEX" not in walk and walk[1] not in SMALL]


def test_the_unfinished_turn_is_found_without_walking_the_finished(
    db: sqlite3.Connection,
) -> None:
    for text in (statements.HEAD, statements.HEAD_TURN):
        assert any("ix_turn_thinking" in line for line in _plan(db, text))
    for text in (statements.HEAD, statements.HEAD_OUTBOX):
        assert any("ix_outbox_unsent" in line for line in _plan(db, text))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sqlite_world(tmp_path) as found:
        yield found


async def test_a_turn_costs_the_same_however_long_the_conversation_is(world: World) -> None:
    """Counted in steps of SQLite's machine, so that the machine it runs on does not matter."""
    claim = await world.claimed()
    costs: dict[int, int] = {}
    for n in range(1, 241):
        await world.accept()
        rows = await world.answered(claim, sending_first=True)
        await world.store.bury(claim, rows[0], error="x")
        if n in {60, 240}:
            costs[n] = await _steps_of_a_look(world, claim.conversation)
    assert costs[240] <= costs[60] * 1.05


async def _steps_of_a_look(world: World, conversation: ConversationId) -> int:
    store = world.store
    assert isinstance(store, SqliteStore)
    reader = store._reader
    assert reader is not None
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    store._windows.clear()
    reader.set_progress_handler(count, 1)
    held = {"conversation": conversation, "fence": 1, "node": "one", "holder": 1, "now": 0}
    store._read(statements.HEAD, held)
    store._read(statements.HEAD_WAITING, {**held, "limit": 200})
    store._read(statements.HEAD_TURN, held)
    await store.window(conversation, first=1, limit=50)
    reader.set_progress_handler(None, 0)
    return steps


def test_what_is_old_is_found_without_walking_over_the_rest(db: sqlite3.Connection) -> None:
    lines = [line for line in _plan(db, statements_upkeep.OLD_MESSAGES) if "SEARCH message" in line]
    assert len(lines) == 1
    assert "seq<?" in lines[0]
    sessions = _plan(db, statements_upkeep.OLD_SESSIONS)
    assert any("ix_session_ended (ended_at>? AND ended_at<?)" in line for line in sessions)
    # In the order of the index: as many are read as are asked for.
    assert not [line for line in sessions if "TEMP B-TREE" in line]
