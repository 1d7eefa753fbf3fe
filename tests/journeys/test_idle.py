"""What a node asks of PostgreSQL while nothing happens: at most four things a second."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.app.whole import App
from bot.engine.listening import PatientListeners
from bot.store.postgres import PostgresStore
from bot.store.postgres_pool import Pool, Row, Transaction
from bot.store.postgres_sql import Query
from bot.store.statements_postgres_upkeep import HOLD_LISTENER
from tests.fakes import FakeClock, until
from tests.journeys.inside import inside

pytestmark = pytest.mark.postgres

MINUTE = 60.0
LEASE = timedelta(seconds=15)
BUDGET = 3.0
"""Queries a second; four are promised."""


class CountingPool(Pool):
    """Counts what is asked through it."""

    asked = 0
    holds = 0
    """How often for a listener's row."""
    busy = 0

    async def fetch(self, query: Query, values: Mapping[str, Any]) -> list[Row]:
        self.asked += 1
        self.holds += query is HOLD_LISTENER
        self.busy += 1
        try:
            return await super().fetch(query, values)
        finally:
            self.busy -= 1

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.asked += 1
        async with super().transaction() as transaction:
            yield transaction

    async def settle(self) -> None:
        """Until nobody has anything more to ask."""
        for _ in range(10):
            await asyncio.sleep(0)
        await until(lambda: not self.busy, 10)


async def let_pass(seconds: float, clock: FakeClock, pool: CountingPool) -> None:
    """In small steps, each answered before the next."""
    for _ in range(round(seconds * 20)):
        clock.advance(0.05)
        await pool.settle()


async def fire_for_a_minute(app: App) -> None:
    """As often as each job's time comes in a minute; what is rarer, once."""
    schedule = app.schedule()
    for job in schedule._jobs:
        for _ in range(max(1, round(MINUTE / job.every.total_seconds()))):
            await schedule.fire(job)


class LivelyHints:
    """Others could be heard, and say nothing."""

    hears = True

    def hint(self) -> None:
        """Nobody listens."""

    def on_hint(self, look: Callable[[], None]) -> None:
        """Nobody speaks."""

    async def run(self) -> None:
        """There is nothing to carry."""


async def wait_while_another_polls(store: PostgresStore, app: App, clock: FakeClock) -> None:
    """As an adapter does, until cancelled; the other node lives."""
    other = await store.join("other", LEASE)
    assert await store.listeners(lambda: other, "default").hold("telegram") == 0
    rows = store.listeners(lambda: app.engine.runner.node, "default")
    listeners = PatientListeners(rows, LivelyHints(), clock)
    while await listeners.hold("telegram") is None:
        await listeners.until_free("telegram")
        await store.renew(other, LEASE)


async def test_an_idle_node_asks_at_most_four_things_a_second(
    postgres_url: str, tmp_path: Path
) -> None:
    clock, store = FakeClock(), PostgresStore(postgres_url)
    pool = store._pool = CountingPool(postgres_url)
    await store.open()
    database = {"url": postgres_url, "lease": "15s"}
    async with inside(tmp_path, clock=clock, store=store, database=database) as house:
        signals = asyncio.create_task(house.app.engine.signal())
        await pool.settle()
        asked = {"begin": pool.asked}
        await let_pass(MINUTE, clock, pool)
        asked["poll"] = pool.asked
        await fire_for_a_minute(house.app)
        asked["schedule"] = pool.asked
        # One adapter that would poll Telegram if the node that does were gone.
        waiting = asyncio.create_task(wait_while_another_polls(store, house.app, clock))
        await let_pass(MINUTE, clock, pool)
        for task in (signals, waiting):
            task.cancel()
        await asyncio.wait({signals, waiting})
    await store.close()
    assert 1 < pool.holds <= MINUTE / 10
    assert (asked["schedule"] - asked["begin"] + pool.holds) / MINUTE <= BUDGET, f"{asked}"
    # Not by asking nothing: what another node leaves is found within two seconds.
    assert asked["poll"] - asked["begin"] >= MINUTE / 2
