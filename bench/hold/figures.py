"""What a run prints and writes down: one line for each figure, its target beside it."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.load import quantile

HEAD = ("| row | figure | measured | target | |", "|---|---|---:|---:|---|")
MISSED = "OVER"
"""Beside a figure that is above what it may be, or below what it must be."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it was to be."""

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def kept(self) -> bool | None:
        """Whether it reached its target; None where it has none."""
        if self.most is not None:
            return self.value <= self.most
        return None if self.least is None else self.value >= self.least

    @property
    def target(self) -> str:
        """As a reader sees it."""
        if self.most is not None:
            return f"≤ {_number(self.most)}{_spaced(self.unit)}"
        return "" if self.least is None else f"≥ {_number(self.least)}{_spaced(self.unit)}"


def line(row: str, figure: Figure) -> str:
    """A line of the table."""
    verdict = {None: "", True: "ok", False: MISSED}[figure.kept]
    measured = f"{_number(figure.value)}{_spaced(figure.unit)}"
    return f"| {row} | {figure.name} | {measured} | {figure.target} | {verdict} |"


def failed(row: str, why: BaseException) -> str:
    """A row in which something was lost, came twice or did not run at all."""
    said = " ".join(str(why).split()).replace("|", "/")
    return f"| {row} | FAILED: {type(why).__name__}: {said[:200]} | | | {MISSED} |"


def absent(row: str, why: str) -> str:
    """A row that cannot be run here."""
    return f"| {row} | not measured: {why} | | | |"


def waits(name: str, micros: Sequence[int], p50: float | None, p99: float | None) -> list[Figure]:
    """The middle and the end of so many times, in milliseconds, with what they may be."""
    return [
        Figure(f"{name} p50", quantile(micros, 0.5) / 1000, "ms", most=p50),
        Figure(f"{name} p99", quantile(micros, 0.99) / 1000, "ms", most=p99),
    ]


def machine() -> str:
    """How large it is, and how busy with other things."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {memory:.0f} GB, load average before {load:.1f}"


def write(page: Path, lines: Iterable[str], *, at: datetime, where: str, how: str) -> None:
    """Add a run to the page."""
    text = page.read_text(encoding="utf-8").rstrip("\n")
    heading = f"### {at:%Y-%m-%d %H:%M} UTC: {how}"
    page.write_text("\n".join([text, "", heading, "", f"{where}.", "", *lines, ""]), "utf-8")


def _number(value: float) -> str:
    size = abs(value)
    if value == int(value) or size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""
