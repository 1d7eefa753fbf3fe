"""What every part of the SQLite store shares: file, clock, writer, reader and windows."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bot.domain.address import Address
from bot.domain.records import Claim
from bot.errors import Fenced, Transient
from bot.ports import Clock
from bot.store import statements
from bot.store.names import parse
from bot.store.operating import Seen
from bot.store.sqlite_file import connect, connect_reading, translate, translated
from bot.store.sqlite_writer import Writer
from bot.store.times import to_micros
from bot.store.windows import Windows

HOMES = 4096
"""The most conversations whose place the writer remembers."""

SCANS = 4
"""Scans at once; who comes later waits for one to end."""

_T = TypeVar("_T")
Values = Mapping[str, Any]
Rows = list[tuple[Any, ...]]


class Owner(NamedTuple):
    """What every row of a conversation carries."""

    conversation_id: int
    tenant: str
    shard: int


@dataclass(slots=True)
class Home:
    """Where a conversation stands, as the writer last saw it."""

    id: int
    shard: int
    adapter: str
    audience: str
    direct: bool


class SqliteRoom:
    """Statements by key run where they are asked for; scans get a thread and a connection."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._homes: dict[tuple[str, str], Home] = {}
        self._windows = Windows()
        self._writer = Writer(lambda: connect(path), rolled_back=self._homes.clear)
        self._reader: sqlite3.Connection | None = None
        # Not the loop's own pool: a plugin's call that hangs in one of its threads keeps that.
        self._scanners = ThreadPoolExecutor(SCANS, thread_name_prefix="sqlite-scan")
        self._abandoned_at = 0
        self._has_joined = False
        # The tenant whose lane was claimed last: the next claim begins behind it.
        self._served = ""
        # Up to where retention has looked at sessions that ended long ago.
        self._seen = Seen()

    def _now(self) -> int:
        return to_micros(self._clock.now())

    def _read(self, statement: str, values: Values) -> Rows:
        """All rows of a statement that finds them by key: 14 µs, cheaper than any hand-off."""
        if self._reader is None:
            raise Transient("the store is closed")
        try:
            return self._reader.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise translate(error) from error

    async def _scan(self, look: Callable[[sqlite3.Connection], _T]) -> _T:
        """What walks over many rows, beside the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._scanners, self._look, look)

    def _look(self, look: Callable[[sqlite3.Connection], _T]) -> _T:
        with translated():
            db = connect_reading(self._path)
            try:
                return look(db)
            finally:
                db.close()


def held(claim: Claim) -> dict[str, Any]:
    """The parameters by which a statement asks for the claim's own lane."""
    return {
        "conversation": claim.conversation,
        "fence": claim.fence,
        "node": claim.node.name,
        "holder": claim.node.epoch,
    }


def owner(db: sqlite3.Connection, claim: Claim) -> Owner:
    """Check the fence inside the writing transaction.

    Raises:
        Fenced: the lane has a newer holder, or none.
    """
    found = db.execute(statements.IS_HELD, held(claim)).fetchall()
    if not found:
        raise Fenced
    return Owner(claim.conversation, *found[0])


def holding(db: sqlite3.Connection, claim: Claim) -> tuple[Owner, Address]:
    """The same, with the address.

    Raises:
        Fenced: the lane has a newer holder, or none.
    """
    found = db.execute(statements.HOLDING, held(claim)).fetchall()
    if not found:
        raise Fenced
    tenant, shard, address = found[0]
    return Owner(claim.conversation, tenant, shard), parse(address)
