"""What waits, what was given up and what is unknown, for operators, on PostgreSQL."""

from collections.abc import Sequence

from bot.domain.conversation import InboundId
from bot.domain.operating import InboxRow, InboxState, NodeHealth, UnsureCall
from bot.store import statements_operators as say
from bot.store import statements_postgres_upkeep as own
from bot.store.operating import REMEMBERED, STATES, inbox_row, node_health, unsure_call
from bot.store.postgres_room import PostgresRoom
from bot.store.postgres_sql import shared
from bot.store.statements import WAKE_AT


class PostgresOperators(PostgresRoom):
    async def inbox_rows(
        self, states: Sequence[InboxState], limit: int = 100
    ) -> Sequence[InboxRow]:
        rows = [
            inbox_row(row)
            for state in states
            for row in await self._pool.fetch(
                shared(say.INBOX_IN_STATE[state.value]), {"limit": limit}
            )
        ]
        return sorted(rows, key=lambda row: row.id)[:limit]

    async def inbox_retry(self, id: InboundId) -> bool:
        values = {"which": id}
        found = await self._pool.fetch(shared(say.FIND_INBOX), values)
        for conversation, _ in found:
            async with self._pool.transaction() as transaction:
                # The lane first, as whoever accepts or finishes there does it.
                await transaction.fetch(shared(WAKE_AT), {"conversation": conversation})
                for _, state in await transaction.fetch(shared(say.FIND_INBOX), values):
                    if STATES[state] is InboxState.DEAD:
                        await transaction.fetch(shared(say.REVIVE_INBOX), values)
                        await transaction.fetch(shared(say.REVIVED), values)
        return bool(found)

    async def inbox_drop(self, id: InboundId) -> bool:
        async with self._pool.transaction() as transaction:
            return bool(await transaction.change(shared(say.DROP_INBOX), {"which": id}))

    async def nodes(self) -> Sequence[NodeHealth]:
        ((now,),) = await self._pool.fetch(own.CLOCK, {})
        rows = await self._pool.fetch(shared(say.NODES), {"since": now - REMEMBERED})
        return [node_health(row, now) for row in rows]

    async def unsure_calls(self, limit: int = 100) -> Sequence[UnsureCall]:
        ((now,),) = await self._pool.fetch(own.CLOCK, {})
        values = {"doing": say.UNSURE, "since": now - REMEMBERED, "limit": limit}
        rows = await self._pool.fetch(shared(say.UNSURE_CALLS), values)
        return [unsure_call(row) for row in rows]
