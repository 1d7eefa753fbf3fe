"""Opening SQLite's file the way every promise about it needs, and saying what went wrong."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from bot.errors import ConfigError, ParleyError, Permanent, Transient

BUSY_SECONDS = 5.0
"""How long a statement waits for a reader or a backup that is in its way."""

_INCREMENTAL = 2


class Log(NamedTuple):
    """What a copy of the log into the file came to, in pages."""

    busy: int
    length: int
    copied: int


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
        path.open("r+b").close()
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
    # The writer copies the log into the file itself: SQLite keeps quiet about a copy that fails.
    db.execute("PRAGMA wal_autocheckpoint=0")
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


class LostPages(Exception):
    """What was copied into the file did not reach the disk, and the system forgets about it."""


def copy_log(db: sqlite3.Connection, how: Literal["PASSIVE", "TRUNCATE"]) -> Log:
    """Copy the log into the file, or as much of it as nobody reads any more.

    Raises:
        LostPages: only a process that begins with nothing but the log may copy it again. SQLite
            counts what an earlier, partial copy has written, and does not sync until all is; a
            sync that fails then loses those pages too, which it would never write again.
    """
    try:
        return Log(*db.execute(f"PRAGMA wal_checkpoint({how})").fetchone())
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_IOERR_FSYNC:
            raise LostPages from error
        raise


def cut_log(db: sqlite3.Connection) -> bool:
    """Copy the log into the file and empty it; False while somebody reads what is in it.

    It does not wait for them: whoever wants to write would wait as well.

    Raises:
        LostPages: as `copy_log` does.
    """
    db.execute("PRAGMA busy_timeout=0").fetchall()
    try:
        return not copy_log(db, "TRUNCATE").busy
    finally:
        db.execute(f"PRAGMA busy_timeout={round(BUSY_SECONDS * 1000)}").fetchall()


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
