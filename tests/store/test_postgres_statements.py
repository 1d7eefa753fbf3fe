"""Every statement is understood by the tables as they are; the hot path finds its rows by key."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from bot.store import (
    statements,
    statements_operators,
    statements_postgres,
    statements_postgres_claims,
    statements_postgres_turns,
    statements_postgres_upkeep,
    statements_upkeep,
)
from bot.store.postgres_sql import Query, shared
from bot.store.statements import Statement
from tests.contracts.postgres_world import prepared
from tests.postgres import Server

pytestmark = pytest.mark.postgres

LARGE = ("conversation", "alias", "session", "message", "inbox", "lane", "turn", "outbox")
"""Tables that grow with what people say; the others hold what is going on now."""

FILL = """
INSERT INTO conversation SELECT n, 't', 1, 'a:' || n, 'x', 'y', 'bot', 0, true, 0
  FROM generate_series(1, 20000) n;
INSERT INTO alias SELECT 't', 'a:' || n, n, 1 FROM generate_series(1, 20000) n;
INSERT INTO lane (conversation_id, tenant, shard, fence)
  SELECT n, 't', 1, 0 FROM generate_series(1, 20000) n;
INSERT INTO session (conversation_id, tenant, shard, n, first, started_at, active_at)
  SELECT n, 't', 1, 1, 1, 1, 1 FROM generate_series(1, 20000) n;
INSERT INTO inbox (conversation_id, tenant, shard, event_key, kind, person, state, amended,
    received_at)
  SELECT n, 't', 1, 'k' || n, 'message', 'p', 1, false, 1 FROM generate_series(1, 20000) n;
INSERT INTO message (conversation_id, tenant, shard, seq, turn, person, sent_at, body)
  SELECT 1 + n % 2000, 't', 1, n, n, 'p' || n % 50, 1, 'b' FROM generate_series(1, 20000) n;
INSERT INTO turn (conversation_id, tenant, shard, id, person, state, started_at, ended_at, body)
  SELECT 1 + n % 2000, 't', 1, n, 'p', 'answered', 1, n, 'b' FROM generate_series(1, 20000) n;
INSERT INTO outbox (conversation_id, tenant, shard, turn, piece, state, due_at, created_at,
    changed_at, attempts, repeats, error)
  SELECT 1 + n % 2000, 't', 1, n, 0, 'sent', 1, 1, 1, 1, 0, '' FROM generate_series(1, 20000) n;
ANALYZE
"""


def _own(*modules: object) -> Iterator[tuple[str, Query]]:
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, Query):
                yield name, value


def _borrowed() -> Iterator[tuple[str, Query]]:
    """What is compiled from the other store's statements; its inserts are in its own words."""
    for module in (statements, statements_operators, statements_upkeep):
        for name, value in vars(module).items():
            many = value.values() if isinstance(value, dict) else value
            for one in many if isinstance(many, tuple) or isinstance(value, dict) else (value,):
                if isinstance(one, Statement) and not one.startswith("INSERT"):
                    yield name, shared(one)


HOT = tuple(_own(statements_postgres, statements_postgres_claims, statements_postgres_turns))
ALL = (*HOT, *_own(statements_postgres_upkeep), *_borrowed())


@pytest.fixture
async def database(postgres_server: Server) -> AsyncIterator[asyncpg.Connection]:
    url = await prepared(postgres_server)
    connection = await asyncpg.connect(url, ssl=False)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    yield connection
    await connection.close()
    await postgres_server.drop(url)


async def _plan(database: asyncpg.Connection, query: Query) -> str:
    """How it is run for whatever values: the plan that a long-lived connection keeps."""
    await database.execute(f"PREPARE asked AS {query.text}")
    values = ", ".join(["NULL"] * len(query.names))
    rows = await database.fetch(f"EXPLAIN EXECUTE asked {f'({values})' if values else ''}")
    await database.execute("DEALLOCATE asked")
    return "\n".join(row[0] for row in rows)


async def test_every_statement_is_understood(database: asyncpg.Connection) -> None:
    assert len(ALL) > 100
    for name, query in ALL:
        assert await _plan(database, query), name


@pytest.mark.parametrize("filled", [False, True])
async def test_the_hot_path_walks_over_no_large_table(
    database: asyncpg.Connection, filled: bool
) -> None:
    if filled:
        await database.execute(FILL)
    walks = {
        name: [table for table in LARGE if f"Seq Scan on {table}" in plan]
        for name, query in HOT
        if "Seq Scan" in (plan := await _plan(database, query))
    }
    assert {name: tables for name, tables in walks.items() if tables} == {}
