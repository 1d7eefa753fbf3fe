"""Retention on PostgreSQL: what it walks over, whom it keeps waiting, what a failure leaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from bot.domain.message import Sent
from bot.domain.records import LONGEST_LEASE, Retention
from bot.errors import ParleyError, PartlyDone
from bot.store import statements_postgres_upkeep as say
from bot.store.postgres import PostgresStore
from bot.store.postgres_sql import Query
from tests.contracts.postgres_world import postgres_world, prepared, waits_for_a_lock
from tests.contracts.worlds import CHAT, LEASE, OTHER_CHAT, World
from tests.postgres import Server

pytestmark = pytest.mark.postgres

DAY = 86400.0
RULES = Retention(journal_seconds=7 * DAY, retain_seconds=90 * DAY)
MANY, FEW = 20_000, 100
PLANS = ("force_custom_plan", "force_generic_plan")
"""Of a connection that is new, and of one that lives long."""

BUSY = f"""
INSERT INTO conversation VALUES (1, 't', 1, 'a', 'x', 'y', 'bot', 0, false, 0);
INSERT INTO turn (conversation_id, tenant, shard, id, person, state, started_at, ended_at, body)
  SELECT 1, 't', 1, n, 'p', 'answered', 1, n, 'b' FROM generate_series(1, {MANY}) n;
INSERT INTO message (conversation_id, tenant, shard, seq, turn, person, sent_at, body)
  SELECT 1, 't', 1, n, n, 'p', 1, 'b' FROM generate_series(1, {MANY}) n;
ANALYZE
"""
SILENT = f"""
INSERT INTO session (conversation_id, tenant, shard, n, first, started_at, active_at, ended_at)
  SELECT n, 't', 1, 1, 1, 1, 1, n / 100 FROM generate_series(1, {MANY}) n;
ANALYZE
"""
"""Conversations in which nobody has said anything since; hundreds of them end in one sweep."""


@pytest.fixture
async def world(postgres_server: Server) -> AsyncIterator[World]:
    async with postgres_world(postgres_server) as found:
        yield found


@pytest.fixture
async def database(postgres_server: Server) -> AsyncIterator[asyncpg.Connection]:
    url = await prepared(postgres_server)
    async with beside(url) as connection:
        yield connection
    await postgres_server.drop(url)


@asynccontextmanager
async def beside(where: World | str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else's to the store's database."""
    if isinstance(where, World):
        assert isinstance(where.store, PostgresStore)
        where = where.store._url
    connection = await asyncpg.connect(where, ssl=False)
    try:
        yield connection
    finally:
        await connection.close()


async def quiet(world: World) -> None:
    """A conversation whose answer has been sent."""
    claim = await world.claimed()
    (row,) = await world.answered(claim, sending_first=True)
    await world.store.sent(claim, row, Sent("1"))
    assert await world.store.release(claim)


# ---- what it walks over ------------------------------------------------------------------


async def visited(
    database: asyncpg.Connection, query: Query, values: Mapping[str, int], table: str
) -> int:
    """How many rows of a table it looks at; nothing is changed."""
    given = ", ".join(str(values[name]) for name in query.names)
    await database.execute(f"PREPARE asked AS {query.text}")
    undone = database.transaction()
    await undone.start()
    plan = await database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ({given})")
    await undone.rollback()
    await database.execute("DEALLOCATE asked")
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(json.loads(plan)[0]["Plan"])
        if node.get("Relation Name") == table
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("plans", PLANS)
async def test_the_old_lines_of_a_busy_group_are_found_without_walking_over_the_others(
    database: asyncpg.Connection,
    plans: str,
) -> None:
    await database.execute(f"SET plan_cache_mode = {plans}")
    await database.execute(BUSY)
    values = {"before": 10, "over": 10, "limit": 1000}
    assert 10 <= await visited(database, say.DROP_LINES, values, "message") < FEW


@pytest.mark.parametrize("plans", PLANS)
async def test_a_round_looks_at_no_more_sessions_than_it_is_told_to(
    database: asyncpg.Connection,
    plans: str,
) -> None:
    await database.execute(f"SET plan_cache_mode = {plans}")
    await database.execute(SILENT)
    values = {
        "before": MANY,
        "limit": FEW,
        "since": 50,
        "where": 5050,
        "number": 1,
        "most": 10 * FEW,
    }
    assert await visited(database, say.DROP_SESSIONS, values, "session") < 30 * FEW


async def test_sessions_are_found_behind_those_of_many_silent_conversations_one_round_after_another(
    world: World,
) -> None:
    few = Retention(7 * DAY, 90 * DAY, batch=1)
    async with beside(world) as other:
        await other.execute(
            "INSERT INTO session (conversation_id, tenant, shard, n, first, started_at, active_at,"
            " ended_at, summary) SELECT c, 't', 1, n, 1, 1, 1, c / 20, 'words'"
            " FROM generate_series(1, 60) c, generate_series(1, 1 + (c IN (3, 57))::int) n"
        )
        dropped = [(await world.store.retain(few))["sessions"] for _ in range(7)]
        assert (dropped[0], sum(dropped)) == (1, 2)
        assert await other.fetchval("SELECT count(*) FROM session WHERE summary IS NOT NULL") == 0
        # It begins anew: what was the newest there is not any more.
        await other.execute(
            "INSERT INTO session (conversation_id, tenant, shard, n, first, started_at, active_at)"
            " VALUES (30, 't', 1, 2, 1, 1, 1)"
        )
        assert sum([(await world.store.retain(few))["sessions"] for _ in range(7)]) == 1


