"""The PostgreSQL store's world: its clock is the database's, so everything stored is made older."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from bot.ports import Store
from bot.store.postgres import PostgresStore
from bot.store.tables import Row, SchemaRow
from tests.contracts.worlds import World
from tests.pgbouncer import Pooler
from tests.postgres import Server

TEMPLATE = "prepared"


async def prepared(server: Server) -> str:
    """A database with our tables; they are made once for a server and copied after that."""
    connection = await asyncpg.connect(server.url("postgres"), ssl=False, timeout=30)
    try:
        known = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE)
        if known is None:
            await connection.execute(f'CREATE DATABASE "{TEMPLATE}"')
            store = PostgresStore(server.url(TEMPLATE))
            await store.open()
            await store.close()
    finally:
        await connection.close(timeout=10)
    return await server.create(template=TEMPLATE)


async def emptied(url: str, *, cut: bool) -> None:
    """Take every row but the schema's away; `cut` ends the connections of others as well."""
    connection = await asyncpg.connect(url, ssl=False, timeout=30)
    try:
        if cut:
            # A test may have left a connection in the middle of something.
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        tables = (name for name in Row.metadata.tables if name != SchemaRow.__tablename__)
        await connection.execute(";".join(f'DELETE FROM "{name}"' for name in tables))
        await connection.execute(
            "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"
        )
    finally:
        await connection.close(timeout=10)


@asynccontextmanager
async def postgres_world(server: Server, pooler: Pooler | None = None) -> AsyncIterator[World]:
    """`pooler` stands between the stores and the server."""
    spare = server.spare if pooler is None else pooler.spare
    url = spare.pop() if spare else await prepared(server)
    stores: list[PostgresStore] = []

    async def another() -> Store:
        if pooler is None:
            store = PostgresStore(url)
        else:
            store = PostgresStore(pooler.url(url), pooled=True, direct_url=url)
        stores.append(store)
        await store.open()
        return store

    async def age(seconds: float) -> None:
        connection = await asyncpg.connect(url, ssl=False, timeout=30)
        try:
            await connection.execute(_ageing(round(seconds * 1_000_000)))
        finally:
            await connection.close(timeout=10)

    try:
        yield World(await another(), age, lambda: datetime.now(UTC), another)
    finally:
        for store in stores:
            await store.close()
        # A pooler would go on to lend the connections that were ended.
        await emptied(url, cut=pooler is None)
        spare.append(url)


async def waits_for_a_lock(connection: asyncpg.Connection) -> None:
    """Until another connection of this database stands still at a lock."""
    async with asyncio.timeout(10):
        while not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await connection.execute("SELECT pg_sleep(0.01)")


def _ageing(micros: int) -> str:
    """One statement for each table that holds a time."""
    statements = []
    for table in Row.metadata.sorted_tables:
        times = [
            column.name
            for column in table.columns
            if column.name.endswith("_at") or column.name == "alive_until"
        ]
        if times:
            changes = ", ".join(f"{name} = {name} - {micros}" for name in times)
            statements.append(f'UPDATE "{table.name}" SET {changes}')
    return ";\n".join(statements)
