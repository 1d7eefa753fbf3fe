"""`make bench`: every row, or those that `--only` names; `--help` says the rest."""

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

import uvloop

from bench import bare, growth, load, profiling, start, table
from bench.load import Cost
from bench.plan import Case, Database, cases
from bench.talk import WrongAnswersError
from bench.world import World, world
from tests import postgres
from tests.journeys.program import Program

LIMIT = 600.0
"""Seconds after which a run is given up, whatever it waits for; a whole one takes under 240."""
BARE = {1: 3_000, 50: 10_000}
"""Requests to the yardstick, by how many are under way; the last one gives the ratio."""


class Databases:
    """An empty database for each server; PostgreSQL is started for the first that needs it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._postgres: postgres.Server | None = None

    async def url(self, database: Database, name: str) -> str:
        """What the configuration says about it."""
        if database is Database.SQLITE:
            return f"sqlite:///{self._folder / name / 'parley.db'}"
        if self._postgres is None:
            self._postgres = self._stack.enter_context(postgres.running())
        return await self._postgres.create()


class Run:
    """One run: what was asked for, and whether every answer was there."""

    def __init__(self, asked: argparse.Namespace, world: World) -> None:
        self._asked = asked
        self._world = world
        self._bare: Cost | None = None
        self.whole = True
        """Whether no answer was missing, doubled or wrong."""

    async def everything(self) -> None:
        """All that was chosen, in the order of the table."""
        say(*table.HEAD)
        for in_flight, requests in BARE.items():
            self._bare = await bare.measure(in_flight, requests)
            say(table.line(self._bare, None))
        chosen = cases(self._asked.database, self._asked.only)
        with ExitStack() as stack:
            databases = Databases(self._world.folder, stack)
            for (database, stream, server), rows in groupby(chosen, _server_of):
                name = f"{database}-{server}-{'stream' if stream else 'whole'}"
                url = await databases.url(database, name)
                async with self._world.program(name, url, server, stream=stream) as program:
                    for case in rows:
                        await self._row(case, program)
        if not self._asked.only:
            say("", *table.of_start(await start.measure(self._world)))
            await self._growth()

    async def _row(self, case: Case, program: Program) -> None:
        size = case.size(quick=self._asked.quick)
        file = self._profile_of(case)
        profile = None if file is None else profiling.profiled(program.pid, file)
        try:
            async with self._world.talks(case, size.conversations, program) as talks:
                cost = await load.measure(talks, case, size, program.pid, profile)
            say(table.line(cost, self._bare))
        except* WrongAnswersError as group:
            self.whole = False
            say(table.failed(case.name, group.exceptions[0]))
        if file is not None and file.exists():
            say(*profiling.summary(file))

    async def _growth(self) -> None:
        try:
            say(*table.of_growth(*await growth.measure(self._world)))
        except* WrongAnswersError as group:
            self.whole = False
            say(f"growth FAILED: {group.exceptions[0]}")

    def _profile_of(self, case: Case) -> Path | None:
        folder: Path | None = self._asked.profile
        return None if folder is None else folder / f"{case.name.replace(' ', '-')}.txt"


def say(*lines: str) -> None:
    """Print at once: a run takes minutes."""
    print(*lines, sep="\n", flush=True)


def main() -> int:
    """Read the command line and measure; 1 when an answer was missing, doubled or wrong."""
    asked = _parser().parse_args()
    asked.database = asked.database or _databases(asked)
    if asked.list:
        say(*(case.name for case in cases(asked.database, asked.only)))
        return 0
    if not sys.platform.startswith("linux"):
        say("bench reads the CPU time of another process as Linux tells it; run it there")
        return 1
    if Database.POSTGRES in asked.database and postgres.find_binaries() is None:
        asked.database.remove(Database.POSTGRES)
        say("not measured: postgres (no server binaries on this machine)")
    return uvloop.run(_run(asked))


async def _run(asked: argparse.Namespace) -> int:
    if asked.profile is not None:
        asked.profile.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        async with asyncio.timeout(LIMIT), world(Path(folder)) as around:
            run = Run(asked, around)
            await run.everything()
    return 0 if run.whole else 1


def _databases(asked: argparse.Namespace) -> list[Database]:
    return [Database.SQLITE] if asked.quick else list(Database)


def _server_of(case: Case) -> tuple[Database, bool, str]:
    return case.database, case.shape.streamed, case.platform.server


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", default="", help='rows whose name has all these words, as "sqlite whole 50"'
    )
    parser.add_argument(
        "--database",
        type=Database,
        action="append",
        help="sqlite or postgres; may be given twice (default: both)",
    )
    parser.add_argument("--quick", action="store_true", help="SQLite, and fewer messages")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="look with py-spy where the CPU goes"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
