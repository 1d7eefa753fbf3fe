"""Trying a mutant: a fresh copy of the tree, the edits, and the tests that should notice."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.source import ROOT, tracked
from tests.mutants.mutant import Mutant

TEST_SECONDS = 60
RUN_SECONDS = 900
PASSED, FAILED = 0, 1
"""What pytest ends with; 2, 4 and 5 (interrupted, misused, nothing found) prove nothing."""

_FAILED = re.compile(r"^FAILED (\S+::[^\[\s]+(?:\[.*?\])?)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How pytest ended, which tests failed (the first is enough), and the end of what it said."""

    code: int | None
    failed: tuple[str, ...]
    said: str

    @property
    def passed(self) -> bool:
        return self.code == PASSED

    @property
    def caught(self) -> bool:
        """A test has failed: not a fixture, not the collection, not the clock of the whole run."""
        return self.code == FAILED and bool(self.failed)


class Trials:
    """The tree as it was at the beginning, and copies of it."""

    def __init__(self, folder: Path) -> None:
        self._tree = folder / "tree"
        self._copy = folder / "copy"
        self._spare = folder / "spare"
        for name in tracked():
            target = self._tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)

    def unmutated(self, mutants: Iterable[Mutant]) -> Iterator[Verdict]:
        """All tests that are asked about these mutants, as the code stands."""
        asked: dict[str, set[str]] = {}
        for one in mutants:
            asked.setdefault(one.only, set()).update(one.tests)
        for only, tests in asked.items():
            with self._fresh() as copy:
                yield self._run(copy, sorted(tests), only)

    def mutated(self, mutant: Mutant) -> Verdict:
        """What the tests say of it.

        Raises:
            RottenError: the code no longer holds what it takes out.
        """
        with self._fresh() as copy:
            for edit in mutant.edits:
                edit.make(copy)
            return self._run(copy, mutant.tests, mutant.only)

    @contextmanager
    def _fresh(self) -> Iterator[Path]:
        shutil.copytree(self._tree, self._copy)
        try:
            yield self._copy
        finally:
            shutil.rmtree(self._copy)
            shutil.rmtree(self._spare, ignore_errors=True)

    def _run(self, copy: Path, tests: Iterable[str], only: str) -> Verdict:
        words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        words += ["--timeout", str(TEST_SECONDS), "--basetemp", str(self._spare)]
        # To draw a failure pytest parses its source otherwise, and Python 3.11.7 may fail at that
        # where garbage is collected meanwhile (python/cpython#106905): then no test has failed.
        words += ["--tb", "native"]
        # The pooled store is PostgreSQL's by its marks, and would be asked the same again.
        words += ["-k", f"{only} and not pooled"] if only else []
        process = subprocess.Popen(
            [*words, *tests],
            cwd=copy,
            # `bot` is the copy's, here and in every server that a test starts.
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            return Verdict(None, (), f"not done after {RUN_SECONDS} s")
        finally:
            if process.poll() is None:  # it took too long, or we are stopped ourselves
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        return Verdict(process.returncode, tuple(_FAILED.findall(said)), said)


@contextmanager
def trials() -> Iterator[Trials]:
    """In a temporary folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="parley-mutants-") as folder:
        yield Trials(Path(folder))
