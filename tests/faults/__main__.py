"""`make chaos`: run rows of the matrix for a while, judge each run, add it to the table."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from tests import postgres
from tests.faults.bench import Bench, Row
from tests.faults.crowd import crowded
from tests.faults.judging import once, say
from tests.faults.matrix import ROWS
from tests.faults.plan import Store
from tests.faults.record import DOCS
from tests.faults.warm import Warm, warm


def main() -> int:
    """0 when every promise was kept in every run, 2 when a row is asked for that is not there."""
    arguments = _parser().parse_args()
    if arguments.list:
        say(_listed())
        return 0
    unknown = [name for name in arguments.rows if name not in ROWS]
    if unknown:
        sys.stderr.write(f"no row is called {', '.join(unknown)}; there are {', '.join(ROWS)}\n")
        return 2
    rows = [ROWS[name] for name in arguments.rows or ROWS]
    stores = {store for row in rows for store in row.stores}
    with postgres.running() if "postgres" in stores else nullcontext() as server:
        return asyncio.run(_warmed(arguments, rows, server))


async def _warmed(
    arguments: argparse.Namespace, rows: list[Row], server: postgres.Server | None
) -> int:
    docs = None if arguments.dry else DOCS
    if arguments.cold:
        return await run(arguments, rows, server, None, docs)
    with tempfile.TemporaryDirectory(prefix="parley-warm-") as folder:
        async with warm(Path(folder)) as started:
            return await run(arguments, rows, server, started, docs)


async def run(
    arguments: argparse.Namespace,
    rows: Sequence[Row],
    server: postgres.Server | None,
    started: Warm | None,
    docs: Path | None,
) -> int:
    """All of them again and again until the time is over; 1 when anything was wrong with one."""
    until = time.monotonic() + arguments.minutes * 60
    # Any seed is as good as another; each is printed and written down, to be run again.
    seed = arguments.seed or random.randrange(1, 10**6)
    well = True
    while True:
        for row, store in _places(rows, arguments.store):
            bench = Bench(
                Path(tempfile.mkdtemp(prefix=f"parley-{row.name}-", dir=arguments.folder)),
                store,
                seed,
                arguments.seconds,
                server,
                lease=arguments.lease,
                warm=started,
                crowded=await crowded(),
            )
            well = await once(row, bench, docs) and well
        seed += 1
        if time.monotonic() >= until:
            return 0 if well else 1


def _places(rows: Sequence[Row], wanted: Store | None) -> Iterator[tuple[Row, Store]]:
    """Each row on each of its databases, or on the one that is wanted."""
    for row in rows:
        for store in row.stores:
            if wanted in (None, store):
                yield row, store


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        epilog=f"what each row breaks:\n{_listed()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="of those below; default all")
    parser.add_argument("--minutes", type=float, default=0.0, help="go on for so long; 0: once")
    parser.add_argument("--seconds", type=float, default=30.0, help="of load in one run")
    parser.add_argument("--lease", type=float, default=2.0, help="seconds; 15 is a server's own")
    parser.add_argument("--store", choices=["sqlite", "postgres"])
    parser.add_argument("--seed", type=int, help="of the first run")
    parser.add_argument("--folder", type=Path, help="where logs are kept while they are needed")
    parser.add_argument("--cold", action="store_true", help="start each server from nothing")
    parser.add_argument("--dry", action="store_true", help="leave the table alone")
    parser.add_argument("--list", action="store_true", help="say what each row breaks, and no more")
    return parser


def _listed() -> str:
    longest = max(map(len, ROWS))
    return "\n".join(f"  {row.name:<{longest}}  {row.why}" for row in ROWS.values())


if __name__ == "__main__":
    sys.exit(main())
