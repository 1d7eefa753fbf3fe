"""The committed table adds up, and is drawn from the sums beside it."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.bench import Bench
from tests.faults.drawing import BEGIN, COLUMNS, END, HEAD
from tests.faults.matrix import ROWS
from tests.faults.record import DOCS, Result, add, read

ONE = Result(
    row="frozen-nodes",
    store="postgres",
    runs=1,
    faults=8,
    messages=640,
    violations=0,
    repeats=1,
    p99_recovery=4.5,
    lease=2.0,
    date="2026-11-21",
    seed=7,
    machine="2 cores",
)
OUTCOMES = (
    *("broken_off", "counted", "answered", "sentences", "dead", "untaken", "orphans", "p99_answer"),
)
"""What the first runs have not written down."""
TOLD = replace(
    ONE,
    counted=640,
    answered=625,
    sentences=8,
    dead=2,
    untaken=5,
    orphans=1,
    p99_answer=3.25,
    broken_off=1,
)
VERDICT: dict[str, Any] = {
    "violations": 1,
    "faults": 5,
    "messages": 100,
    "answered": 97,
    "sentences": 2,
    "repeats": 3,
    "dead": 1,
    "untaken": 0,
    "orphans": 0,
    "p99_answer": 6.0,
    "p99_recovery": None,
}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A page with text around an empty table."""
    (tmp_path / "reliability.md").write_text(f"before\n{BEGIN}\n{END}\nafter\n", encoding="utf-8")
    return tmp_path


