"""What a query gave, as a person and a model can read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

_CELL = 300
_WHOLE = 8000


@dataclass(frozen=True, slots=True)
class Rows:
    """The columns' names and the values; `more` when there were further rows."""

    columns: Sequence[str]
    values: Sequence[Sequence[object]]
    more: bool = False


def shown(rows: Rows, locale: str) -> str:
    """One row as lines `name: value`, several as a table."""
    zh = locale.startswith("zh")
    if not rows.values:
        return "没有找到。" if zh else "Nothing was found."
    if len(rows.values) == 1 and not rows.more:
        pairs = zip(rows.columns, rows.values[0], strict=True)
        return _cut("\n".join(f"- {name}: {_cell(value)}" for name, value in pairs), zh=zh)
    lines = [_line(rows.columns), _line(["---"] * len(rows.columns))]
    lines += [_line([_cell(value) for value in row]) for row in rows.values]
    text = _cut("\n".join(lines), zh=zh)
    if not rows.more:
        return text
    count = len(rows.values)
    return text + (f"\n\n（只列出前 {count} 行）" if zh else f"\n\n(only the first {count} rows)")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '／') for cell in cells)} |"


def _cut(text: str, *, zh: bool) -> str:
    if len(text) <= _WHOLE:
        return text
    mark = "（太长，后面省略）" if zh else "(too long, the rest is left out)"
    return f"{text[:_WHOLE]}…\n\n{mark}"


def _cell(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "true" if value else "false"
        case bytes() | bytearray() | memoryview():
            return f"({len(value)} bytes)"
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case date() | time():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
    # A line break would end the row.
    text = " ".join(str(value)[: _CELL + 1].split())
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"
