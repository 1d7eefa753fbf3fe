"""The PostgreSQL store's world: its clock is the database's, so everything stored is made older."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from bot.ports import Store
from bot.store.postgres import PostgresStore
from bot.store.tables import Row
from tests.contracts.worlds import World
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


@asynccontextmanager
async def postgres_world(server: Server) -> AsyncIterator[World]:
    url = await prepared(server)
    stores = [PostgresStore(url)]
    await stores[0].open()

    async def another() -> Store:
        store = PostgresStore(url)
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
        yield World(stores[0], age, lambda: datetime.now(UTC), another)
    finally:
        for store in stores:
            await store.close()
        await server.drop(url)


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
