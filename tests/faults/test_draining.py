"""A row in which nothing may run twice has no other reason for it than what it brings about."""

from pathlib import Path

from bot.config import DatabaseSettings
from tests.faults.bench import Bench
from tests.faults.rows.draining import plan_of


def test_where_nothing_may_run_twice_a_lease_is_as_long_as_a_servers_own() -> None:
    plan = plan_of(Bench(Path(), "sqlite", seed=1, seconds=8.0))
    assert plan.calm
    assert plan.lease >= DatabaseSettings().lease.total_seconds()
