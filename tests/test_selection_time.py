"""A run of the tests says how long its selection of faults took."""

from pathlib import Path

import pytest

from tests.needs import ROOT

pytest_plugins = ["pytester"]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Two tests in files of the selection and one elsewhere, under our conftest."""
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    folder = Path(pytester.path, "tests", "faults")
    folder.mkdir(parents=True)
    for name in ("test_selection", "test_selection_disk", "test_marks"):
        (folder / f"{name}.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PARLEY_REQUIRE", raising=False)
    return pytester


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_at_the_end_stands_how_long_the_selection_of_faults_took(
    suite: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    result = suite.runpytest_subprocess(*workers)
    result.assert_outcomes(passed=3)
    result.stdout.re_match_lines([r"selection of faults: 2 tests, \d+ s of tests"])


@pytest.mark.slow
def test_a_run_without_it_says_nothing_of_it(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("tests/faults/test_marks.py")
    result.assert_outcomes(passed=1)
    result.stdout.no_re_match_line("selection of faults")
