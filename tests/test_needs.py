"""What happens to tests that this machine cannot run."""

from pathlib import Path

import pytest

from tests.needs import ROOT

pytest_plugins = ["pytester"]

ONE_OF_EACH = """
import pytest

def test_plain():
    pass

@pytest.mark.browser
def test_page():
    pass

@pytest.mark.fixtures
def test_recording():
    pass
"""


@pytest.fixture
def bare(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite under our rule, on a machine without a browser and without the recordings."""
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(ONE_OF_EACH)
    pytester.makeini(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
        "markers =\n browser: \n fixtures: \n postgres: \n pgbouncer: \n"
    )
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PARLEY_SHARED", str(Path(pytester.path, "nowhere")))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PARLEY_REQUIRE", raising=False)
    return pytester


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_cannot_run_is_named_on_the_last_line(
    bare: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    result = bare.runpytest_subprocess(*workers)
    result.assert_outcomes(passed=1, **({} if workers else {"deselected": 2}))
    assert result.ret == 0
    assert result.outlines[-1].startswith("not run here: browser (no chromium on PATH), fixtures (")


@pytest.mark.slow
def test_what_is_required_and_absent_fails_the_run(
    bare: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_REQUIRE", "browser,fixtures")
    result = bare.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*PARLEY_REQUIRE asks for what is not here: browser (no chromium*"]
    )


@pytest.mark.slow
def test_a_requirement_that_nobody_knows_is_refused(
    bare: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_REQUIRE", "borwser")
    result = bare.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*PARLEY_REQUIRE knows browser, postgres, pgbouncer, fixtures*borwser*"]
    )
