"""The table in `docs/reliability.md`: which test noticed that a promise was taken out."""

import fcntl
import re
from collections.abc import Mapping
from pathlib import Path

from tests.architecture.source import ROOT
from tests.mutants.listed import ALL

PAGE = ROOT / "docs" / "reliability.md"
BEGIN = "<!-- mutants: written by `make mutants ARGS=--write` -->"
END = "<!-- end of mutants -->"
HEAD = "| mutant | what is taken out | the test that notices |\n|---|---|---|\n"

_LINE = re.compile(r"^\| `(\S+)` \| (.+) \| `([^`]+)` \|$", re.MULTILINE)


def read(page: Path = PAGE) -> dict[str, tuple[str, str]]:
    """What each mutant of the table takes out, and the test that notices."""
    _, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    table, _, _ = rest.partition(END)
    return {name: (says, test) for name, says, test in _LINE.findall(table)}


def write(noticed: Mapping[str, str], page: Path = PAGE) -> None:
    """Draw the table anew; what was not tried now stays as it was noticed before."""
    # `make chaos` writes another part of the page, and locks it the same way.
    with page.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tests = {name: test for name, (_, test) in read(page).items()} | dict(noticed)
        lines = [
            f"| `{name}` | {one.says} | `{tests[name]}` |\n"
            for name, one in ALL.items()
            if name in tests
        ]
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        table = f"{BEGIN}\n\n{HEAD}{''.join(lines)}\n{END}"
        page.write_text(f"{before}{table}{after}", encoding="utf-8")
