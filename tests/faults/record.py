"""The committed table: what has been run so far, row by row; later runs add to it.

`docs/reliability.json` holds the sums, `docs/reliability.md` shows them between two marks.
"""

import fcntl
import json
import os
import platform
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

DOCS = Path(__file__).parents[2] / "docs"
BEGIN = "<!-- table: written by `make chaos` -->"
END = "<!-- end of table -->"
HEAD = (
    "| row | on | runs | faults | messages | violations | missed | repeats | p99 recovery "
    "| lease | last run | seed | machine |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|---|\n"
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one run, or all runs of a row so far, came to."""

    row: str
    store: str
    runs: int
    faults: int
    messages: int
    violations: int
    repeats: int
    p99_recovery: float | None
    """Seconds; of all runs so far the worst."""
    lease: float
    date: str
    seed: int
    machine: str
    missed: int = 0
    """Runs in which something that was planned did not happen: they have shown nothing of it."""

    @classmethod
    def of(
        cls,
        row: str,
        store: str,
        seed: int,
        verdicts: list[dict[str, Any]],
        *,
        missed: bool = False,
    ) -> Self:
        """One run's, from what the checker said of its worlds."""
        recoveries = [one["p99_recovery"] for one in verdicts if one["p99_recovery"] is not None]
        return cls(
            row=row,
            store=store,
            runs=1,
            faults=sum(one["faults"] for one in verdicts),
            messages=sum(one["messages"] for one in verdicts),
            violations=sum(one["violations"] for one in verdicts),
            repeats=sum(one["repeats"] for one in verdicts),
            p99_recovery=max(recoveries, default=None),
            lease=max((one["lease"] for one in verdicts), default=0.0),
            date=datetime.now(UTC).date().isoformat(),
            seed=seed,
            machine=machine(),
            missed=int(missed),
        )

    def plus(self, later: "Result") -> "Result":
        """Both together; the later one says when, where and with which seed last."""
        recoveries = [r.p99_recovery for r in (self, later) if r.p99_recovery is not None]
        sums = {
            name: getattr(self, name) + getattr(later, name)
            for name in ("runs", "missed", "faults", "messages", "violations", "repeats")
        }
        return Result(**{**asdict(later), **sums, "p99_recovery": max(recoveries, default=None)})


def machine() -> str:
    """The size of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}"


def add(result: Result, docs: Path = DOCS) -> None:
    """Add one run to the sums and draw the table anew; several `make chaos` may go on at once."""
    file = docs / "reliability.json"
    with (docs / "reliability.md").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _add(result, file, docs / "reliability.md")


def _add(result: Result, file: Path, page: Path) -> None:
    known = read(file)
    place = (result.row, result.store, result.lease)
    known[place] = known[place].plus(result) if place in known else result
    rows = [asdict(known[place]) for place in sorted(known)]
    file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = HEAD + "".join(map(_line, (known[place] for place in sorted(known))))
    page.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")


def read(file: Path) -> dict[tuple[str, str, float], Result]:
    """The sums so far, by row, database and lease."""
    if not file.exists():
        return {}
    names = {field.name for field in fields(Result)}
    rows = json.loads(file.read_text(encoding="utf-8"))
    results = (Result(**{name: row[name] for name in names & row.keys()}) for row in rows)
    return {(one.row, one.store, one.lease): one for one in results}


def _line(one: Result) -> str:
    recovery = "–" if one.p99_recovery is None else f"{one.p99_recovery:.1f} s"
    cells = [
        *(one.row, one.store),
        *(f"{number:,}" for number in (one.runs, one.faults, one.messages)),
        *(f"{number:,}" for number in (one.violations, one.missed, one.repeats)),
        *(recovery, f"{one.lease:g} s", one.date, str(one.seed), one.machine),
    ]
    return f"| {' | '.join(cells)} |\n"
