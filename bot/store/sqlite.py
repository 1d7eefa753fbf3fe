"""The store on SQLite: one file, one server, one writing thread."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from bot.domain.records import Node
from bot.errors import ConfigError, ParleyError, Transient
from bot.ports import Clock, Hints, ListenerRows
from bot.store.hints import NoHints
from bot.store.lock import Lock
from bot.store.migrate import check_readable, migrate_sqlite
from bot.store.sqlite_copying import free_bytes
from bot.store.sqlite_erasure import SqliteErasure
from bot.store.sqlite_file import connect_reading, create
from bot.store.sqlite_inbox import SqliteInbox
from bot.store.sqlite_lanes import SqliteLanes
from bot.store.sqlite_listeners import SqliteListeners
from bot.store.sqlite_operators import SqliteOperators
from bot.store.sqlite_outbox import SqliteOutbox
from bot.store.sqlite_reading import SqliteReading
from bot.store.sqlite_signals import SqliteSignals
from bot.store.sqlite_turns import SqliteJournal
from bot.store.sqlite_upkeep import SqliteSessions, SqliteUpkeep
from bot.store.statements_upkeep import TRY_WRITE

Mode = Literal["write", "read"]


class SqliteStore(
    SqliteInbox,
    SqliteLanes,
    SqliteJournal,
    SqliteOutbox,
    SqliteReading,
    SqliteSessions,
    SqliteErasure,
    SqliteUpkeep,
    SqliteSignals,
    SqliteOperators,
):
    """Everything that is kept, in one file beside its lock.

    `mode="read"` is for commands that only look: it takes no lock and changes nothing, so it
    works while a server runs.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        mode: Mode = "write",
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        super().__init__(path, clock, free=free)
        self._mode = mode
        self._lock = Lock(path)

    async def open(self) -> None:
        """Take the lock, migrate, start writing.

        Raises:
            ConfigError: another server has the file, or the file cannot be used.
        """
        try:
            if self._mode == "write":
                create(self._path)
                self._lock.take()
            elif not self._path.exists():
                raise ConfigError(f"database: {self._path} is not there; `parley serve` makes it")
            self._open_file()
        except (ParleyError, sqlite3.Error, OSError) as error:
            self._lock.free()
            if isinstance(error, ParleyError):
                raise
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigError(
                f"database: {self._path} cannot be opened ({why}): run this as the user that runs "
                "Parley, and see that its folder can be written to"
            ) from error

    async def close(self) -> None:
        """Commit what is queued, and let the next server have the file."""
        await self._writer.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._windows.clear()
        self._lock.free()

    async def writable(self) -> bool:
        values = {"name": "last_probe", "value": str(self._now())}
        try:
            await self._writer.run(lambda db: db.execute(TRY_WRITE, values).rowcount)
        except Transient:
            return False
        return True

    def listeners(self, node: Callable[[], Node], tenant: str) -> ListenerRows:
        return SqliteListeners(self._writer, self._clock, node=node, tenant=tenant)

    def hints(self, clock: Clock) -> Hints:
        return NoHints()

    def _open_file(self) -> None:
        if self._mode == "write":
            migrate_sqlite(self._path, self._clock)
        self._reader = connect_reading(self._path)
        if self._mode == "read":
            check_readable(self._reader, self._path)
        else:
            self._writer.start()
