"""`make chaos`: run rows of the matrix for a while, judge each run, add it to the table."""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tests import postgres
from tests.faults.bench import Bench, Row, Tried
from tests.faults.matrix import ROWS
from tests.faults.record import Result, add
from tests.faults.warm import Warm, warm

ROOT = Path(__file__).parents[2]


def main() -> int:
    """0 when every promise was kept in every run, 2 when a row is asked for that is not there."""
    arguments = _parser().parse_args()
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
    if arguments.cold:
        return await _run(arguments, rows, server, None)
    with tempfile.TemporaryDirectory(prefix="parley-warm-") as folder:
        async with warm(Path(folder)) as started:
            return await _run(arguments, rows, server, started)


async def _run(
    arguments: argparse.Namespace,
    rows: list[Row],
    server: postgres.Server | None,
    started: Warm | None,
) -> int:
    until = time.monotonic() + arguments.minutes * 60
    # Any seed is as good as another; each is printed and written down, to be run again.
    seed = arguments.seed or random.randrange(1, 10**6)
    kept = 0
    while True:
        for row in rows:
            for store in row.stores:
                if arguments.store not in (None, store):
                    continue
                folder = Path(tempfile.mkdtemp(prefix=f"parley-{row.name}-", dir=arguments.folder))
                bench = Bench(
                    folder,
                    store,
                    seed,
                    arguments.seconds,
                    server,
                    lease=arguments.lease,
                    warm=started,
                )
                kept += await _once(row, bench, record=not arguments.dry)
        seed += 1
        if time.monotonic() >= until:
            return 1 if kept else 0


async def _once(row: Row, bench: Bench, *, record: bool) -> bool:
    """One run; whether its logs were kept because something was wrong."""
    _say(f"{row.name} on {bench.store}, seed {bench.seed} …")
    started = time.monotonic()
    await row.run(bench)
    verdicts = [await _judge(folder) for folder in bench.folders]
    bench.weigh([Tried(one["faults"], one["met"]) for one in verdicts])
    missed = bool(bench.missed)
    result = Result.of(row.name, bench.store, bench.seed, verdicts, missed=missed)
    took = time.monotonic() - started
    _say(f"  {result.messages} messages, {result.faults} faults, {result.violations} violations")
    for told in bench.told:
        _say(f"  {told}")
    _say(f"  {took:.0f} s" + "".join(f"\n  missed: {missed}" for missed in bench.missed))
    if record:
        add(result)
    wrong = bool(result.violations or bench.missed)
    if wrong:
        _say(f"  logs: {bench.folder}")
    else:
        shutil.rmtree(bench.folder)
    return wrong


async def _judge(folder: Path) -> dict[str, Any]:
    """What the checker, a program of its own, says; its last line is the sum."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.checker", str(folder)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    *lines, last = output.decode().splitlines()
    for line in lines:
        _say(f"    {line}")
    verdict: dict[str, Any] = json.loads(last)
    return verdict


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; default all")
    parser.add_argument("--minutes", type=float, default=0.0, help="go on for so long; 0: once")
    parser.add_argument("--seconds", type=float, default=30.0, help="of load in one run")
    parser.add_argument("--lease", type=float, default=2.0, help="seconds; 15 is a server's own")
    parser.add_argument("--store", choices=["sqlite", "postgres"])
    parser.add_argument("--seed", type=int, help="of the first run")
    parser.add_argument("--folder", type=Path, help="where logs are kept while they are needed")
    parser.add_argument("--cold", action="store_true", help="start each server from nothing")
    parser.add_argument("--dry", action="store_true", help="leave the table alone")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
