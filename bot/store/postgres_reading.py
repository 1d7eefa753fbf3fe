"""Windows, pages and what an operator asks for, on PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.domain.address import Address, Sender
from bot.domain.conversation import Conversation, ConversationId
from bot.domain.message import Message
from bot.domain.records import Entry, OutboxRow, OutboxState, UsageRow
from bot.store import statements, statements_upkeep
from bot.store.codec import decode_message
from bot.store.names import parse, person_of, place_of
from bot.store.postgres_pool import Row
from bot.store.postgres_room import PostgresRoom
from bot.store.postgres_sql import shared
from bot.store.reading import (
    conversation_of,
    entries_of,
    outbox_row,
    waiting_entry_of,
)
from bot.store.times import to_micros

_NEWEST = 2**62


class PostgresReading(PostgresRoom):
    async def window(
        self, conversation: ConversationId, *, first: int, limit: int
    ) -> Sequence[Message]:
        # Only a lane's holder knows that nobody else writes to the transcript.
        ours = conversation in self._views
        known = self._windows.get(conversation, first, limit) if ours else None
        if known is not None:
            return known
        found = await self._pool.fetch(
            shared(statements.WINDOW),
            {"conversation": conversation, "begin": first, "limit": limit},
        )
        messages = [decode_message(body) for (body,) in reversed(found)]
        if ours:
            self._windows.put(conversation, first, limit, messages)
        return messages

    async def page(
        self, tenant: str, address: Address, *, before: int | None, limit: int
    ) -> Sequence[Entry]:
        conversation = await self.conversation(tenant, address)
        if conversation is None or limit < 1:
            return []
        where = {
            "conversation": conversation.id,
            "before": _NEWEST if before is None else before,
            "limit": limit,
        }
        waiting: list[Row] = []
        if before is None:
            waiting = await self._pool.fetch(shared(statements_upkeep.PAGE_WAITING), where)
        return entries_of(await self._pool.fetch(shared(statements_upkeep.PAGE), where), waiting)

    async def awaited(self, tenant: str, address: Address, sender: Sender) -> Sequence[Address]:
        values = {"tenant": tenant, "who": person_of(address, sender)}
        rows = await self._pool.fetch(shared(statements_upkeep.WAITING_BY), values)
        return [waiting_entry_of(row).address for row in reversed(rows)]

    async def said_by(self, tenant: str, sender: str, limit: int = 1000) -> Sequence[Entry]:
        values = {"tenant": tenant, "who": sender, "limit": limit}
        waiting = await self._pool.fetch(shared(statements_upkeep.WAITING_BY), values)
        said = await self._pool.fetch(shared(statements_upkeep.SAID_BY), values)
        entries = entries_of(said, waiting)
        entries.sort(key=lambda entry: entry.message.sent_at)
        return entries[-limit:]

    async def conversation(self, tenant: str, address: Address) -> Conversation | None:
        values = {"tenant": tenant, "address": place_of(address)}
        found = await self._pool.fetch(shared(statements_upkeep.FIND_CONVERSATION), values)
        return conversation_of(found[0]) if found else None

    async def usage(
        self, *, conversation: ConversationId, sender: str | None, since: datetime
    ) -> UsageRow:
        values: dict[str, Any] = {
            "conversation": conversation,
            "since": to_micros(since),
            "who": sender,
            "whole": None,
        }
        if sender is not None:
            found = await self._pool.fetch(shared(statements_upkeep.ADDRESS_OF), values)
            values["whole"] = person_of(parse(found[0][0]), Sender(sender)) if found else None
        ((turns, taken, given),) = await self._pool.fetch(shared(statements_upkeep.USAGE), values)
        return UsageRow(turns, int(taken), int(given))

    async def outbox_rows(
        self, states: Sequence[OutboxState], limit: int = 100
    ) -> Sequence[OutboxRow]:
        rows = [
            outbox_row(row)
            for state in states
            for row in await self._pool.fetch(
                shared(statements_upkeep.OUTBOX_IN_STATE[state.value]), {"limit": limit}
            )
        ]
        return sorted(rows, key=lambda row: (row.created_at, row.turn, row.piece))[:limit]

    async def outbox_repeated(self, limit: int = 100) -> Sequence[OutboxRow]:
        values = {"limit": limit}
        rows = await self._pool.fetch(shared(statements_upkeep.OUTBOX_REPEATED), values)
        return [outbox_row(row) for row in rows]

    async def get_setting(self, name: str) -> str | None:
        found = await self._pool.fetch(shared(statements_upkeep.GET_SETTING), {"which": name})
        return str(found[0][0]) if found else None
