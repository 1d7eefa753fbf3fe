"""Claiming a lane and reading what waits in it are two statements; one would answer twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from bot.domain.address import Address
from bot.domain.conversation import ConversationId
from bot.domain.records import Claim, Head, Node
from bot.ports import Store
from bot.store.postgres import PostgresStore
from bot.store.postgres_pool import Pool, Row
from bot.store.postgres_sql import Query
from bot.store.statements_postgres_claims import CLAIM, CLAIM_ONE
from tests.contracts.postgres_world import postgres_world, waits_for_a_lock
from tests.contracts.worlds import HERE, LEASE, World
from tests.postgres import Server

pytestmark = pytest.mark.postgres

GATE = 77
"""An advisory lock; a statement that waits for it has its snapshot already."""

GATED = (("RECURSIVE", "FROM shares, LATERAL ("), ("WITH", "l.fence FROM node n\n"))
"""Where the gate stands in a claim of many lanes, and in a claim of one."""

WAITING = "SELECT array_agg(id ORDER BY id) FROM inbox WHERE state = 0 AND conversation_id = "
JOINED = replace(
    CLAIM,
    text=CLAIM.text.replace(
        "SELECT taken.conversation_id, taken.fence,",
        f"SELECT taken.conversation_id, taken.fence, ({WAITING} taken.conversation_id),",
    ),
)
"""What must never be written: our own claim, and in the same statement what waits in the lane."""

Shown = Callable[[World, Node, asyncpg.Record], Awaitable[list[int]]]
Meanwhile = Callable[[World], Awaitable[None]]


@pytest.fixture
async def world(postgres_server: Server) -> AsyncIterator[World]:
    async with postgres_world(postgres_server) as found:
        yield found


def store_of(world: World) -> PostgresStore:
    assert isinstance(world.store, PostgresStore)
    return world.store


async def read_with_the_claim(world: World, node: Node, row: asyncpg.Record) -> list[int]:
    """The head as the one statement shows it."""
    return list(row[2])


async def read_after_the_claim(world: World, node: Node, row: asyncpg.Record) -> list[int]:
    """The head as a second statement shows it: what the store does."""
    head = await world.store.head(Claim(ConversationId(row[0]), node, row[1]))
    return [waiting.id for waiting in head.waiting]


async def hands_out_only_what_waits(world: World, statement: Query, shown: Shown) -> None:
    """The rule: whatever happens between snapshot and lock, nothing finished is handed out."""
    await world.accept(world.inbound("first"))
    second = await world.accept(world.inbound("second"))
    slow = await world.node("slow")
    (row,) = await gated(world, statement, values_of(slow), finish_the_first)
    assert await shown(world, slow, row) == [second.inbound]


def values_of(node: Node) -> Mapping[str, Any]:
    """What a claim is asked with."""
    return {"node": node.name, "holder": node.epoch, "limit": 10, "after": ""}


async def gated(
    world: World, statement: Query, values: Mapping[str, Any], meanwhile: Meanwhile
) -> list[Row]:
    """Run a claim that stands still between its snapshot and its first row."""
    pool = store_of(world)._pool
    gate = f"gate AS MATERIALIZED (SELECT pg_advisory_xact_lock({GATE})),"
    first, passes = GATED[statement is CLAIM_ONE]
    text = statement.text.replace(first, f"{first} {gate}", 1)
    text = text.replace(passes, passes.replace("FROM", "FROM gate,"), 1)
    assert text.count("gate") == 2
    keeper, claimer = await pool.connect(), await pool.connect()
    try:
        await keeper.execute("SELECT pg_advisory_lock($1)", GATE)
        claiming = asyncio.create_task(claimer.fetch(text, *statement.arguments(values)))
        await waits_for_a_lock(keeper)
        await meanwhile(world)
        await keeper.execute("SELECT pg_advisory_unlock($1)", GATE)
        async with asyncio.timeout(10):
            rows: list[Row] = await claiming
        return rows
    finally:
        await keeper.close()
        await claimer.close()


class GatedPool(Pool):
    """The connections of a store whose every claim stands still like that."""

    def __init__(self, world: World) -> None:
        super().__init__(store_of(world)._url)
        self._world = world

    async def fetch(self, query: Query, values: Mapping[str, Any]) -> list[Row]:
        if query is CLAIM:
            return await gated(self._world, query, values, finish_the_first)
        return await super().fetch(query, values)


async def finish_the_first(world: World) -> None:
    """Another node takes the lane, finishes the older message and gives the lane back."""
    quick = await world.store.join("quick", LEASE)
    (claim,) = await world.store.claim(quick, 10)
    head = await world.store.head(claim)
    await world.store.skip(claim, [head.waiting[0].id])
    # In the past: the claim that stands still has looked at the clock already.
    assert await world.store.release(claim, wake_at=head.now - LEASE)


async def take_it(world: World) -> None:
    """Another node takes the lane and keeps it."""
    assert await world.store.claim(await world.store.join("quick", LEASE), 10)


async def test_a_head_read_after_the_claim_holds_only_what_still_waits(world: World) -> None:
    await hands_out_only_what_waits(world, CLAIM, read_after_the_claim)


async def test_a_claim_that_reads_the_head_too_breaks_that_rule(world: World) -> None:
    assert JOINED.text != CLAIM.text
    with pytest.raises(AssertionError, match=r"assert \[\d+, \d+\] == \[\d+\]"):
        await hands_out_only_what_waits(world, JOINED, read_with_the_claim)


async def test_what_a_store_hands_out_after_its_claim_still_waits(world: World) -> None:
    await world.accept(world.inbound("first"))
    second = await world.accept(world.inbound("second"))
    slow = await world.another()
    assert isinstance(slow, PostgresStore)
    await slow._pool.close()
    slow._pool = GatedPool(world)
    await slow._pool.open()
    (claim,) = await slow.claim(await world.node("slow"), 10)
    head = await slow.head(claim)
    assert [waiting.id for waiting in head.waiting] == [second.inbound]


async def test_a_lane_that_was_taken_after_a_claim_began_is_left_to_its_holder(
    world: World,
) -> None:
    await world.accept()
    slow = await world.node("slow")
    assert await gated(world, CLAIM, values_of(slow), take_it) == []


async def come_back(world: World) -> None:
    """Whose lease had run out takes the next epoch of its name, and its lane again."""
    assert await world.store.claim(await world.store.join("quick", LEASE), 10)


async def test_a_lane_is_left_to_its_holder_who_came_back_after_the_claim_of_one_began(
    world: World,
) -> None:
    claim = await world.claimed(await world.node("quick"))
    await world.age(LEASE.total_seconds() + 1)
    slow = await world.node("slow")
    values = {"node": slow.name, "holder": slow.epoch, "conversation": claim.conversation}
    assert await gated(world, CLAIM_ONE, values, come_back) == []
    await world.age(LEASE.total_seconds() + 1)
    assert await world.store.claim_one(await world.node("slow"), claim.conversation) is not None


async def test_many_claimers_answer_everything_once_and_in_order(world: World) -> None:
    """Two nodes, twelve conversations, every message delivered twice, all at once."""
    stores = [world.store, await world.another()]
    crowd = Crowd(world, stores, [Address("telegram", "1001", f"chat{n}") for n in range(12)])
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for address in crowd.talks:
            group.create_task(crowd.deliver(address))
        for n, store in enumerate(stores):
            node = await store.join(f"node{n}", LEASE)
            group.create_task(crowd.work(store, node))
            group.create_task(crowd.work(store, node))
    assert sorted(crowd.answered.values()) == [["0", "1", "2", "3", "4"]] * len(crowd.talks)


class Crowd:
    """Conversations with five messages each, and claimers that answer one message a turn."""

    def __init__(self, world: World, stores: list[Store], talks: list[Address]) -> None:
        self.talks = talks
        self.answered: dict[ConversationId, list[str]] = {}
        self._world = world
        self._stores = stores

    async def deliver(self, address: Address) -> None:
        for n in range(5):
            inbound = self._world.inbound(f"{n}", key=f"e{n}", address=address)
            twins = await asyncio.gather(*(store.accept(inbound, HERE) for store in self._stores))
            assert sorted(accepted.new for accepted in twins) == [False, True]
            assert twins[0].inbound == twins[1].inbound

    async def work(self, store: Store, node: Node) -> None:
        while sum(map(len, self.answered.values())) < len(self.talks) * 5:
            for claim in await store.claim(node, 3):
                await self._answer(store, claim)

    async def _answer(self, store: Store, claim: Claim) -> None:
        released = False
        while not released:
            head = await store.head(claim)
            if head.waiting:
                await self._finish(store, claim, replace(head, waiting=head.waiting[:1]))
                said = self.answered.setdefault(claim.conversation, [])
                said.append(head.waiting[0].inbound.text)
            else:
                released = await store.release(claim)

    async def _finish(self, store: Store, claim: Claim, head: Head) -> None:
        turn = self._world.turn(head)
        await store.start(claim, turn, self._world.session(head))
        await store.finish(claim, self._world.finish(head, turn))
