"""Which schema a SQLite file has, whether this code may use it, and the way to the newest."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from bot.errors import ConfigError, Transient
from bot.ports import Clock
from bot.store.sqlite_file import LostPages, connect, copy_log, translated
from bot.store.tables import VERSION


class NoTables(ConfigError):
    """Nothing was written there yet: the first server to start makes the tables."""

    def __init__(self, place: str) -> None:
        super().__init__(f"database: {place} has no tables yet; `parley serve` makes them")


class Schema(NamedTuple):
    """Its number, and the oldest code that can still work on it."""

    version: int
    readable_from: int


def migrate_sqlite(path: Path, clock: Clock) -> None:
    """Make or update the tables; what is there is copied beside the file before it is changed.

    Raises:
        ConfigError: the file was written by a Parley too new for this one.
        Transient: what a former process left in the log does not reach the disk.
    """
    with translated(), closing(connect(path)) as db:
        _settle(db)
        schema = schema_of(db)
        if schema is not None:
            check(schema, str(path))
            if schema.version >= VERSION:
                return
            _back_up(db, path, schema, clock)
    _upgrade(path)


def check_readable(db: sqlite3.Connection, path: Path) -> None:
    """For commands that only look.

    Raises:
        NoTables: there are none.
        ConfigError: the tables are too old or too new for this code.
    """
    with translated():
        schema = schema_of(db)
    if schema is None:
        raise NoTables(str(path))
    if schema.version < VERSION:
        raise ConfigError(f"database: {path} is not up to date; run `parley migrate` first")
    check(schema, str(path))


def schema_of(db: sqlite3.Connection) -> Schema | None:
    """None in a file without tables."""
    known = db.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'"
    ).fetchall()
    if not known:
        return None
    return Schema(*db.execute("SELECT version, readable_from FROM schema_version").fetchone())


def check(schema: Schema, place: str) -> None:
    """Only code older than `readable_from` is refused.

    Raises:
        ConfigError: this code is.
    """
    if schema.readable_from > VERSION:
        raise ConfigError(
            f"database: {place} belongs to a newer Parley (its schema is {schema.version}, this "
            f"one knows {VERSION}); update Parley, or restore the copy made before the update"
        )


def _settle(db: sqlite3.Connection) -> None:
    """Nothing is added to a log that a former process left: a part of it may never have arrived."""
    try:
        copy_log(db, "PASSIVE")
    except LostPages as error:
        raise Transient("the disk does not keep what is written to it (fsync failed)") from error


def _back_up(db: sqlite3.Connection, path: Path, schema: Schema, clock: Clock) -> None:
    stamp = clock.now().strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.schema-{schema.version}-{stamp}")
    # It has its name only when it is whole: who looks for it cannot tell half a copy from one.
    unfinished = path.with_name(f"{path.name}.unfinished")
    for left in (unfinished, unfinished.with_name(f"{unfinished.name}-journal")):
        left.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with closing(sqlite3.connect(unfinished)) as target:
        db.backup(target)
    unfinished.replace(copy)


def _upgrade(path: Path) -> None:
    # Most of a second to import, and hardly ever needed.
    from sqlalchemy import create_engine, event  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    from bot.store.migrations.run import upgrade  # noqa: PLC0415

    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)
    # The driver opens no transaction by itself (it would leave table changes out of it): we do.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        upgrade(connection)
