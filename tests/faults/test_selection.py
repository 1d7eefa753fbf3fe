"""A part of the fault matrix that is the same every time: named points, nothing at random.

`make chaos` runs all of it, at random, for as long as one likes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests import postgres
from tests.faults.bench import Bench, Run, Tried
from tests.faults.checker.judge import judge
from tests.faults.plan import Store
from tests.faults.rows.kill_points import kill_points
from tests.faults.rows.points import POINTS
from tests.faults.rows.zombies import zombies

# A row starts its servers many times, and on a busy machine one start can take a minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# What other journeys kill at as well, or what differs from another point only by a moment.
ONLY_IN_CHAOS = (
    "before the claim",
    "history read",
    "before the turn's row",
    "first token",
    "half of the answer",
    "draft written down",
    "answer journaled",
    "before a tool with an effect",
    "in a reading tool",
    "in a tool that may run again",
    "tool ended, not journaled",
    "before a send is marked",
    "send on the wire, not shown",
    "edit not shown",
    "sent and written down",
    "a refused send put back",
    "before the lane is given back",
    "lease renewed",
    "what is done keeps its text",
    "what is done has lost its text",
    "upkeep not written down",
)
SELECTED = tuple(point for point in POINTS if point.name not in ONLY_IN_CHAOS)


@contextmanager
def server_for(store: Store) -> Iterator[postgres.Server | None]:
    """A PostgreSQL of the run's own, where it needs one."""
    if store == "sqlite":
        yield None
        return
    with postgres.running() as server:
        yield server


async def kept(run: Run, store: Store, folder: Path) -> None:
    """Run a row; every promise must be kept, and all that was planned must have happened."""
    with server_for(store) as server:
        bench = Bench(folder, store, seed=1, seconds=0.0, server=server)
        await run(bench)
    verdicts = [judge(world) for world in bench.folders]
    bench.weigh([Tried(one.figures.faults, one.figures.met) for one in verdicts])
    assert not bench.missed
    assert not bench.failed
    for verdict in verdicts:
        assert not verdict.violations, "\n".join(map(str, verdict.violations[:5]))


def test_the_selection_has_eighteen_points_and_more() -> None:
    assert len(SELECTED) >= 18
    assert len(POINTS) - len(SELECTED) == len(ONLY_IN_CHAOS)


async def test_a_sqlite_server_that_is_killed_at_any_point_loses_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    await kept(partial(kill_points, points=SELECTED), "sqlite", tmp_path)


@pytest.mark.postgres
async def test_a_postgres_server_that_is_killed_at_any_point_loses_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    await kept(partial(kill_points, points=SELECTED), "postgres", tmp_path)


@pytest.mark.postgres
async def test_a_node_that_wakes_up_when_others_have_answered_changes_nothing(
    tmp_path: Path,
) -> None:
    await kept(zombies, "postgres", tmp_path)
