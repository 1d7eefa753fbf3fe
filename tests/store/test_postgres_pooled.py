"""Behind a pooler in transaction mode nothing is ours for longer than a transaction."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bot.errors import ConfigError
from bot.store.hints import NoHints
from bot.store.postgres import Mode, PostgresStore
from bot.store.postgres_hints import PostgresHints
from bot.store.postgres_pool import Pool
from bot.store.postgres_sql import query
from bot.store.tables import VERSION
from tests.fakes import FakeClock
from tests.pgbouncer import Pooler

pytestmark = pytest.mark.postgres

SETTINGS = query(
    """
SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation'),
  current_setting('lock_timeout'), current_setting('jit')
"""
)
SLEEPING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event = 'PgSleep' AND pid <> pg_backend_pid()"
)
NUMBER = query(
    """
SELECT pid, split_part(virtualtransaction, '/', 2)::bigint FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'virtualxid'
"""
)
"""Which connection of the server, and how many transactions there have been on it."""
LEFT = "SELECT current_setting('lock_timeout'), (SELECT count(*) FROM pg_prepared_statements)"


@pytest.fixture
async def direct(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url, ssl=False)
    yield connection
    await connection.close()


async def test_each_statement_has_our_settings_and_leaves_none_behind(
    postgres_url: str, direct: asyncpg.Connection
) -> None:
    await direct.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = "
        "serializable', current_database()); EXECUTE format('ALTER DATABASE %I SET "
        "synchronous_commit = off', current_database()); END $$"
    )
    pool = Pool(postgres_url, pooled=True, most=1)
    await pool.open()
    ours = ["on", "read committed", "10s", "off"]
    assert list((await pool.fetch(SETTINGS, {}))[0]) == ours
    async with pool.transaction() as transaction:
        assert list((await transaction.fetch(SETTINGS, {}))[0]) == ours
    assert list(await pool._idle[0].fetchrow(LEFT)) == ["0", 0]
    await pool.close()


async def test_servers_that_start_together_make_the_tables_once_whatever_the_databases_isolation(
    postgres_url: str, direct: asyncpg.Connection
) -> None:
    """Who waited for the other's migration has to see its tables, not those of before."""
    await direct.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = "
        "serializable', current_database()); END $$"
    )
    stores = [PostgresStore(postgres_url, pooled=True) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    for store in stores:
        assert await store.writable()
        await store.close()


async def test_a_statement_that_is_refused_or_cut_off_leaves_no_transaction_to_the_next(
    postgres_url: str, direct: asyncpg.Connection
) -> None:
    pool = Pool(postgres_url, pooled=True)
    await pool.open()
    for text in ("SELECT 1 / (SELECT 0)", "SELECT 'x'::text::int"):
        with pytest.raises(Exception, match="the database"):
            await pool.fetch(query(text), {})
    slow = asyncio.create_task(pool.fetch(query("SELECT pg_sleep(5)"), {}))
    async with asyncio.timeout(10):
        while not await direct.fetchval(SLEEPING):
            await direct.execute("SELECT pg_sleep(0.01)")
        slow.cancel()
        await asyncio.wait({slow})
        assert list((await pool.fetch(query("SELECT 1"), {}))[0]) == [1]
    assert not [one for one in pool._idle if one.is_in_transaction()]
    await pool.close()


def test_hints_take_the_direct_way_and_without_one_there_are_none(postgres_url: str) -> None:
    clock = FakeClock()
    assert isinstance(PostgresStore("postgresql://h/d").hints(clock), PostgresHints)
    through = PostgresStore("postgresql://pooler/d", pooled=True)
    assert isinstance(through.hints(clock), NoHints)
    direct = PostgresStore("postgresql://pooler/d", pooled=True, direct_url=postgres_url)
    assert isinstance(direct.hints(clock), PostgresHints)


@pytest.mark.pgbouncer
async def test_servers_that_start_together_migrate_through_the_pooler(
    pooler: Pooler, postgres_url: str, direct: asyncpg.Connection
) -> None:
    stores = [PostgresStore(pooler.url(postgres_url), pooled=True) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    assert await direct.fetchval("SELECT version FROM schema_version") == VERSION
    await direct.execute("UPDATE schema_version SET version = version - 1")
    await stores[0].open()
    assert await direct.fetchval("SELECT version FROM schema_version") == VERSION
    for store in stores:
        assert await store.writable()
        await store.close()


@pytest.mark.pgbouncer
@pytest.mark.parametrize("mode", ["write", "read"])
async def test_without_the_setting_the_pooler_is_noticed_before_a_statement_fails(
    pooler: Pooler, postgres_url: str, mode: Mode
) -> None:
    prepared = PostgresStore(postgres_url)
    await prepared.open()
    await prepared.close()
    store = PostgresStore(pooler.url(postgres_url), mode=mode)
    with pytest.raises(ConfigError, match=r"database\.pooler: transaction.*docs/nodes\.md"):
        await store.open()


@pytest.mark.pgbouncer
async def test_through_the_pooler_a_statement_costs_the_server_one_transaction(
    pooler: Pooler, postgres_url: str
) -> None:
    """Whoever names an encoding as no server does has it set anew before each of his own."""
    pool = Pool(pooler.url(postgres_url), pooled=True, most=1)
    await pool.open()
    ((first, begun), *others) = [(await pool.fetch(NUMBER, {}))[0] for _ in range(4)]
    assert [tuple(one) for one in others] == [(first, begun + more) for more in (1, 2, 3)]
    await pool.close()
