"""One holder for each polling adapter, on PostgreSQL."""

from collections.abc import Callable
from typing import Any

from bot.domain.records import Node
from bot.errors import Fenced
from bot.store import statements_postgres_upkeep as say
from bot.store.postgres_pool import Pool
from bot.store.postgres_room import CHANNEL


class PostgresListeners:
    """Listeners of one tenant, as one node holds them."""

    def __init__(self, pool: Pool, *, node: Callable[[], Node], tenant: str) -> None:
        self._pool = pool
        self._node = node
        self._tenant = tenant
        self._lasts: dict[str, float] = {}

    async def hold(self, listener: str) -> int | None:
        self._lasts.pop(listener, None)
        for position, micros in await self._pool.fetch(say.HOLD_LISTENER, self._values(listener)):
            if position is not None:
                return int(position)
            self._lasts[listener] = micros / 1_000_000
        return None

    def free_in(self, listener: str) -> float | None:
        return self._lasts.get(listener)

    async def advance(self, listener: str, offset: int) -> None:
        values = {**self._values(listener), "reached": offset}
        if not await self._pool.fetch(say.ADVANCE_LISTENER, values):
            raise Fenced

    async def let_go(self, listener: str) -> None:
        await self._pool.fetch(say.LEAVE_LISTENER, {**self._values(listener), "channel": CHANNEL})

    def _values(self, listener: str) -> dict[str, Any]:
        node = self._node()
        return {
            "whose": self._tenant,
            "which": listener,
            "me": node.name,
            "holder": node.epoch,
        }
