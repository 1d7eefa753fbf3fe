"""Which schema a PostgreSQL database has, and the way to the newest, one node at a time."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from bot.errors import ConfigError
from bot.store.migrate import NoTables, Schema, check
from bot.store.postgres_errors import server_of
from bot.store.tables import VERSION

Connect = Callable[[], Awaitable[asyncpg.Connection]]

_LOCK = 0x7061726C6579
"""An advisory lock of our own ("parley"): nodes that start together migrate one after the other."""


async def migrate_postgres(connect: Connect, url: str) -> None:
    """Make or update the tables; a database that is up to date costs two small reads.

    Raises:
        ConfigError: the tables were written by a Parley too new for this one.
    """
    schema = await _schema(connect)
    if schema is not None:
        check(schema, place_of(url))
        if schema.version >= VERSION:
            return
    await _upgrade(connect)


async def check_postgres(connect: Connect, url: str) -> None:
    """For commands that only look.

    Raises:
        NoTables: there are none.
        ConfigError: the tables are too old or too new for this code.
    """
    schema = await _schema(connect)
    if schema is None:
        raise NoTables(place_of(url))
    if schema.version < VERSION:
        raise ConfigError(
            f"database: {place_of(url)} is not up to date; run `parley migrate` first"
        )
    check(schema, place_of(url))


def place_of(url: str) -> str:
    """The database's name and server as an operator may read them, without user and password."""
    return f"{urlsplit(url).path.removeprefix('/')} at {server_of(url)}"


async def _schema(connect: Connect) -> Schema | None:
    connection = await connect()
    try:
        # Behind a pooler, only what is in a transaction meets one connection of the server.
        async with connection.transaction():
            if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
                return None
            return Schema(
                *await connection.fetchrow("SELECT version, readable_from FROM schema_version")
            )
    finally:
        await connection.close()


async def _upgrade(connect: Connect) -> None:
    # Most of a second to import, and hardly ever needed.
    from sqlalchemy import Connection, text  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    from bot.store.migrations.run import upgrade  # noqa: PLC0415

    def run(connection: Connection) -> None:
        # Behind a pooler the database says how transactions are isolated. What another node has
        # made while this one waited for the lock must be seen.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        upgrade(connection)

    def make() -> object:
        dbapi: Any = engine.sync_engine.dialect.dbapi
        # A pooler's connection may still know what another process has prepared on it.
        return dbapi.connect(async_creator_fn=connect, prepared_statement_name_func=_unique)

    engine = create_async_engine("postgresql+asyncpg://", creator=make, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    except DBAPIError as error:
        # What the driver said is what `open` can explain.
        raise (error.orig and error.orig.__cause__) or error from error
    finally:
        await engine.dispose()


def _unique() -> str:
    return f"parley_{uuid4().hex}"
