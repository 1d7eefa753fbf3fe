"""A run that breaks off is written down as one, and the next one goes on."""

import argparse
from pathlib import Path

import pytest

from tests.faults.__main__ import run
from tests.faults.bench import Bench, Row, Tried
from tests.faults.checker.records import Evidence, Message, Screen, Story, Version
from tests.faults.doctor_screens import SORRY
from tests.faults.drawing import BEGIN, END
from tests.faults.judging import once
from tests.faults.marks import Mark, Talk
from tests.faults.node import End, Unmet
from tests.faults.plan import Store
from tests.faults.record import Result, read
from tests.faults.rows.deadly import innocent
from tests.faults.rows.hostility import Phase, compare

PEACE = 100_000
"""Microseconds that an answer takes."""


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Where a table is kept."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "reliability.md").write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    return folder


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """For a row that makes no world."""
    folder = tmp_path / "logs"
    folder.mkdir()
    return Bench(folder, "sqlite", seed=1, seconds=1.0)


def recorded(docs: Path) -> dict[str, Result]:
    return {one.row: one for one in read(docs / "reliability.json").values()}


async def stumbles(bench: Bench) -> None:
    raise ValueError("the harness's own mistake")


async def does_not_end(bench: Bench) -> None:
    try:
        raise Unmet("n1 was told to stop, and is there 30 s later")
    finally:
        raise ConnectionError("and its database could not be dropped")


async def fails(bench: Bench) -> None:
    bench.failed += ["n1 has ended by itself", "n1 ended with 1 instead of 0"]


async def misses(bench: Bench) -> None:
    bench.missed.append("nobody was held")


