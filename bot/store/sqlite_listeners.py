"""One holder for each polling adapter, on SQLite."""

import sqlite3
from collections.abc import Callable
from typing import Any

from bot.domain.records import Node
from bot.errors import Fenced
from bot.ports import Clock
from bot.store import statements_upkeep as say
from bot.store.sqlite_writer import Writer
from bot.store.times import to_micros


class SqliteListeners:
    """Listeners of one tenant, as one node holds them."""

    def __init__(
        self, writer: Writer, clock: Clock, *, node: Callable[[], Node], tenant: str
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._node = node
        self._tenant = tenant
        self._lasts: dict[str, float] = {}

    async def hold(self, listener: str) -> int | None:
        values = self._values(listener)

        def write(db: sqlite3.Connection) -> tuple[int | None, int | None]:
            db.execute(say.ADD_LISTENER, values)
            found = db.execute(say.HOLD_LISTENER, values).fetchall()
            if found:
                return found[0][0], None
            held = db.execute(say.HOLDER_LASTS, values).fetchall()
            return None, held[0][0] if held else None

        self._lasts.pop(listener, None)
        position, until = await self._writer.run(write)
        if until is not None:
            self._lasts[listener] = max(until - values["now"], 0) / 1_000_000
        return position

    def free_in(self, listener: str) -> float | None:
        return self._lasts.get(listener)

    async def advance(self, listener: str, offset: int) -> None:
        values = {**self._values(listener), "reached": offset}

        def write(db: sqlite3.Connection) -> None:
            if not db.execute(say.ADVANCE_LISTENER, values).rowcount:
                raise Fenced

        await self._writer.run(write)

    async def let_go(self, listener: str) -> None:
        values = self._values(listener)
        await self._writer.run(lambda db: db.execute(say.LEAVE_LISTENER, values).rowcount)

    def _values(self, listener: str) -> dict[str, Any]:
        node = self._node()
        return {
            "whose": self._tenant,
            "tenant": self._tenant,
            "which": listener,
            "name": listener,
            "position": 0,
            "me": node.name,
            "holder": node.epoch,
            "now": to_micros(self._clock.now()),
        }
