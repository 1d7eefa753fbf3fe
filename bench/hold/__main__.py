"""`make load`: every row, or those that `--only` names; `--help` says the rest."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bench.hold import (
    engines,
    figures,
    flight,
    idle,
    rate,
    restart,
    soak,
    stopping,
    store,
    takeover,
)
from bench.hold.figures import Figure
from bench.hold.house import House, house
from bench.hold.plan import QUICK, How, Kind, Row, Sizes, rows
from bench.plan import Database
from bench.talk import WrongAnswersError
from tests import pgbouncer, postgres

PAGE = Path(__file__).parents[2] / "docs" / "load.md"
LIMIT = 1800.0
"""Seconds after which a row is given up, beside its soak."""

MEASURES: dict[Kind, Callable[[House, Row, Sizes], Awaitable[list[Figure]]]] = {
    Kind.ACCEPT: rate.measure,
    Kind.FLIGHT: flight.measure,
    Kind.TAKEOVER: takeover.measure,
    Kind.RESTART: restart.measure,
    Kind.STOP: stopping.measure,
    Kind.IDLE: idle.measure,
    Kind.SOAK: soak.measure,
    Kind.ALONE: engines.measure_alone,
    Kind.WHOLE: engines.measure_whole,
    Kind.STORE: store.measure,
}


class Run:
    """One run: what it has printed, and whether nothing was lost in it."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self.lines: list[str] = []
        self.whole = True

    def say(self, *lines: str) -> None:
        """Print at once, and keep: a run takes an hour."""
        print(*lines, sep="\n", flush=True)
        self.lines += lines

    async def everything(self, chosen: list[Row]) -> None:
        """All that was chosen, in the order of the table."""
        self.say(*figures.HEAD)
        for row in chosen:
            # Peers of its own for each: theirs must not have grown by the rows before.
            with tempfile.TemporaryDirectory(prefix="parley-load-") as folder:
                await self._row(row, Path(folder))

    async def _row(self, row: Row, folder: Path) -> None:
        if row.how is How.POOLER and pgbouncer.find() is None:
            self.say(figures.absent(row.name, "no pgbouncer on this machine"))
            return
        try:
            async with asyncio.timeout(LIMIT + self._sizes.soak_minutes * 60), house(folder) as one:
                found = await MEASURES[row.kind](one, row, self._sizes)
            self.say(*(figures.line(row.name, figure) for figure in found))
        except* (WrongAnswersError, AssertionError, TimeoutError, OSError, RuntimeError) as group:
            self.whole = False
            self.say(figures.failed(row.name, next(_leaves(group))))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def main() -> int:
    """Read the command line and measure; 1 when something was lost or came twice."""
    asked = _parser().parse_args()
    chosen = list(rows(asked.only))
    if not chosen:
        print("no row has these words in its name; --list names them all")
        return 1
    if asked.list:
        print(*(row.name for row in chosen), sep="\n")
        return 0
    if not sys.platform.startswith("linux"):
        print("load reads what Linux tells of other processes; run it there")
        return 1
    if postgres.find_binaries() is None:
        chosen = [row for row in chosen if row.database is Database.SQLITE]
        print("not measured: postgres (no server binaries on this machine)")
    sizes = QUICK if asked.quick else Sizes()
    if asked.minutes is not None:
        sizes = replace(sizes, soak_minutes=asked.minutes)
    run = Run(sizes)
    at, where = datetime.now(UTC), figures.machine()
    uvloop.run(run.everything(chosen))
    if asked.write:
        how = f"{'quick, ' if asked.quick else ''}{asked.only or 'every row'}"
        figures.write(PAGE, run.lines, at=at, where=where, how=how)
    return 0 if run.whole else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.hold", description=__doc__)
    parser.add_argument(
        "--only", default="", help='rows whose name has all these words, as "accept postgres-3"'
    )
    parser.add_argument("--minutes", type=float, help="how long a soak takes (default: 30)")
    parser.add_argument("--quick", action="store_true", help="small: to see that it works")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--write", action="store_true", help="add the table to docs/load.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
