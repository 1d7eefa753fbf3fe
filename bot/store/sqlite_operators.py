"""What waits, what was given up and what is unknown, for operators, on SQLite."""

import sqlite3
from collections.abc import Sequence

from bot.domain.conversation import InboundId
from bot.domain.operating import InboxRow, InboxState, NodeHealth, UnsureCall
from bot.store import statements_operators as say
from bot.store.operating import REMEMBERED, STATES, inbox_row, node_health, unsure_call
from bot.store.sqlite_room import SqliteRoom
from bot.store.statements import WAKE_AT


class SqliteOperators(SqliteRoom):
    async def inbox_rows(
        self, states: Sequence[InboxState], limit: int = 100
    ) -> Sequence[InboxRow]:
        def look(db: sqlite3.Connection) -> list[InboxRow]:
            return [
                inbox_row(row)
                for state in states
                for row in db.execute(say.INBOX_IN_STATE[state.value], {"limit": limit}).fetchall()
            ]

        return sorted(await self._scan(look), key=lambda row: row.id)[:limit]

    async def inbox_retry(self, id: InboundId) -> bool:
        values = {"which": id, "now": self._now()}

        def write(db: sqlite3.Connection) -> bool:
            found = db.execute(say.FIND_INBOX, values).fetchall()
            for conversation, state in found:
                if STATES[state] is InboxState.DEAD:
                    db.execute(say.REVIVE_INBOX, values)
                    db.execute(say.REVIVED, values)
                db.execute(WAKE_AT, {"conversation": conversation, "now": values["now"]})
            return bool(found)

        return await self._writer.run(write)

    async def inbox_drop(self, id: InboundId) -> bool:
        values = {"which": id, "now": self._now()}
        return await self._writer.run(lambda db: bool(db.execute(say.DROP_INBOX, values).rowcount))

    async def nodes(self) -> Sequence[NodeHealth]:
        now = self._now()
        values = {"since": now - REMEMBERED}
        rows = await self._scan(lambda db: db.execute(say.NODES, values).fetchall())
        return [node_health(row, now) for row in rows]

    async def unsure_calls(self, limit: int = 100) -> Sequence[UnsureCall]:
        values = {"doing": say.UNSURE, "since": self._now() - REMEMBERED, "limit": limit}
        rows = await self._scan(lambda db: db.execute(say.UNSURE_CALLS, values).fetchall())
        return [unsure_call(row) for row in rows]
