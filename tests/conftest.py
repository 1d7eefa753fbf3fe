"""Fixtures for every room, and the rule for tests that need what a machine may not have.

A test marked `browser`, `postgres`, `pgbouncer`, `fixtures`, `cables` or `vfs` is left out where
that is absent, and the last line of the run names it. `PARLEY_REQUIRE=browser,postgres,fixtures`
makes absence a failure.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import needs, pgbouncer, postgres

ABSENT = pytest.StashKey[dict[str, str]]()
NOT_RUN = pytest.StashKey[set[str]]()
KINDS = ("browser", "postgres", "pgbouncer", "fixtures", "cables", "vfs")
SELECTION = "tests/faults/test_selection"

# An example may take long where the machine is busy with something else, and what was drawn must
# not decide whether a change passes. Of itself it would be so under `.ci/run` only, which sets CI.
hypothesis.settings.register_profile(
    "parley",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("parley")


@pytest.fixture(autouse=True)
def _library_loggers_as_they_were() -> Iterator[None]:
    """Adapters silence their libraries for the whole process; the next test starts afresh."""
    loggers = [logging.getLogger(name) for name in ("telegram", "slack_sdk", "slack_bolt")]
    were = [(logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (level, propagate) in zip(loggers, were, strict=True):
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.fixture(scope="session")
def shared() -> Path | None:
    """The folder of shared recordings, or None in a clone without it."""
    return needs.shared()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; for tests marked `browser`."""
    path = needs.chromium()
    assert path is not None, "mark the test with pytest.mark.browser"
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A private PostgreSQL for this test process; it is gone when the process is."""
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def pooler(postgres_server: postgres.Server) -> Iterator[pgbouncer.Pooler]:
    """A PgBouncer in transaction mode in front of the private PostgreSQL."""
    with pgbouncer.running(postgres_server.port) as found:
        yield found


@pytest.fixture
async def postgres_url(postgres_server: postgres.Server) -> AsyncIterator[str]:
    """An empty database of this test's own."""
    url = await postgres_server.create()
    yield url
    await postgres_server.drop(url)


def pytest_configure(config: pytest.Config) -> None:
    """Look at the machine once; stop at once when something required is absent."""
    absent, required = needs.absent(), needs.required()
    if unknown := required - set(KINDS):
        raise pytest.UsageError(f"PARLEY_REQUIRE knows {', '.join(KINDS)}; not {sorted(unknown)}")
    if lacking := sorted(required & absent.keys()):
        reasons = "; ".join(f"{kind} ({absent[kind]})" for kind in lacking)
        raise pytest.UsageError(f"PARLEY_REQUIRE asks for what is not here: {reasons}")
    config.stash[ABSENT] = absent
    not_run: set[str] = set()
    config.stash[NOT_RUN] = not_run


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here and remember why."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        lacking = _needs(item) & config.stash[ABSENT].keys()
        config.stash[NOT_RUN].update(lacking)
        (left_out if lacking else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the process that prints; only the workers collect."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        not_run = session.config.stash[NOT_RUN]
        output["not_run"] = sorted(not_run)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker could not run; a worker that crashed has nothing to tell."""
    output: dict[str, Any] = getattr(node, "workeroutput", {})
    not_run: set[str] = node.config.stash[NOT_RUN]
    not_run.update(output.get("not_run", ()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How long the selection of fault runs took, on however many workers: it has four minutes."""
    reports = (report for those in terminalreporter.stats.values() for report in those)
    took = [
        report
        for report in reports
        if isinstance(report, pytest.TestReport) and report.nodeid.startswith(SELECTION)
    ]
    if took:
        seconds = sum(report.duration for report in took)
        tests = len({report.nodeid for report in took})
        terminalreporter.write_line(f"selection of faults: {tests} tests, {seconds:.0f} s of tests")


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line of the run names what this machine could not show."""
    not_run = config.stash.get(NOT_RUN, None)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or not not_run or hasattr(config, "workeroutput"):
        return
    reasons = (f"{kind} ({config.stash[ABSENT][kind]})" for kind in KINDS if kind in not_run)
    terminal.write_line(f"not run here: {', '.join(reasons)}", yellow=True)


def _needs(item: pytest.Item) -> set[str]:
    marked = {kind for kind in KINDS if item.get_closest_marker(kind)}
    asked = getattr(item, "fixturenames", ())
    return marked | {kind for fixture, kind in needs.NEEDED_BY_FIXTURE.items() if fixture in asked}
