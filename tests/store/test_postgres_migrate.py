"""The way to the newest schema beside servers and other programs, and a database's encoding."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from bot.errors import ConfigError
from bot.store.postgres import Mode, PostgresStore
from bot.store.postgres_migrate import _LOCK, Patience, migrate_postgres
from bot.store.postgres_pool import Pool
from bot.store.tables import VERSION
from tests.contracts.postgres_world import prepared, waits_for_a_lock
from tests.postgres import Server

pytestmark = pytest.mark.postgres

FORMER = "UPDATE schema_version SET version = 1; UPDATE alembic_version SET version_num = '0001'"
PATIENCE = 2.0
"""Seconds that an answer is waited for."""
WAITED_LONGER = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
  AND clock_timestamp() - query_start > make_interval(secs => $1)
"""


@pytest.fixture
async def url(postgres_server: Server) -> AsyncIterator[str]:
    """A database with our tables in it."""
    found = await prepared(postgres_server)
    yield found
    await postgres_server.drop(found)


@asynccontextmanager
async def beside(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else's."""
    connection = await asyncpg.connect(url, ssl=False)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def read_by_another(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Within, tables of the former schema are being dumped."""
    async with beside(url) as reader:
        await reader.execute(FORMER)
        async with reader.transaction():
            await reader.execute("LOCK TABLE lane IN ACCESS SHARE MODE")
            yield reader


# ---- others, meanwhile -------------------------------------------------------------------


@pytest.mark.slow  # it waits for as long as a server does
async def test_a_migration_that_waits_for_a_reader_keeps_no_server_from_its_work(url: str) -> None:
    store = PostgresStore(url)
    async with beside(url) as server, beside(url) as watching, asyncio.timeout(60):
        async with read_by_another(url):
            opening = asyncio.create_task(store.open())
            await waits_for_a_lock(watching)
            await server.execute("SELECT FROM lane FOR UPDATE")
            assert not opening.done()
        await opening
        assert await server.fetchval("SELECT version FROM schema_version") == VERSION
        await store.close()


@pytest.mark.slow  # it waits for longer than for an answer
async def test_a_server_waits_for_another_that_migrates_longer_than_for_an_answer(
    url: str,
) -> None:
    async with beside(url) as other, beside(url) as watching, asyncio.timeout(60):
        await other.execute(FORMER)
        await other.execute("SELECT pg_advisory_lock($1)", _LOCK)
        pool = Pool(url, patience=PATIENCE)
        opening = asyncio.create_task(migrate_postgres(pool.connect, url))
        while not await watching.fetchval(WAITED_LONGER, PATIENCE + 1):
            assert not opening.done()
            await watching.execute("SELECT pg_sleep(0.01)")
        await other.execute("SELECT pg_advisory_unlock($1)", _LOCK)
        await opening
        assert await other.fetchval("SELECT version FROM schema_version") == VERSION


async def test_a_start_that_others_keep_from_the_tables_for_too_long_says_who_does(
    url: str,
) -> None:
    connect, place = Pool(url).connect, url.rpartition("/")[2]
    async with read_by_another(url):
        with pytest.raises(ConfigError, match=rf"{place} at .* another program .*\(pg_dump"):
            await migrate_postgres(connect, url, Patience(lock=0.1, pause=0.0, tries=2))
    async with beside(url) as other:
        await other.execute("SELECT pg_advisory_lock($1)", _LOCK)
        with pytest.raises(ConfigError, match=rf"another server .* the tables of {place} at"):
            await migrate_postgres(connect, url, Patience(turn=0.1))
    await migrate_postgres(connect, url)


# ---- characters --------------------------------------------------------------------------


@asynccontextmanager
async def encoded(server: Server, encoding: str) -> AsyncIterator[str]:
    """An empty database in this encoding."""
    name = f"in_{encoding.lower()}"
    async with beside(server.url("postgres")) as administrator:
        await administrator.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
    try:
        yield server.url(name)
    finally:
        await server.drop(server.url(name))


@pytest.mark.parametrize("mode", ["write", "read"])
async def test_a_database_that_lacks_characters_is_refused_with_the_line_that_makes_another(
    postgres_server: Server, mode: Mode
) -> None:
    async with encoded(postgres_server, "LATIN1") as narrow:
        line = "in_latin1 at .* LATIN1.*createdb -E UTF8 -T template0 -l C in_latin1_utf8"
        with pytest.raises(ConfigError, match=line):
            await PostgresStore(narrow, mode=mode).open()


async def test_a_database_that_keeps_bytes_as_they_come_has_every_character(
    postgres_server: Server,
) -> None:
    said = "你好 😀 ñ"
    async with encoded(postgres_server, "SQL_ASCII") as plain:
        for _ in range(2):
            store = PostgresStore(plain)
            await store.open()
            assert await store.put_setting("said", said) == said
            await store.close()