async def test_a_run_that_an_exception_ends_is_one_that_broke_off_and_its_logs_are_kept(
    bench: Bench, docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not await once(Row("stumbling", ("sqlite",), stumbles), bench, docs)
    one = recorded(docs)["stumbling"]
    assert (one.runs, one.broken_off, one.violations, one.missed) == (1, 1, 0, 0)
    assert bench.folder.exists()
    said = capsys.readouterr().out
    assert 'broken off by ValueError("the harness\'s own mistake")' in said
    assert "Traceback" in said


async def test_what_a_server_did_not_do_is_a_violation_whatever_else_goes_wrong_then(
    bench: Bench, docs: Path
) -> None:
    assert not await once(Row("stuck", ("sqlite",), does_not_end), bench, docs)
    one = recorded(docs)["stuck"]
    assert (one.broken_off, one.violations) == (1, 1)
    assert bench.failed == ["n1 was told to stop, and is there 30 s later"]


async def test_what_failed_counts_as_violations_and_what_was_missed_does_not(
    bench: Bench, docs: Path, tmp_path: Path
) -> None:
    assert not await once(Row("failing", ("sqlite",), fails), bench, docs)
    other = Bench(tmp_path, "sqlite", seed=1, seconds=1.0)
    assert not await once(Row("missing", ("sqlite",), misses), other, docs)
    results = recorded(docs)
    assert (results["failing"].violations, results["failing"].broken_off) == (2, 0)
    assert (results["missing"].violations, results["missing"].missed) == (0, 1)


async def test_a_dry_run_writes_nothing_down(bench: Bench, docs: Path) -> None:
    assert not await once(Row("failing", ("sqlite",), fails), bench, None)
    assert not recorded(docs)


@pytest.mark.slow
async def test_the_next_run_goes_on_behind_one_that_broke_off_and_the_end_is_not_0(
    tmp_path: Path, docs: Path
) -> None:
    places = {"folder": tmp_path, "store": None, "seed": 1}
    arguments = argparse.Namespace(minutes=0.0, seconds=1.0, lease=2.0, **places)
    rows = [Row("stumbling", ("sqlite",), stumbles), Row("missing", ("sqlite",), misses)]
    assert await run(arguments, rows, None, None, docs) == 1
    assert {one.row: (one.broken_off, one.missed) for one in recorded(docs).values()} == {
        "stumbling": (1, 0),
        "missing": (0, 1),
    }


@pytest.mark.parametrize("crowded", [False, True])
def test_what_took_too_long_has_failed_unless_others_used_the_machine(
    bench: Bench, *, crowded: bool
) -> None:
    bench.crowded = crowded
    bench.slow("n2 did not take over")
    assert len(bench.missed if crowded else bench.failed) == 1
    assert not (bench.failed if crowded else bench.missed)


@pytest.mark.parametrize("crowded", [False, True])
def test_a_server_that_ended_has_failed_unless_it_was_late_where_others_used_the_machine(
    bench: Bench, *, crowded: bool
) -> None:
    bench.crowded = crowded
    bench.blame([End("n1 ended by itself with 1"), End("n2 ended by itself with 86", slow=True)])
    assert len(bench.failed) == (1 if crowded else 2)
    assert len(bench.missed) == (1 if crowded else 0)


@pytest.mark.parametrize(
    ("store", "p99", "messages", "late"),
    [
        ("postgres", 11.9, 500, False),
        ("postgres", 12.1, 500, True),
        ("postgres", 12.1, 499, False),
        ("postgres", None, 500, False),
        ("sqlite", 12.1, 500, False),
    ],
)
def test_where_others_take_over_nobody_waits_for_long(
    store: Store, p99: float | None, messages: int, *, late: bool
) -> None:
    bench = Bench(Path(), store, seed=1, seconds=1.0, leases=[2.0])
    bench.weigh([Tried(1, 1, p99, messages)], prompt=True)
    assert bool(bench.failed) is late
    assert not bench.missed


def test_where_nobody_takes_over_an_answer_may_take_its_time() -> None:
    other = Bench(Path(), "postgres", seed=1, seconds=1.0, leases=[2.0])
    other.weigh([Tried(1, 1, 99.0, 500)])
    assert not other.failed


@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("slower", [1.1, 2.0])
def test_hostility_that_moves_the_p99_of_others_fails_where_nobody_else_used_the_machine(
    bench: Bench, *, crowded: bool, slower: float
) -> None:
    bench.crowded = crowded
    story, phases = peace_and_hostility(slower)
    compare(bench, story, phases)
    moved = bench.missed if crowded else bench.failed
    assert [one.startswith("p99 moved") for one in moved] == ([True] if slower > 1.2 else [])
    assert not (bench.failed if crowded else bench.missed)


@pytest.mark.parametrize("crowded", [False, True])
def test_of_bystanders_those_who_were_taken_have_an_answer_and_a_sentence_only_from_a_slow_machine(
    bench: Bench, *, crowded: bool
) -> None:
    bench.crowded = crowded
    story, talk, line = Story({"lease": 2.0}), Talk("a", 9), Evidence("bot-a.jsonl", "")
    untaken, told, lost = (Mark(talk, number) for number in range(3))
    for mark, at in ((untaken, 1), (told, 2), (lost, 20)):
        taken = None if mark is untaken else at + 1
        story.messages[mark] = Message(mark, at, str(at), acknowledged_at=taken)
    story.screens[talk] = [Screen(talk, [Version(10, SORRY, line)])]
    innocent(bench, story, {})
    assert f"1 bystanders have no answer: {lost}" in bench.failed
    (sentence,) = bench.missed if crowded else bench.failed[1:]
    assert f"given up with a sentence: {told}" in sentence


def peace_and_hostility(slower: float) -> tuple[Story, list[Phase]]:
    """One message in each phase; under hostility its answer takes so many times as long."""
    story, talk = Story({"lease": 2.0}), Talk("a", 9)
    phases = [Phase(hostile=bool(number % 2)) for number in range(6)]
    for number, phase in enumerate(phases):
        mark, at = Mark(talk, number), number * 1_000_000
        there = at + round(PEACE * (slower if phase.hostile else 1.0))
        line = Evidence("bot-a.jsonl", "")
        story.messages[mark] = Message(mark, at, str(number))
        answer = Screen(talk, [Version(there, f"On {mark}: one [end]", line)])
        story.screens.setdefault(talk, []).append(answer)
        phase.marks.append(mark)
    return story, phases
