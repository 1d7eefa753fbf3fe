"""The page's last table, above it what its rows break, below it what fits in no column.

All of it stands between two marks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.faults.matrix import ROWS

BEGIN = "<!-- table: written by `make chaos` -->"
END = "<!-- end of table -->"
UNKNOWN = "–"

Sums = Mapping[str, Any]
"""Of all runs of a row, by the names of `record.Result`."""


def drawn(page: str, rows: Sequence[Sums]) -> str:
    """The page with these sums instead of those that it shows."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    breaks = "".join(f"- `{row.name}`: {row.why}\n" for row in ROWS.values())
    table = HEAD + "".join(_line(cell(one) for _, _, cell in COLUMNS) for one in rows)
    notes = "".join(f"- {place}: {note}\n" for place, note in _notes(rows))
    whole = f"{breaks}\n{table}\n{notes}\n{_together(rows)}"
    return f"{before}{BEGIN}\n\n{whole}\n\n{END}{after}"


def _together(rows: Sequence[Sums]) -> str:
    """What all rows come to."""
    names = ("runs", "messages", "violations", "broken_off", "missed")
    runs, messages, violations, broken, missed = (sum(one[name] for one in rows) for name in names)
    return (
        f"All lines together: {runs:,} runs, {messages:,} messages, {violations:,} violations; "
        f"broken off: {broken:,}, missed something: {missed:,}. What it leaves out stands below it."
    )


def _notes(rows: Sequence[Sums]) -> Iterator[tuple[str, str]]:
    """What a row counts or measures of its own, and why runs of it have missed something."""
    for one in rows:
        place = f"`{one['row']}` on {one['store']}, lease {one['lease']:g} s"
        if one["counts"]:
            yield place, ", ".join(f"{number:,} {name}" for name, number in one["counts"].items())
        for name, least in one["least"].items():
            yield place, f"at least {least:,.0f} {name}"
        if one["reasons"]:
            reasons = (f"{reason} ×{runs}" for reason, runs in one["reasons"].items())
            yield place, f"missed: {'; '.join(reasons)}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _text(name: str) -> Callable[[Sums], str]:
    return lambda sums: str(sums[name])


def _number(name: str) -> Callable[[Sums], str]:
    return lambda sums: UNKNOWN if sums[name] is None else f"{sums[name]:,}"


def _seconds(name: str) -> Callable[[Sums], str]:
    return lambda sums: UNKNOWN if sums[name] is None else f"{sums[name]:.1f} s"


def _answered(sums: Sums) -> str:
    """Earlier runs have not said it: of how many messages it is known stands beside it."""
    known = sums["counted"]
    return UNKNOWN if known is None else f"{sums['answered']:,} of {known:,}"


COLUMNS: tuple[tuple[str, str, Callable[[Sums], str]], ...] = (
    ("row", "---", _text("row")),
    ("on", "---", _text("store")),
    ("runs", "--:", _number("runs")),
    ("faults", "--:", _number("faults")),
    ("messages", "--:", _number("messages")),
    ("violations", "--:", _number("violations")),
    ("broken off", "--:", _number("broken_off")),
    ("missed", "--:", _number("missed")),
    ("repeats", "--:", _number("repeats")),
    ("answered", "--:", _answered),
    ("sentences", "--:", _number("sentences")),
    ("dead letters", "--:", _number("dead")),
    ("never taken", "--:", _number("untaken")),
    ("marks left", "--:", _number("orphans")),
    ("p99 answer", "--:", _seconds("p99_answer")),
    ("p99 recovery", "--:", _seconds("p99_recovery")),
    ("lease", "--:", lambda sums: f"{sums['lease']:g} s"),
    ("last run", "---", _text("date")),
    ("seed", "--:", _text("seed")),
    ("machine", "---", _text("machine")),
)
"""What stands above a column, how it is set, and what stands in it."""
HEAD = _line(name for name, _, _ in COLUMNS) + f"|{'|'.join(how for _, how, _ in COLUMNS)}|\n"
