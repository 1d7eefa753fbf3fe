"""The committed table adds up, and is drawn from the sums beside it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.matrix import ROWS
from tests.faults.record import BEGIN, DOCS, END, HEAD, Result, add, read

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


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A page with text around an empty table."""
    (tmp_path / "reliability.md").write_text(f"before\n{BEGIN}\n{END}\nafter\n", encoding="utf-8")
    return tmp_path


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
    assert "| frozen-nodes | postgres | 2 | 16 | 1,280 | 0 | 1 | 2 | 4.5 s | 2 s |" in text


def test_sums_from_before_anything_was_missed_are_read(docs: Path) -> None:
    add(ONE, docs)
    sums = docs / "reliability.json"
    before = [
        {k: v for k, v in row.items() if k != "missed"} for row in json.loads(sums.read_text())
    ]
    sums.write_text(json.dumps(before), encoding="utf-8")
    assert [one.missed for one in read(sums).values()] == [0]


def test_the_committed_page_shows_the_committed_sums_of_known_rows() -> None:
    text = (DOCS / "reliability.md").read_text(encoding="utf-8")
    sums = read(DOCS / "reliability.json")
    assert {row for row, _, _ in sums} <= ROWS.keys()
    for row, store, lease in sums:
        one = sums[row, store, lease]
        start = rf"\| {row} \| {store} \| {one.runs:,} \| {one.faults:,} \|"
        assert re.search(rf"{start}.*\| {lease:g} s \|", text)
