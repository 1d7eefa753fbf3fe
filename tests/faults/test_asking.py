"""What `make chaos` is asked for is looked at before anything is started."""

import subprocess
import sys

import pytest

from tests.faults.matrix import ROWS
from tests.needs import ROOT


@pytest.mark.slow
def test_a_row_that_is_not_known_is_told_in_one_sentence_with_those_that_are() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults", "nonsense"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    (said,) = ended.stderr.splitlines()
    for name in ("nonsense", *ROWS):
        assert name in said


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--list", "--help"])
def test_what_each_row_breaks_is_told_beside_its_name(how: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults", how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0
    lines = [line.split(maxsplit=1) for line in ended.stdout.splitlines()]
    for row in ROWS.values():
        assert [row.name, row.why] in lines
