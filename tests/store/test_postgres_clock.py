"""What a node compares with the database's rows it reckons by the database's clock."""

from datetime import timedelta

import pytest

from bot.clock import SteadyClock
from bot.store.postgres import PostgresStore
from tests.contracts.postgres_world import prepared
from tests.contracts.worlds import LEASE
from tests.fakes import FakeClock
from tests.postgres import Server

pytestmark = pytest.mark.postgres


async def test_a_node_whose_clock_is_years_off_knows_what_time_it_is_once_it_has_joined(
    postgres_server: Server,
) -> None:
    url = await prepared(postgres_server)
    wall = FakeClock()
    clock = SteadyClock(wall, wall.monotonic)
    store = PostgresStore(url, follow=clock.follow)
    await store.open()
    try:
        node = await store.join("n1", LEASE)
        joined = clock.now()
        assert abs(joined - wall.now()) > timedelta(days=1)
        assert await store.renew(node, LEASE)
        assert abs(clock.now() - joined) < LEASE
        known = clock.now()
        wall.advance(1.0)
        assert clock.now() - known == timedelta(seconds=1)
    finally:
        await store.close()
        await postgres_server.drop(url)
