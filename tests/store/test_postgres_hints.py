"""A hint reaches the other nodes, many are one, and a lost connection is made again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from bot.clock import SystemClock
from bot.store.memory import MemoryStore
from bot.store.memory_rows import Rows
from bot.store.postgres_hints import PostgresHints
from bot.store.postgres_pool import Pool
from tests.fakes import FakeClock, until

postgres = pytest.mark.postgres


class Node:
    """What one node hears."""

    def __init__(self, url: str, clock: FakeClock | SystemClock) -> None:
        self.heard = 0
        self.hints = PostgresHints(Pool(url).connect, clock)
        self.hints.on_hint(self._look)

    def _look(self) -> None:
        self.heard += 1


@asynccontextmanager
async def nodes(url: str, number: int, clock: FakeClock | SystemClock) -> AsyncIterator[list[Node]]:
    """So many of them, each listening; that they do is the first thing each hears."""
    found = [Node(url, clock) for _ in range(number)]
    running = [asyncio.create_task(node.hints.run()) for node in found]
    try:
        async with asyncio.timeout(10):
            for node in found:
                await node.hints.connected.wait()
        for node in found:
            assert node.heard == 1
            node.heard = 0
        yield found
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


@postgres
async def test_a_hint_reaches_every_other_node_and_not_its_own(postgres_url: str) -> None:
    async with nodes(postgres_url, 3, FakeClock()) as (one, two, three):
        one.hints.hint()
        await until(lambda: two.heard and three.heard, 10)
        two.hints.hint()
        await until(lambda: (one.heard, two.heard, three.heard) == (1, 1, 2), 10)


@postgres
async def test_many_hints_at_once_are_one(postgres_url: str) -> None:
    clock = FakeClock()
    async with nodes(postgres_url, 2, clock) as (one, two):
        for _ in range(100):
            one.hints.hint()
        await until(lambda: two.heard, 10)
        for _ in range(100):
            one.hints.hint()
        # The pause between two of them: nothing is sent before the clock has moved.
        await until(lambda: clock.sleepers, 10)
        await one_round_trip(postgres_url)
        assert two.heard == 1
        clock.advance(0.05)
        await until(lambda: two.heard == 2, 10)


async def one_round_trip(url: str) -> None:
    """What was sent before is there after it."""
    connection = await asyncpg.connect(url, ssl=False)
    await connection.fetchval("SELECT 1")
    await connection.close()


@postgres
async def test_a_lost_connection_is_made_again_and_what_was_missed_is_looked_for(
    postgres_url: str,
) -> None:
    clock = FakeClock()
    async with nodes(postgres_url, 2, clock) as (one, two):
        connection = await asyncpg.connect(postgres_url, ssl=False)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        await until(lambda: not one.hints.connected.is_set(), 10)
        await until(lambda: not two.hints.connected.is_set(), 10)
        one.hints.hint()
        await until(lambda: passed(clock) and two.heard and one.hints.connected.is_set(), 10)
        two.heard = 0
        one.hints.hint()
        await until(lambda: passed(clock) and two.heard, 10)


def passed(clock: FakeClock) -> bool:
    clock.advance(0.1)
    return True


@postgres
async def test_a_server_that_is_not_there_is_tried_again(postgres_url: str) -> None:
    clock = FakeClock()
    node = Node(postgres_url.replace("/test_", "/absent_test_"), clock)
    running = asyncio.create_task(node.hints.run())
    for _ in range(3):
        await until(lambda: clock.sleepers, 10)
        clock.advance(60)
        await until(lambda: not clock.sleepers, 10)
    assert node.heard == 0
    running.cancel()
    await asyncio.wait({running})


async def test_nodes_in_memory_hear_each_other() -> None:
    rows, heard = Rows(), []
    one, two = (MemoryStore(FakeClock(), rows).hints(FakeClock()) for _ in range(2))
    one.on_hint(lambda: heard.append("one"))
    two.on_hint(lambda: heard.append("two"))
    one.hint()
    assert heard == ["two"]
    await one.run()
