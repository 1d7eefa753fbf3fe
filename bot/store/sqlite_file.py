"""Opening SQLite's file the way every promise about it needs, and saying what went wrong."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import ConfigError, ParleyError, Permanent, Transient

BUSY_SECONDS = 5.0
"""How long a statement waits for a reader or a backup that is in its way."""

_INCREMENTAL = 2

_OUR_MISTAKES = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
    }
)
"""What trying again does not heal; everything else (disk full, I/O error, busy) may heal."""


def create(path: Path) -> None:
    """Make the file when there is none; what is said in it is for its owner's eyes only.

    Raises:
        ConfigError: the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"database: {path} cannot be written ({error.strerror}); "
            "give its folder to the user that runs Parley, or set database.url"
        ) from error


def connect(path: Path) -> sqlite3.Connection:
    """The connection that writes.

    Raises:
        ConfigError: this is no database that Parley made.
    """
    db = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    # Before WAL: on a file that is in WAL mode already it silently does nothing.
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA secure_delete=ON")
    db.execute("PRAGMA journal_size_limit=67108864")
    # A page that many turns write (an index's last one) is copied into the file once for all.
    db.execute("PRAGMA wal_autocheckpoint=4000")
    found = db.execute("PRAGMA auto_vacuum").fetchone()[0]
    if found != _INCREMENTAL:
        db.close()
        raise ConfigError(
            f"database: {path} was not made by Parley (auto_vacuum is {found}): what is deleted "
            "would stay in the file; name another file in database.url"
        )
    return db


def connect_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    db = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    db.execute("PRAGMA query_only=ON")
    return db


def is_our_mistake(error: sqlite3.Error) -> bool:
    """Whether the statement is to blame rather than the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _OUR_MISTAKES


def translate(error: sqlite3.Error) -> ParleyError:
    """What the caller does next about it."""
    if is_our_mistake(error):
        return Permanent(f"the database refused it: {error}")
    return Transient(f"the database cannot do it now: {error}")


@contextmanager
def translated() -> Iterator[None]:
    """Raise this project's errors for SQLite's.

    Raises:
        Transient: the file cannot be read now.
        Permanent: it never will as asked.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error) from error
