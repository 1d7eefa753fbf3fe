"""Others who use the machine are seen in its own books, before a run and after it."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.faults.bench import Bench, Row
from tests.faults.crowd import busy, crowded
from tests.faults.judging import once

CORES = os.cpu_count() or 1


@pytest.mark.parametrize(("rested", "cores"), [(100, 0.0), (50, 0.5), (0, 1.0)])
def test_who_is_at_work_is_counted_in_cores(rested: int, cores: float) -> None:
    assert busy((1000, 5000), (1000 + rested, 5100)) == pytest.approx(cores * CORES)


def test_a_look_in_which_nothing_has_passed_sees_nobody() -> None:
    assert busy((1000, 5000), (1000, 5000)) == 0.0


@pytest.mark.parametrize(("resting", "full"), [(200, False), (0, True)])
async def test_a_machine_that_works_for_others_is_crowded(
    tmp_path: Path, *, resting: int, full: bool
) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu 1000 0 500 8000 100 0 0 0 0 0\ncpu0 1 2 3\n")
    looking = asyncio.create_task(crowded(stat, 0.0))
    await asyncio.sleep(0)  # it has looked once
    stat.write_text(f"cpu {1200 - resting} 0 500 {8000 + resting} 100 0 0 0 0 0\n")
    assert await looking is full


async def test_this_machine_can_be_asked() -> None:
    assert await crowded(look=0.01) in (True, False)


@pytest.mark.parametrize("busy_before", [False, True])
@pytest.mark.parametrize("busy_after", [False, True])
async def test_a_limit_of_time_is_judged_where_the_machine_was_quiet_before_and_afterwards(
    tmp_path: Path, *, busy_before: bool, busy_after: bool
) -> None:
    async def look() -> bool:
        return busy_after

    async def slow(bench: Bench) -> None:
        bench.slow("n2 did not take over")
        bench.failed.append("n1 has ended by itself")

    bench = Bench(tmp_path, "sqlite", seed=1, seconds=1.0, crowded=busy_before, look=look)
    await once(Row("slow", ("sqlite",), slow), bench, None)
    assert ("n2 did not take over" in bench.failed) is not (busy_before or busy_after)
    assert len(bench.missed) == 1 + (busy_before or busy_after)  # nothing went wrong, it says
    assert "n1 has ended by itself" in bench.failed
