"""The quick part of the row of hostile plugins: who forks is answered once, like all others."""

from pathlib import Path

import pytest

from tests.faults.bench import Bench
from tests.faults.checker.reading import read
from tests.faults.rows.deadly import innocent, kill_one_by_one
from tests.faults.rows.plugins import plan_of
from tests.faults.test_selection import kept

# A row starts its servers many times, and on a busy machine one start can take a minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TWINS = ("hostile:twin", "stubborn:twin")
"""What ends the process is tried in tests/journeys/test_deadly_plugins.py."""


async def twins(bench: Bench) -> None:
    """Functions that come back twice, while people write."""
    async with bench.world(plan_of(bench)) as world:
        await world.start()
        deadly = await kill_one_by_one(bench, world, TWINS)
        await world.settle()
        await world.finish()
        innocent(bench, read(world.folder), deadly)


async def test_what_a_forking_plugin_leaves_behind_does_not_go_on_as_the_server(
    tmp_path: Path,
) -> None:
    await kept(twins, "sqlite", tmp_path)
