"""The connections to PostgreSQL: a few, taken one statement at a time, never left in doubt.

Ours instead of the driver's: that one spends as much time on lending a connection as on the
statement, and waits without limit for a cancelled statement of a server that is gone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from bot.errors import ParleyError, Permanent, Transient
from bot.store.postgres_errors import FAILURES, translate
from bot.store.postgres_sql import Query

MOST = 10
PATIENCE = 10.0
"""Seconds that a statement, a new connection or the wait for a free one may take."""

Row = Sequence[Any]

_SETTINGS = """
  -- Our statements are small; compiling them costs more than running them.
  set_config('jit', 'off', {local}),
  -- A node that is stopped in mid-transaction must not hold a lane's row for ever.
  set_config('idle_in_transaction_session_timeout', '10s', {local}),
  set_config('lock_timeout', '10s', {local}),
  set_config('statement_timeout', '60s', {local}),
  -- Accepted means stored, whatever the server's default is.
  set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'),
    'on'), {local})
"""
_SET_UP = f"""
SELECT set_config('application_name', 'parley', false),
  set_config('default_transaction_isolation', 'read committed', false),
  -- Who was cut off for minutes has ended his connections and could not say so: a server that asks
  -- only after two hours, as systems do, would have none left by then.
  set_config('tcp_keepalives_idle', '30', false),
  set_config('tcp_keepalives_interval', '10', false),
  set_config('tcp_keepalives_count', '3', false),
  set_config('tcp_user_timeout', '60s', false),  -- the same for whoever is owed an answer
  {_SETTINGS.format(local="false")}
"""
_BEGIN = f"""
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT {_SETTINGS.format(local="true")}
"""
"""One round trip. Behind a pooler nothing is ours for longer than a transaction."""

_ENCODING = {"client_encoding": "UTF8"}
"""As servers call it. The driver's own name for it is another, and PgBouncer, which compares the
two, would set it anew before each of our transactions: a transaction and a round trip more."""

_BACKEND = "SELECT pg_backend_pid()"


class Pool:
    """At most `most` connections; the one used last is used next.

    `pooled` is for a pooler in transaction mode (PgBouncer): two statements of ours may reach two
    connections of the server, so nothing is prepared or set beyond a transaction, and each
    statement is in one.
    """

    def __init__(
        self, url: str, *, pooled: bool = False, most: int = MOST, patience: float = PATIENCE
    ) -> None:
        self._url = url
        self._pooled = pooled
        self._patience = patience
        self._room = asyncio.Semaphore(most)
        self._idle: list[asyncpg.Connection] = []
        self._lent: set[asyncpg.Connection] = set()
        self._open = False

    async def open(self) -> None:
        """Make the first connection. Raises what the driver raises."""
        connection = await self.connect()
        self.ready()
        self._idle.append(connection)

    def ready(self) -> None:
        """Connect when the first connection is wanted."""
        self._open = True

    async def close(self) -> None:
        """Say goodbye on every idle connection; one that is in use is cut off."""
        self._open = False
        for connection in self._lent:
            connection.terminate()
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.close(timeout=self._patience)
            except FAILURES:
                connection.terminate()

    async def connect(self, *, patience: float | None = None) -> asyncpg.Connection:
        """A connection of its own, as all of them are; `patience` for each of its statements.

        Raises what the driver raises.
        """
        connection = await asyncpg.connect(
            self._url,
            timeout=self._patience,
            command_timeout=self._patience if patience is None else patience,
            statement_cache_size=0 if self._pooled else 256,
            max_cached_statement_lifetime=0,
            server_settings=_ENCODING if self._pooled else None,
        )
        if self._pooled:
            return connection
        with ExitStack() as undo:
            undo.callback(connection.terminate)
            await connection.fetchrow(_SET_UP)
            undo.pop_all()
        return connection

    async def is_mixed_up(self) -> bool:
        """Whether a pooler hands our connections to the server around, and nobody told us.

        Where one stays with us, no other of ours can meet it. Raises what the driver raises.
        """
        if self._pooled:
            return False
        with ExitStack() as undo:
            first = await self.connect()
            undo.callback(first.terminate)
            met: int = await first.fetchval(_BACKEND)
            if met == first.get_server_pid():
                return False  # a pooler makes up the one that it tells
            second = await self.connect()
            undo.callback(second.terminate)
            theirs: int = await second.fetchval(_BACKEND)
            now: int = await first.fetchval(_BACKEND)
            return theirs == met or now != met

    async def fetch(self, query: Query, values: Mapping[str, Any]) -> list[Row]:
        """Run one statement as a transaction of its own, in one round trip.

        Raises:
            Transient: the database cannot do it now; whether it was done is not known.
            Permanent: it never will as asked.
            ConfigError: a pooler is in between that we were not told of.
        """
        connection = await self._take()
        rows: list[Row]
        with self._lending(connection):
            if self._pooled:
                async with _begun(connection):
                    rows = await connection.fetch(query.text, *query.arguments(values))
            else:
                rows = await connection.fetch(query.text, *query.arguments(values))
        return rows

    @asynccontextmanager
    async def transaction(self) -> "AsyncIterator[Transaction]":
        """Several statements that happen together or not at all.

        Raises:
            Transient: the database cannot do it now; whether it was done is not known.
            Permanent: it never will as asked.
        """
        connection = await self._take()
        with self._lending(connection):
            async with _begun(connection) if self._pooled else connection.transaction():
                yield Transaction(connection)

    async def _take(self) -> asyncpg.Connection:
        await self._enter()
        connection = None
        try:
            connection = self._pick() or await self.connect()
        except FAILURES as error:
            raise translate(error) from error
        finally:
            if connection is None:
                self._room.release()
        self._lent.add(connection)
        return connection

    async def _enter(self) -> None:
        if not self._room.locked():
            await self._room.acquire()
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._room.acquire()
        except TimeoutError as error:
            raise Transient("every connection to the database is busy") from error

    def _pick(self) -> asyncpg.Connection | None:
        if not self._open:
            raise Transient("the store is closed")
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    @contextmanager
    def _lending(self, connection: asyncpg.Connection) -> Iterator[None]:
        """However its use ends, a connection is taken back.

        It is kept only where the server has said that the statement is over. One that says "not
        now" goes too: it may speak to a server that is no primary any more.
        """
        is_over = False
        try:
            yield
            is_over = True
        except ParleyError:
            is_over = True
            raise
        except FAILURES as error:
            failure = translate(error)
            is_over = isinstance(error, asyncpg.PostgresError) and isinstance(failure, Permanent)
            raise failure from error
        finally:
            self._take_back(connection, is_over=is_over)

    def _take_back(self, connection: asyncpg.Connection, *, is_over: bool) -> None:
        self._lent.discard(connection)
        is_clean = is_over and not connection.is_closed() and not connection.is_in_transaction()
        if self._open and is_clean:
            self._idle.append(connection)
        else:
            connection.terminate()
        self._room.release()


@asynccontextmanager
async def _begun(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction with its own settings; one that was cut off goes with its connection."""
    await connection.execute(_BEGIN)
    try:
        yield
    except (ParleyError, asyncpg.PostgresError):
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")


class Transaction:
    """Runs statements inside one."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def fetch(self, query: Query, values: Mapping[str, Any]) -> list[Row]:
        """All rows of a statement."""
        rows: list[Row] = await self._connection.fetch(query.text, *query.arguments(values))
        return rows

    async def change(self, query: Query, values: Mapping[str, Any]) -> int:
        """How many rows a statement changed."""
        done: str = await self._connection.execute(query.text, *query.arguments(values))
        return int(done.rpartition(" ")[2])
