"""How far hostile plugins move what others see: of all phases together, and twice if at all."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.bench import Bench
from tests.faults.checker.records import Evidence, Message, Screen, Story, Version
from tests.faults.marks import Mark, Talk
from tests.faults.rows.hostility import Phase, compare, compared
from tests.faults.rows.plugins import confirmed

TALK, LINE = Talk("a", 9), Evidence("bot-a.jsonl", "")
WRITTEN = 60
"""Messages of bystanders in a phase."""
USUAL, STALLED = 0.1, 0.5
"""Seconds."""
PEACEFUL = (0, 0, 0, 0, 0)


class Measured:
    """Phases of peace and hostility in turn; so many messages of each hostile one are stalled."""

    def __init__(self, *stalled: Sequence[int], in_peace: Sequence[int] = PEACEFUL) -> None:
        self.story = Story({"lease": 2.0})
        self._left, self._peace = list(stalled), in_peace

    @property
    def left(self) -> int:
        """Measurements that were not asked for."""
        return len(self._left)

    async def measure(self) -> list[Phase]:
        phases: list[Phase] = []
        for here, there in zip(self._peace, self._left.pop(0), strict=True):
            phases += [self._phase(here, hostile=False), self._phase(there, hostile=True)]
        return phases

    def _phase(self, stalled: int, *, hostile: bool) -> Phase:
        phase, story = Phase(hostile=hostile), self.story
        for number in range(WRITTEN):
            mark = Mark(TALK, len(story.messages))
            story.messages[mark] = Message(mark, 0, str(mark))
            took = STALLED if number < stalled else USUAL
            version = Version(round(took * 1_000_000), f"On {mark}: one [end]", LINE)
            story.screens.setdefault(TALK, []).append(Screen(TALK, [version]))
            phase.marks.append(mark)
        return phase


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, "sqlite", seed=1, seconds=1.0)


@pytest.mark.parametrize(
    ("stalled", "worse"),
    [
        ((1, 0, 0, 1, 0), False),
        ((30, 30, 0, 0, 0), False),  # the machine's doing: hostility goes on for five phases
        ((1, 1, 0, 1, 0), True),
        ((9, 9, 9, 9, 9), True),
    ],
)
async def test_the_p99_has_moved_where_it_has_over_all_phases_and_in_the_middle_one(
    stalled: Sequence[int], *, worse: bool
) -> None:
    measured = Measured(stalled)
    phases = await measured.measure()
    assert compared(measured.story, phases).is_worse is worse


async def test_hostility_in_which_no_more_was_slow_than_in_peace_costs_nobody_anything() -> None:
    measured = Measured((1, 1, 1, 0, 0), in_peace=(0, 0, 0, 0, 3))
    assert not compared(measured.story, await measured.measure()).is_worse


async def test_a_stall_of_the_machine_is_no_cost_of_hostility_where_it_does_not_come_again(
    bench: Bench,
) -> None:
    measured = Measured((9, 20, 9, 0, 0), PEACEFUL)
    phases = await confirmed(bench, measured.measure, lambda: measured.story)
    compare(bench, measured.story, phases)
    assert not bench.failed
    assert bench.told[0] == "p99 moved by +400 ms: measured once more"


async def test_what_hostility_costs_others_each_time_has_failed(bench: Bench) -> None:
    measured = Measured((3, 3, 3, 3, 3), (3, 3, 3, 3, 3))
    phases = await confirmed(bench, measured.measure, lambda: measured.story)
    compare(bench, measured.story, phases)
    assert bench.failed == ["p99 moved: 0.100 s of the others by 0.400 s, by hostile plugins"]


async def test_where_hostility_costs_nobody_anything_it_is_measured_once(bench: Bench) -> None:
    measured = Measured(PEACEFUL, PEACEFUL)
    await confirmed(bench, measured.measure, lambda: measured.story)
    assert (measured.left, bench.told) == (1, [])
