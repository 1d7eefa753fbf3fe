"""The store on PostgreSQL: one database, any number of servers."""

from collections.abc import Callable
from typing import Literal

from bot.domain.records import Node
from bot.errors import ConfigError, Transient
from bot.ports import Clock, Hints, ListenerRows
from bot.store import statements_postgres_upkeep as say
from bot.store.hints import NoHints
from bot.store.postgres_erasure import PostgresErasure
from bot.store.postgres_errors import FAILURES, UNSAID_POOLER, explain, server_of
from bot.store.postgres_hints import PostgresHints
from bot.store.postgres_inbox import PostgresInbox
from bot.store.postgres_lanes import PostgresLanes
from bot.store.postgres_listeners import PostgresListeners
from bot.store.postgres_migrate import check_postgres, migrate_postgres
from bot.store.postgres_operators import PostgresOperators
from bot.store.postgres_outbox import PostgresOutbox
from bot.store.postgres_pool import Pool
from bot.store.postgres_reading import PostgresReading
from bot.store.postgres_room import Follow
from bot.store.postgres_signals import PostgresSignals
from bot.store.postgres_turns import PostgresJournal
from bot.store.postgres_upkeep import PostgresSessions, PostgresUpkeep

Mode = Literal["write", "read"]


class PostgresStore(
    PostgresInbox,
    PostgresLanes,
    PostgresJournal,
    PostgresOutbox,
    PostgresReading,
    PostgresSessions,
    PostgresErasure,
    PostgresUpkeep,
    PostgresSignals,
    PostgresOperators,
):
    """Everything that is kept, in one database that several servers share.

    The only clock is the database's. `mode="read"` is for commands that only look: it does not
    migrate and refuses tables that are not up to date.

    `pooled` says that a pooler in transaction mode stands at `url`. Nobody can be listened to
    through it: hints go through `direct_url`, the server itself, and without one there are none.

    `follow` is told the database's time, now and then, and how long ago at most that was.
    """

    def __init__(
        self,
        url: str,
        *,
        mode: Mode = "write",
        pooled: bool = False,
        direct_url: str | None = None,
        follow: Follow | None = None,
    ) -> None:
        super().__init__(url, pooled=pooled, follow=follow)
        self._mode = mode
        self._hints_url = direct_url or (None if pooled else url)

    async def open(self) -> None:
        """Migrate (servers that start together: one after the other), and connect.

        Raises:
            ConfigError: nobody answers there, or does not let us in, or it cannot be used.
        """
        try:
            if await self._pool.is_mixed_up():
                raise ConfigError(f"database: at {server_of(self._url)} {UNSAID_POOLER}")
            if self._mode == "write":
                await migrate_postgres(self._pool.connect, self._url)
            else:
                await check_postgres(self._pool.connect, self._url)
            await self._pool.open()
            self._lease_pool.ready()
        except FAILURES as error:
            raise explain(error, self._url) from error
        except ValueError as error:
            # The driver quotes what it could not read: no cause is kept.
            raise explain(error, self._url) from None

    async def close(self) -> None:
        """Give every connection back."""
        await self._lease_pool.close()
        await self._pool.close()
        self._windows.clear()
        self._views.clear()

    async def writable(self) -> bool:
        try:
            await self._pool.fetch(say.TRY_WRITE, {})
        except Transient:
            return False
        return True

    def listeners(self, node: Callable[[], Node], tenant: str) -> ListenerRows:
        return PostgresListeners(self._pool, node=node, tenant=tenant)

    def hints(self, clock: Clock) -> Hints:
        if self._hints_url is None:
            return NoHints()
        return PostgresHints(Pool(self._hints_url).connect, clock)
