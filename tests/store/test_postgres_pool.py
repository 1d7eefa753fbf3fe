"""Connections that break, errors of the driver: nothing leaks, nothing is left in doubt."""

import asyncio
import inspect
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from bot.errors import ConfigError, ParleyError, Permanent, Transient
from bot.store.postgres import PostgresStore
from bot.store.postgres_errors import FAILURES, explain, translate
from bot.store.postgres_pool import Pool
from bot.store.postgres_sql import query
from tests.contracts.postgres_world import prepared
from tests.postgres import Server

pytestmark = pytest.mark.postgres

MINUTE = 60
PATIENT = query("SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp%'")
PATIENCE = ("keepalives_idle", "keepalives_interval", "keepalives_count", "user_timeout")
"""How long a server waits for whoever does not say a word."""


@pytest.fixture
async def url(postgres_server: Server) -> AsyncIterator[str]:
    """A database with our tables in it."""
    found = await prepared(postgres_server)
    yield found
    await postgres_server.drop(found)


@asynccontextmanager
async def pool_of(url: str, *, most: int = 10, patience: float = 10.0) -> AsyncIterator[Pool]:
    pool = Pool(url, most=most, patience=patience)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


# ---- what the driver raises --------------------------------------------------------------


def _errors() -> Iterator[type[BaseException]]:
    for found in vars(asyncpg.exceptions).values():
        if inspect.isclass(found) and issubclass(found, Exception):
            yield found


def test_no_error_of_the_driver_leaks_and_none_quotes_a_value() -> None:
    kinds = [kind for kind in _errors() if not issubclass(kind, Warning)]
    assert len(kinds) > 200
    assert [kind for kind in kinds if not issubclass(kind, FAILURES)] == []
    for kind in kinds:
        found = translate(kind("Failing row contains (a secret)"))
        assert isinstance(found, ParleyError)
        assert "secret" not in str(found)


@pytest.mark.parametrize(
    "kind", [asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError]
)
def test_statements_that_a_pooler_mixed_up_name_the_setting_at_the_start_and_later(
    kind: type[Exception],
) -> None:
    later, start = (
        translate(kind("x")),
        explain(kind("x"), "postgresql://u:s3cret@pool:6432/parley"),
    )
    for said in (later, start):
        assert isinstance(said, ConfigError)
        assert "database.pooler: transaction" in str(said)
        assert "docs/nodes.md" in str(said)
    assert "pool:6432" in str(start)
    assert "s3cret" not in str(start)


@pytest.mark.parametrize(
    "kind",
    [
        asyncpg.ConnectionDoesNotExistError,
        asyncpg.AdminShutdownError,
        asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError,
        asyncpg.SerializationError,
        asyncpg.DeadlockDetectedError,
        asyncpg.DiskFullError,
        asyncpg.PostgresIOError,
        asyncpg.QueryCanceledError,
        asyncpg.LockNotAvailableError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.InterfaceError,
        ConnectionResetError,
        TimeoutError,
    ],
)
def test_what_may_heal_is_tried_again(kind: type[Exception]) -> None:
    assert isinstance(translate(kind("x")), Transient)


@pytest.mark.parametrize(
    "kind",
    [asyncpg.UniqueViolationError, asyncpg.PostgresSyntaxError, asyncpg.DataError],
)
def test_our_own_mistakes_are_not_tried_again(kind: type[Exception]) -> None:
    assert isinstance(translate(kind("x")), Permanent)


# ---- connections -------------------------------------------------------------------------

ONE = query("SELECT 1")
WHOSE = query("SELECT pg_backend_pid()")
SLOW = query("SELECT pg_sleep(60)")


async def test_a_statement_that_is_cancelled_leaves_no_connection_in_doubt(url: str) -> None:
    async with pool_of(url, most=1) as pool:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await pool.fetch(SLOW, {})
            assert await pool.fetch(ONE, {}) == [(1,)]


async def test_a_connection_whose_node_has_vanished_is_given_up_by_the_server(url: str) -> None:
    async with pool_of(url) as pool:
        told = {str(row[0]): str(row[1]) for row in await pool.fetch(PATIENT, {})}
    idle, interval, count, owed = (int(told[f"tcp_{name}"]) for name in PATIENCE)
    assert idle + interval * count == MINUTE  # two hours is what most systems wait
    # Not every system can tell how long something may be on its way.
    assert owed == (MINUTE * 1000 if hasattr(socket, "TCP_USER_TIMEOUT") else 0)


async def test_a_statement_that_takes_too_long_is_given_up(url: str) -> None:
    async with pool_of(url) as pool:
        assert await pool.fetch(ONE, {}) == [(1,)]
        pool._patience = 1.0  # not before the connection is made, which may take longer
        with pytest.raises(Transient):
            await pool.fetch(SLOW, {})
        assert await pool.fetch(ONE, {}) == [(1,)]


async def test_who_waits_for_a_connection_too_long_is_told(url: str) -> None:
    async with pool_of(url, most=1) as pool:
        pool._patience = 0.2  # not before the connection is made, which may take longer
        async with pool.transaction():
            with pytest.raises(Transient, match="busy"):
                await pool.fetch(ONE, {})
        assert await pool.fetch(ONE, {}) == [(1,)]


async def test_a_transaction_that_fails_leaves_nothing_and_its_connection_goes_on(
    url: str,
) -> None:
    async with pool_of(url, most=1) as pool:
        ((before,),) = await pool.fetch(WHOSE, {})
        with pytest.raises(Permanent):
            await _write_and_fail(pool)
        assert await pool.fetch(query("SELECT * FROM setting"), {}) == []
        assert await pool.fetch(WHOSE, {}) == [(before,)]


async def _write_and_fail(pool: Pool) -> None:
    write = query("INSERT INTO setting VALUES (:name, :value)")
    async with pool.transaction() as transaction:
        await transaction.fetch(write, {"name": "a", "value": "b"})
        await transaction.fetch(query("SELECT 1 / :divisor::bigint"), {"divisor": 0})


async def test_a_closed_store_says_so(url: str) -> None:
    store = PostgresStore(url)
    with pytest.raises(Transient, match="closed"):
        await store.get_setting("x")
    await store.open()
    await store.close()
    assert not await store.writable()
