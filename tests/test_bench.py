"""`make bench`: its rows, its ceilings, and one row of it on the running program."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import table
from bench.growth import Turn
from bench.load import Cost, quantile
from bench.plan import Database, Platform, Shape, cases
from bench.talk import Talk, WrongAnswersError

ROOT = Path(__file__).parents[1]


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


class Loopback(Talk):
    """Answers itself: so often, and so."""

    def __init__(self, *answers: str) -> None:
        super().__init__("right")
        self._answers = answers

    async def say(self, number: int) -> None:
        for answer in self._answers:
            self.came(answer, 0)


def test_every_platform_shape_and_database_is_measured_at_1_and_at_50_in_flight() -> None:
    rows = list(cases())
    for platform in Platform:
        shapes = set(Shape) if platform.grows else {Shape.WHOLE}
        names = {row.name for row in rows if row.platform is platform}
        assert len(names) == len(Database) * len(shapes) * 2
    assert {row.in_flight for row in rows} == {1, 50}


def test_rows_are_chosen_by_all_their_words() -> None:
    names = [row.name for row in cases(only="whole 50 telegram")]
    assert names == ["sqlite telegram whole 50", "postgres telegram whole 50"]


def test_a_ceiling_holds_on_sqlite_at_50_in_flight_and_streams_have_their_own() -> None:
    ceilings = {row.name: row.ceiling for row in cases() if row.ceiling is not None}
    whole = {f"sqlite {platform} whole 50": 2.5 for platform in Platform}
    growing = {
        f"sqlite {platform} {shape} 50": 6.0
        for platform in Platform
        for shape in ("burst", "paced")
        if platform.grows
    }
    assert ceilings == whole | growing


@pytest.mark.parametrize(("cpu", "word"), [(2.5, "ok"), (2.6, "OVER")])
def test_a_row_says_whether_it_kept_its_ceiling(cpu: float, word: str) -> None:
    bare = Cost("bare", 1, 0.02, 1, 1, 1, 1)
    cost = Cost("row", 10, cpu, 1, 1, 1, 1, ceiling=2.5)
    line = table.line(cost, bare)
    assert word in line
    assert f" {cpu / 0.02:.0f} " in line


def test_a_conversation_that_reads_more_when_it_is_old_is_over() -> None:
    early, late = Turn(60, 50, 400, 9000, 2.0), Turn(600, 51, 500, 9000, 2.5)
    *_, verdict = table.of_growth(early, late)
    assert verdict == "rows and prompt equal: OVER; CPU ratio 1.25, OVER (≤ 1.2 times)"


def test_quantiles_are_values_that_were_measured() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(range(1, 101), 0.99) == 99


@pytest.mark.parametrize("answers", [("right", "right"), ("wrong",)])
async def test_answers_that_come_twice_or_are_wrong_fail_their_row(answers: tuple[str]) -> None:
    talk = Loopback(*answers)
    await talk.ask()
    with pytest.raises(WrongAnswersError):
        talk.check()


@pytest.mark.slow
def test_the_rows_can_be_listed_without_measuring() -> None:
    listed = bench("--list", "--quick")
    assert listed.stdout.splitlines() == [row.name for row in cases([Database.SQLITE])]


@pytest.mark.slow
def test_a_row_is_measured_on_the_running_program() -> None:
    ran = bench("--quick", "--only", "telegram whole 1")
    assert ran.returncode == 0, ran.stderr
    head, _, bare, crowded, row = ran.stdout.splitlines()
    assert head.count("|") == bare.count("|") == crowded.count("|") == row.count("|")
    assert row.startswith("| sqlite telegram whole 1 | 40 |")
