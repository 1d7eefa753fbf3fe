"""Wiping what was deleted out of SQLite's file and its log; where it cannot be done, it is owed."""

import errno
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.errors import PartlyDone, Transient
from bot.ports import Clock
from bot.store import statements_upkeep as say
from bot.store.sqlite_copying import free_bytes, room_lacking
from bot.store.sqlite_file import cut_log
from bot.store.sqlite_room import SqliteRoom

CUTS = 5
"""How often the log is tried to be cut off before whoever wants it is told that it cannot be."""

SHORTEST, LONGEST = 0.1, 3.0
"""Seconds between two tries; the pause grows as long as somebody reads the log."""

AGAIN = 300.0
"""Seconds after which a file is rewritten again when that has failed: each try costs all who want
to write as much time as one that succeeds."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DEBT = {"name": "unwiped", "value": "owed"}
"""Stands in the file as long as something has to be wiped that nobody waits for any more."""


class Unwiped(PartlyDone):
    """What was deleted is in no table, and parts of it may be left in the file."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "what was deleted is in no table any more, but parts of it may be left in the "
            f"database's file, which could not be rewritten: {why}",
            {},
        )


@dataclass(slots=True)
class Deletion:
    """What was deleted from the tables, and may still be found in the file or in its log."""

    number: int
    tries: int = 0

    def pause(self) -> float:
        """How long to wait before the next try."""
        return min(SHORTEST * 2.0 ** (self.tries - 1), LONGEST) if self.tries else 0.0


class SqliteWiping(SqliteRoom):
    def __init__(
        self, path: Path, clock: Clock, *, free: Callable[[Path], int] = free_bytes
    ) -> None:
        """`free` says how much room is left in a folder."""
        super().__init__(path, clock)
        self._free = free
        # Deletions are numbered; all up to `_rewritten` are in no page that is left of the file.
        self._deletions = self._rewritten = 0
        self._rewrite_after = 0.0

    def _deleted(self) -> int:
        """The number of a deletion, given by the writer's thread."""
        self._deletions += 1
        return self._deletions

    async def _wipe(self, deletion: Deletion) -> None:
        """Rewrite the file, then empty the log: only then is what was deleted gone.

        Raises:
            Transient: somebody reads the old pages; what was deleted is still in the log. Whoever
                asks again goes on from here.
            Unwiped: the file cannot be rewritten now. Upkeep will, whether or not anybody asks.
        """
        try:
            await self._cut_off(deletion)
        except Unwiped:
            deletion.tries = 0  # nobody reads the log: whoever asks again need not wait for that
            await self._writer.run(lambda db: db.execute(say.ADD_SETTING, _DEBT).rowcount)
            raise
        if self._is_owed():
            await self._writer.run(self._pay)

    async def _wipe_what_is_owed(self) -> None:
        """As `_wipe`, of what nobody waits for any more."""
        if self._is_owed():
            # Of a former process, perhaps: what this one has rewritten tells nothing about it.
            await self._wipe(Deletion(await self._writer.run(lambda _: self._deleted())))

    def _is_owed(self) -> bool:
        return bool(self._read(say.GET_SETTING, {"which": _DEBT["name"]}))

    def _pay(self, db: sqlite3.Connection) -> None:
        # Of a deletion that was made since the others, or somebody else, may owe as much again.
        if self._rewritten >= self._deletions:
            db.execute(say.DROP_SETTING, _DEBT)

    async def _cut_off(self, deletion: Deletion) -> None:
        for _ in range(CUTS):
            # Others write meanwhile: it is not the writer's thread that waits.
            await self._clock.sleep(deletion.pause())
            deletion.tries += 1
            if await self._writer.run(lambda db: self._cut(db, deletion.number), alone=True):
                deletion.tries = 0
                return
        raise Transient("the log cannot be cut off while another program reads the database")

    def _cut(self, db: sqlite3.Connection, deletion: int) -> bool:
        # Not while somebody reads the log: it would grow by the size of the whole file.
        if not cut_log(db):
            return False
        if self._rewritten >= deletion:
            return True
        self._rewrite(db)
        self._rewritten = self._deletions
        return cut_log(db)

    def _rewrite(self, db: sqlite3.Connection) -> None:
        """Leave no unused part of a page in the file.

        `secure_delete` wipes what is deleted, but not the copies that SQLite left in the unused
        part of pages that it split before (found by the test that looks for a marker). Only a
        file that is written anew has none; it takes half a second for 100 MB, in which others
        wait to write.
        """
        if (lacking := room_lacking(db, self._path.parent, self._free)) is not None:
            # The log names errors by their class and code only.
            raise Unwiped(f"make room, {lacking}") from OSError(errno.ENOSPC, "too little room")
        if self._clock.monotonic() < self._rewrite_after:
            raise Unwiped("it has failed a moment ago")
        try:
            db.execute("VACUUM")
        except sqlite3.Error as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _BUSY:
                raise
            self._rewrite_after = self._clock.monotonic() + AGAIN
            with suppress(sqlite3.Error):
                cut_log(db)  # half a copy in the log would keep from others the room that is left
            raise Unwiped(str(error)) from error
