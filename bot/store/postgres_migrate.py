"""Which schema a PostgreSQL database has, and the way to the newest, one node at a time."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from bot.errors import ConfigError
from bot.store.migrate import NoTables, Schema, check
from bot.store.postgres_errors import server_of
from bot.store.tables import VERSION

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError

_LOCK = 0x7061726C6579
"""An advisory lock of our own ("parley"): nodes that start together migrate one after the other."""

ENCODINGS = ("UTF8", "SQL_ASCII")
"""Which take every character that people write; SQL_ASCII keeps the bytes as they come."""

LONGEST = 3600.0
"""Seconds that one step may take, such as an index of a table of many millions of rows."""

_IN_USE = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


class Connect(Protocol):
    async def __call__(self, *, patience: float | None = None) -> asyncpg.Connection:
        """A connection; `patience` is how many seconds each of its statements may take."""
        ...


class Patience(NamedTuple):
    """How long (seconds) a start waits for others.

    `turn`: for a server that makes or updates the tables just now.

    `lock`: for a table that somebody reads (pg_dump does so for minutes). Whoever wants to write
    to it waits behind us meanwhile, and Slack waits for an answer for three seconds only. What
    has waited is done in the `pause` between two `tries`.
    """

    turn: float = 600.0
    lock: float = 2.0
    pause: float = 3.0
    tries: int = 24


PATIENCE = Patience()


async def migrate_postgres(connect: Connect, url: str, patience: Patience = PATIENCE) -> None:
    """Make or update the tables; a database that is up to date costs two small reads.

    Raises:
        ConfigError: the tables were written by a Parley too new for this one, the database lacks
            characters, or others did not let us at the tables.
    """
    schema = await _schema(connect, url)
    if schema is not None:
        check(schema, place_of(url))
        if schema.version >= VERSION:
            return
    await _upgrade(connect, url, patience)


async def check_postgres(connect: Connect, url: str) -> None:
    """For commands that only look.

    Raises:
        NoTables: there are none.
        ConfigError: the tables are too old or too new for this code, or the database lacks
            characters.
    """
    schema = await _schema(connect, url)
    if schema is None:
        raise NoTables(place_of(url))
    if schema.version < VERSION:
        raise ConfigError(
            f"database: {place_of(url)} is not up to date; run `parley migrate` first"
        )
    check(schema, place_of(url))


def place_of(url: str) -> str:
    """The database's name and server as an operator may read them, without user and password."""
    return f"{_name_of(url)} at {server_of(url)}"


def _name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


async def _schema(connect: Connect, url: str) -> Schema | None:
    connection = await connect()
    try:
        # Behind a pooler, only what is in a transaction meets one connection of the server.
        async with connection.transaction():
            encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
            if encoding not in ENCODINGS:
                # Else the first message with a character that it lacks is refused, again and again.
                raise ConfigError(
                    f"database: {place_of(url)} is encoded in {encoding}, which lacks most of the "
                    "characters that people write; make one that has them (createdb -E UTF8 "
                    f"-T template0 -l C {_name_of(url)}_utf8) and name it in database.url"
                )
            if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
                return None
            return Schema(
                *await connection.fetchrow("SELECT version, readable_from FROM schema_version")
            )
    finally:
        await connection.close()


async def _upgrade(connect: Connect, url: str, patience: Patience) -> None:
    for _ in range(patience.tries):
        try:
            await _try(connect, url, patience)
        except _IN_USE:
            await asyncio.sleep(patience.pause)
        else:
            return
    raise ConfigError(
        f"database: the tables of {place_of(url)} have to be updated, and another program is "
        "reading them (pg_dump, or a query that somebody has left open?); start again when it has "
        "ended"
    )


async def _try(connect: Connect, url: str, patience: Patience) -> None:
    # Most of a second to import, and hardly ever needed.
    from sqlalchemy import text  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    from bot.store.migrations.run import upgrade  # noqa: PLC0415

    def run(connection: "Connection") -> None:
        # Behind a pooler the database says how transactions are isolated. What another node has
        # made while this one waited for the lock must be seen.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(_waits(patience.turn)))
        try:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        except DBAPIError as error:
            if not isinstance(_said(error), asyncpg.LockNotAvailableError):
                raise
            raise ConfigError(
                f"database: another server has been updating the tables of {place_of(url)} for "
                f"{patience.turn:.0f} seconds; start again when it is done, or end it"
            ) from error
        connection.execute(text(_waits(patience.lock)))
        upgrade(connection)

    def make() -> object:
        dbapi: Any = engine.sync_engine.dialect.dbapi
        # A pooler's connection may still know what another process has prepared on it.
        return dbapi.connect(
            async_creator_fn=partial(connect, patience=LONGEST),
            prepared_statement_name_func=_unique,
        )

    engine = create_async_engine("postgresql+asyncpg://", creator=make, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    except DBAPIError as error:
        raise _said(error) from error
    finally:
        await engine.dispose()


def _waits(seconds: float) -> str:
    return f"SET LOCAL lock_timeout = {round(seconds * 1000)}"


def _said(error: "DBAPIError") -> BaseException:
    """What the driver said: that is what `open` can explain."""
    return (error.orig and error.orig.__cause__) or error


def _unique() -> str:
    return f"parley_{uuid4().hex}"