# ---- others, meanwhile -------------------------------------------------------------------


async def test_forgetting_and_retention_do_not_wait_for_each_other(world: World) -> None:
    await quiet(world)
    await world.age(91 * DAY)
    async with beside(world) as other, beside(world) as third:
        async with other.transaction():
            # As /forget does it: the conversation first, then its lines.
            await other.execute("UPDATE conversation SET floor = floor + 1")
            retaining = asyncio.create_task(world.store.retain(RULES))
            await waits_for_a_lock(third)
            await other.execute("DELETE FROM message")
        counts = await retaining
        assert await other.fetchval("SELECT floor FROM conversation") == 1
    assert (counts["turns"], counts["messages"]) == (1, 0)


async def erased(world: World) -> None:
    await world.store.erase("default", CHAT)


async def moved(world: World) -> None:
    await world.store.move("default", CHAT, OTHER_CHAT)


@pytest.mark.parametrize("changed", [erased, moved])
async def test_who_erases_or_moves_a_conversation_does_not_keep_its_lines_from_others_meanwhile(
    world: World, changed: Callable[[World], Awaitable[None]]
) -> None:
    await quiet(world)
    async with beside(world) as other, beside(world) as third:
        async with other.transaction():
            # As retention and /forget do it: the conversation first, then its lines.
            await other.execute("UPDATE conversation SET floor = floor + 1")
            changing = asyncio.ensure_future(changed(world))
            await waits_for_a_lock(third)
            await other.execute("DELETE FROM message")
        await changing


async def test_a_lease_that_lasts_longer_than_any_is_cut_short_and_who_lives_renews_his(
    world: World,
) -> None:
    """The database's clock is set back after a node has died: it would live on for as long."""
    lives = await world.node("lives")
    claim = await world.claimed(await world.node("died"))
    await world.age(-7200)
    assert await world.store.renew(lives, LEASE)
    died = world.store.listeners(lambda: claim.node, "default")
    assert await died.hold("telegram") == 0
    await world.store.repair()
    await world.age(LONGEST_LEASE.total_seconds() - 60)
    assert await world.store.claim(await world.node("lives"), 10) == []
    await world.age(61)
    lives = await world.node("lives")
    (taken,) = await world.store.claim(lives, 10)
    assert taken.conversation == claim.conversation
    assert await world.store.listeners(lambda: lives, "default").hold("telegram") == 0


async def test_a_lease_that_is_cut_short_is_no_shorter_than_the_longest(world: World) -> None:
    node = await world.store.join("patient", LONGEST_LEASE)
    await world.age(-7200)
    await world.store.repair()
    await world.age(LONGEST_LEASE.total_seconds() - 60)
    assert await world.store.renew(node, LONGEST_LEASE)


async def test_what_is_read_of_a_person_holds_once_what_is_answered_meanwhile(
    world: World,
) -> None:
    claim = await world.claimed()
    (waiting,) = (await world.store.head(claim)).waiting
    async with beside(world) as other, beside(world) as third:
        async with other.transaction():
            await other.execute("LOCK TABLE message")
            reading = asyncio.create_task(world.store.said_by("default", "telegram:1001:7"))
            # It has looked for what waits, and looks now for what was said.
            await waits_for_a_lock(third)
            await other.execute(
                "INSERT INTO message (conversation_id, tenant, shard, seq, turn, person, event_key,"
                " sent_at, body) SELECT conversation_id, tenant, shard, 1, id, person, event_key,"
                " received_at, (body::jsonb -> 'message')::text FROM inbox"
            )
            await other.execute("UPDATE inbox SET state = 1")
        assert [(one.event_key, one.waiting) for one in await reading] == [
            (waiting.inbound.event_key, False)
        ]


async def test_what_a_platform_said_of_an_answer_goes_with_its_words(world: World) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim, sending_first=True)
    await world.store.put_back(claim, row, due_at=row.due_at, error="it would not take: hello")
    await world.store.sent(claim, row, Sent("1"))
    async with beside(world) as other:
        await world.store.forget(claim, None)
        assert await other.fetchval("SELECT error FROM outbox") == ""


async def test_what_cannot_be_done_keeps_retention_from_nothing_else(world: World) -> None:
    await quiet(world)
    await world.age(91 * DAY)
    async with beside(world) as other:
        await other.execute("ALTER TABLE session RENAME summary TO elsewhere")
        try:
            with pytest.raises(ParleyError) as failed:
                await world.store.retain(RULES)
        finally:
            await other.execute("ALTER TABLE session RENAME elsewhere TO summary")
        bodies = "SELECT count(body) FROM {}"
        assert await other.fetchval(bodies.format("inbox")) == 0
        assert await other.fetchval(bodies.format("outbox")) == 0
    assert isinstance(failed.value, PartlyDone)
    assert failed.value.counts["inbox"] == 1
    assert failed.value.counts["messages"] == 2
