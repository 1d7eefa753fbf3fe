"""The committed table: what has been run so far, row by row; later runs add to it.

`docs/reliability.json` holds the sums, `docs/reliability.md` shows them between two marks.
"""

import fcntl
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tests.faults.bench import Bench
from tests.faults.drawing import drawn

DOCS = Path(__file__).parents[2] / "docs"
FIGURE = re.compile(r"\b(?:m?[abn]\d+(?:x\d+)?|\d+(?:[.,]\d+)*)\b")
"""What differs from run to run in a reason: a message, a conversation, a node, a number."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run, or all runs of a row so far, came to; None where no run has said so yet."""

    row: str
    store: str
    runs: int
    faults: int
    messages: int
    violations: int
    """Of promises, and criteria that did not hold."""
    repeats: int
    p99_recovery: float | None
    """Seconds; of all runs so far the worst."""
    lease: float
    date: str
    seed: int
    machine: str
    missed: int = 0
    """Runs in which something that was planned did not happen: they have shown nothing of it."""
    broken_off: int = 0
    """Runs that came to no end: what their logs say is not judged."""
    counted: int | None = None
    """Messages of the runs that say what became of them, in the next four, each in one of them."""
    answered: int | None = None
    sentences: int | None = None
    """Messages that have a sentence instead of an answer."""
    dead: int | None = None
    """Messages with neither, whose answers are dead letters."""
    untaken: int | None = None
    """Messages that no server ever acknowledged, and of which nothing came."""
    orphans: int | None = None
    """Marks of thinking that stayed because their sender died while it put them there."""
    p99_answer: float | None = None
    """Seconds from a message to its answer; of the runs that say so the worst."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why something was missed, and in how many runs; the harness's own words, without figures."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the row counts of its own."""
    least: Mapping[str, float] = field(default_factory=dict)
    """What it measures of its own; of all runs the least."""

    @classmethod
    def of(cls, row: str, bench: Bench, verdicts: Sequence[Mapping[str, Any]]) -> Self:
        """One run's, from what the checker said of its worlds: nothing of one that broke off."""

        def total(name: str) -> int | None:
            return sum(one[name] for one in verdicts) if verdicts else None

        return cls(
            row=row,
            store=bench.store,
            runs=1,
            faults=total("faults") or 0,
            messages=total("messages") or 0,
            violations=(total("violations") or 0) + len(bench.failed),
            repeats=total("repeats") or 0,
            p99_recovery=_worst(one["p99_recovery"] for one in verdicts),
            lease=max(bench.leases, default=bench.lease),
            date=datetime.now(UTC).date().isoformat(),
            seed=bench.seed,
            machine=machine(),
            missed=int(bool(bench.missed)),
            broken_off=int(bool(bench.broken_off)),
            counted=total("messages"),
            answered=total("answered"),
            sentences=total("sentences"),
            dead=total("dead"),
            untaken=total("untaken"),
            orphans=total("orphans"),
            p99_answer=_worst(one["p99_answer"] for one in verdicts),
            reasons=dict.fromkeys(sorted(map(reason_of, bench.missed)), 1),
            # Nobody has judged what a run that broke off has counted.
            counts=dict(sorted(bench.counts.items())) if verdicts else {},
            least=dict(sorted(bench.least.items())) if verdicts else {},
        )

    def plus(self, later: "Result") -> "Result":
        """Both together; the later one says when, where and with which seed last."""
        sums = {name: _sum(getattr(one, name) for one in (self, later)) for name in SUMS}
        worst = {name: _worst(getattr(one, name) for one in (self, later)) for name in WORST}
        kept: dict[str, Any] = {
            "reasons": _added(self.reasons, later.reasons),
            "counts": _added(self.counts, later.counts),
            "least": _least(self.least, later.least),
        }
        return Result(**{**asdict(later), **sums, **worst, **kept})


SUMS = (
    *("runs", "missed", "broken_off", "faults", "messages", "violations", "repeats"),
    *("counted", "answered", "sentences", "dead", "untaken", "orphans"),
)
WORST = ("p99_recovery", "p99_answer")


def _sum(those: Iterable[int | None]) -> int | None:
    known = [one for one in those if one is not None]
    return sum(known) if known else None


def _worst(those: Iterable[float | None]) -> float | None:
    return max((one for one in those if one is not None), default=None)


def reason_of(missed: str) -> str:
    """The same for every run in which the same did not happen."""
    return FIGURE.sub("…", missed)


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    names = sorted(one.keys() | other.keys())
    return {name: one.get(name, 0) + other.get(name, 0) for name in names}


def _least(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    names = sorted(one.keys() | other.keys())
    return {name: min(those[name] for those in (one, other) if name in those) for name in names}


def machine() -> str:
    """The size of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}"


def add(result: Result, docs: Path = DOCS) -> None:
    """Add one run to the sums and draw the table anew; several `make chaos` may go on at once."""
    file, page = docs / "reliability.json", docs / "reliability.md"
    with page.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read(file)
        place = (result.row, result.store, result.lease)
        known[place] = known[place].plus(result) if place in known else result
        rows = [asdict(known[place]) for place in sorted(known)]
        file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        page.write_text(drawn(page.read_text(encoding="utf-8"), rows), encoding="utf-8")


def read(file: Path) -> dict[tuple[str, str, float], Result]:
    """The sums so far, by row, database and lease."""
    if not file.exists():
        return {}
    names = {one.name for one in fields(Result)}
    rows = json.loads(file.read_text(encoding="utf-8"))
    results = (Result(**{name: row[name] for name in names & row.keys()}) for row in rows)
    return {(one.row, one.store, one.lease): one for one in results}
