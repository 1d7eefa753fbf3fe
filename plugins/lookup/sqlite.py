"""An SQLite file that is only read."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from plugins.lookup.failures import QueryFailed, QueryTooSlow, ValueUnfit
from plugins.lookup.rows import Rows
from plugins.lookup.statements import Statement

_REFUSED = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA}
_LARGEST_VALUE = 10_000_000
_STEPS_BETWEEN_LOOKS = 5_000


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """Opened anew for each query: it costs a tenth of a millisecond and keeps nothing open."""

    path: str
    seconds: float

    def problem(self, statement: Statement) -> str | None:
        """Why the file cannot answer this; None when it can."""
        if not Path(self.path).is_file():
            return f"there is no file {self.path}"
        try:
            with closing(self._open()) as connection:
                connection.execute(f"EXPLAIN {statement.named}", dict.fromkeys(statement.names))
        except (sqlite3.Error, sqlite3.Warning) as error:
            return f"SQLite does not take it: {error}"
        return None

    def fetch(self, statement: Statement, values: Mapping[str, Any], limit: int) -> Rows:
        """The first rows; blocks for `seconds` at most.

        Raises:
            QueryFailed: why there are none.
        """
        bound = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in values.items()
        }
        try:
            with closing(self._open()) as connection:
                deadline = monotonic() + self.seconds
                connection.set_progress_handler(
                    lambda: monotonic() > deadline, _STEPS_BETWEEN_LOOKS
                )
                cursor = connection.execute(statement.named, bound)
                columns = [column[0] for column in cursor.description]
                found = cursor.fetchmany(limit + 1)
        except sqlite3.OperationalError as error:
            slow = error.sqlite_errorcode in {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}
            raise (QueryTooSlow if slow else QueryFailed)(str(error)) from error
        except (OverflowError, UnicodeError) as error:
            raise ValueUnfit from error
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise QueryFailed from error
        return Rows(columns, found[:limit], more=len(found) > limit)

    def _open(self) -> sqlite3.Connection:
        uri = f"file:{quote(self.path)}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=self.seconds, isolation_level=None)
        connection.execute("PRAGMA query_only = ON")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        connection.set_authorizer(_may)
        return connection


def _may(action: int, name: str | None, detail: str | None, *_: object) -> int:
    """Other files and settings are out of reach; the read-only mode sees to the rest."""
    if action == sqlite3.SQLITE_PRAGMA and name == "data_version":
        # Full-text tables look at this one by themselves.
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (detail or "").lower() == "load_extension":
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_DENY if action in _REFUSED else sqlite3.SQLITE_OK