def cells_of(docs: Path, row: str) -> dict[str, str]:
    """What stands in the line of this row, by the heads of the columns."""
    lines = (docs / "reliability.md").read_text(encoding="utf-8").splitlines()
    (line,) = [one for one in lines if one.startswith(f"| {row} ")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return dict(zip((name for name, _, _ in COLUMNS), cells, strict=True))


def test_runs_of_a_row_add_up_and_the_worst_recovery_stays(docs: Path) -> None:
    add(ONE, docs)
    add(replace(ONE, p99_recovery=2.0, seed=8), docs)
    add(replace(ONE, row="drains", p99_recovery=None), docs)
    sums = read(docs / "reliability.json")
    both = sums["frozen-nodes", "postgres", 2.0]
    assert (both.runs, both.faults, both.messages, both.repeats) == (2, 16, 1280, 2)
    assert (both.p99_recovery, both.seed) == (4.5, 8)
    assert len(sums) == 2


def test_runs_with_another_lease_have_a_line_of_their_own(docs: Path) -> None:
    add(ONE, docs)
    add(replace(ONE, lease=15.0, p99_recovery=17.5), docs)
    sums = read(docs / "reliability.json")
    assert [one.runs for one in sums.values()] == [1, 1]
    text = (docs / "reliability.md").read_text(encoding="utf-8")
    assert "| 4.5 s | 2 s |" in text
    assert "| 17.5 s | 15 s |" in text


def test_the_table_stands_between_its_marks_and_the_text_around_it_stays(docs: Path) -> None:
    add(ONE, docs)
    add(replace(ONE, missed=1), docs)
    text = (docs / "reliability.md").read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert text.count(HEAD) == 1
    assert "| frozen-nodes | postgres | 2 | 16 | 1,280 | 0 | 0 | 1 | 2 |" in text


def test_above_the_table_stands_what_each_row_breaks_once(docs: Path) -> None:
    add(ONE, docs)
    add(ONE, docs)
    above, _, _ = (docs / "reliability.md").read_text(encoding="utf-8").partition(HEAD)
    assert all(row.why for row in ROWS.values())
    for row in ROWS.values():
        assert above.count(f"- `{row.name}`: {row.why}\n") == 1


def test_what_became_of_the_messages_is_added_up_beside_how_many_it_is_known_of(docs: Path) -> None:
    add(ONE, docs)
    assert cells_of(docs, ONE.row)["answered"] == "–"
    add(TOLD, docs)
    add(TOLD, docs)
    cells = cells_of(docs, ONE.row)
    assert cells["messages"] == "1,920"
    assert cells["answered"] == "1,250 of 1,280"
    ends = ("sentences", "dead letters", "never taken", "marks left")
    assert [cells[name] for name in ends] == ["16", "4", "10", "2"]
    assert (cells["p99 answer"], cells["broken off"]) == ("3.2 s", "2")


def test_sums_from_before_anything_was_missed_or_told_are_read_and_added_to(docs: Path) -> None:
    add(ONE, docs)
    sums = docs / "reliability.json"
    later = {"missed", *OUTCOMES, "reasons", "counts", "least"}
    (row,) = json.loads(sums.read_text())
    sums.write_text(json.dumps([{k: v for k, v in row.items() if k not in later}]))
    (before,) = read(sums).values()
    assert (before.missed, before.broken_off) == (0, 0)
    assert {getattr(before, name) for name in OUTCOMES[1:]} == {None}
    assert not any((before.reasons, before.counts, before.least))
    add(ONE, docs)
    cells = cells_of(docs, ONE.row)
    unknown = ("answered", "sentences", "dead letters", "never taken", "marks left", "p99 answer")
    assert {cells[name] for name in unknown} == {"–"}


def test_a_run_counts_what_its_worlds_came_to_and_each_failed_criterion_as_a_violation() -> None:
    bench = Bench(Path(), "sqlite", seed=9, seconds=1.0, leases=[2.0, 15.0])
    bench.failed += ["n1 has ended by itself", "n1 ended with 1 instead of 0"]
    bench.missed.append("nobody was held")
    one = Result.of("drains", bench, [VERDICT, {**VERDICT, "p99_answer": 8.0}])
    assert (one.messages, one.faults, one.violations) == (200, 10, 4)
    assert (one.missed, one.broken_off, one.lease) == (1, 0, 15.0)
    assert (one.counted, one.answered, one.sentences, one.dead) == (200, 194, 4, 2)
    assert one.untaken == 0
    assert (one.p99_answer, one.p99_recovery) == (8.0, None)


def test_a_run_that_broke_off_is_counted_as_one_of_which_nothing_else_is_known() -> None:
    bench = Bench(Path(), "postgres", seed=9, seconds=1.0, lease=15.0)
    bench.broken_off.append("TimeoutError()")
    bench.counts["torn copies"] += 9  # that nobody has opened
    one = Result.of("drains", bench, [])
    assert (one.runs, one.broken_off, one.messages, one.violations) == (1, 1, 0, 0)
    assert (one.lease, one.counted, one.answered, one.counts) == (15.0, None, None, {})
    assert asdict(TOLD.plus(one))["answered"] == TOLD.answered


def test_the_committed_page_shows_the_committed_sums_of_known_rows() -> None:
    text = (DOCS / "reliability.md").read_text(encoding="utf-8")
    sums = read(DOCS / "reliability.json")
    assert {row for row, _, _ in sums} <= ROWS.keys()
    for row, store, lease in sums:
        one = sums[row, store, lease]
        start = rf"\| {row} \| {store} \| {one.runs:,} \| {one.faults:,} \|"
        assert re.search(rf"{start}.*\| {lease:g} s \|", text)


def notes_of(docs: Path) -> list[str]:
    """What stands below the table, a line for each thing of a row."""
    _, _, below = (docs / "reliability.md").read_text(encoding="utf-8").partition(HEAD)
    return [line for line in below.splitlines() if line.startswith("- ")]


def test_why_a_run_has_missed_something_stands_below_the_table_with_how_many_runs(
    docs: Path,
) -> None:
    late = "p99 of the answers was {} s, at most {} s were right, and others used this machine"
    for missed in (
        [late.format("12.3", "12.0")],
        [late.format("9,012.5", "12")],
        ["nothing passed while the line of n2 was cut", "mb12x3 was never answered"],
        ["nothing passed while the line of n3 was cut"],
        [],
    ):
        bench = Bench(Path(), "postgres", seed=1, seconds=1.0, missed=missed)
        add(Result.of("drains", bench, [VERDICT]), docs)
    assert notes_of(docs) == [
        "- `drains` on postgres, lease 2 s: missed: nothing passed while the line of … was cut ×2; "
        + late.format("…", "…")
        + " ×2; … was never answered ×1"
    ]
    assert cells_of(docs, "drains")["missed"] == "4"


def test_one_reason_counts_once_for_a_run_however_often_it_came(docs: Path) -> None:
    missed = [f"the line of n{number} was never cut" for number in (1, 2, 3)]
    bench = Bench(Path(), "postgres", seed=1, seconds=1.0, missed=missed)
    assert Result.of("drains", bench, [VERDICT]).reasons == {"the line of … was never cut": 1}


def test_what_a_row_counts_adds_up_below_the_table_and_the_least_that_it_measures_stays(
    docs: Path,
) -> None:
    for torn, rate in ((1_000, 131.6), (400, 210.0)):
        bench = Bench(Path(), "sqlite", seed=1, seconds=1.0)
        bench.counts.update({"torn copies": torn, "synced copies": 2 * torn})
        bench.least["messages/s drained"] = rate
        add(Result.of("power-cuts", bench, [VERDICT]), docs)
    assert notes_of(docs) == [
        "- `power-cuts` on sqlite, lease 2 s: 2,800 synced copies, 1,400 torn copies",
        "- `power-cuts` on sqlite, lease 2 s: at least 132 messages/s drained",
    ]


def test_all_lines_are_added_up_below_the_table(docs: Path) -> None:
    add(replace(ONE, violations=2), docs)
    add(replace(TOLD, row="drains", missed=1), docs)
    text = (docs / "reliability.md").read_text(encoding="utf-8")
    told = "2 runs, 1,280 messages, 2 violations; broken off: 1, missed something: 1"
    assert told in text


def test_where_it_is_known_what_became_of_messages_the_committed_sums_account_for_each() -> None:
    for one in read(DOCS / "reliability.json").values():
        ends = (one.answered, one.sentences, one.dead, one.untaken)
        known = sum(end for end in ends if end is not None)
        assert (one.counted or 0) == known or one.violations, one.row


def test_every_committed_run_that_missed_something_has_a_reason() -> None:
    for one in read(DOCS / "reliability.json").values():
        assert sum(one.reasons.values()) >= one.missed, one.row
