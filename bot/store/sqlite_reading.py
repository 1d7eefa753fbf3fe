"""Windows, pages and what an operator asks for, on SQLite."""

import sqlite3
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
from bot.store.reading import conversation_of, entries_of, outbox_row, waiting_entry_of
from bot.store.sqlite_room import Rows, SqliteRoom
from bot.store.times import to_micros

_NEWEST = 2**62


class SqliteReading(SqliteRoom):
    async def window(
        self, conversation: ConversationId, *, first: int, limit: int
    ) -> Sequence[Message]:
        if limit < 1:
            return []
        known = self._windows.get(conversation, first, limit)
        if known is not None:
            return known
        found = self._read(
            statements.WINDOW, {"conversation": conversation, "begin": first, "limit": limit}
        )
        messages = [decode_message(body) for (body,) in reversed(found)]
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
        waiting: Rows = []
        if before is None:
            waiting = self._read(statements_upkeep.PAGE_WAITING, where)
        return entries_of(self._read(statements_upkeep.PAGE, where), waiting)

    async def awaited(self, tenant: str, address: Address, sender: Sender) -> Sequence[Address]:
        values = {"tenant": tenant, "who": person_of(address, sender)}

        def look(db: sqlite3.Connection) -> list[Address]:
            rows = db.execute(statements_upkeep.WAITING_BY, values).fetchall()
            return [waiting_entry_of(row).address for row in reversed(rows)]

        return await self._scan(look)

    async def said_by(self, tenant: str, sender: str, limit: int = 1000) -> Sequence[Entry]:
        values = {"tenant": tenant, "who": sender, "limit": limit}

        def look(db: sqlite3.Connection) -> list[Entry]:
            waiting = db.execute(statements_upkeep.WAITING_BY, values).fetchall()
            return entries_of(db.execute(statements_upkeep.SAID_BY, values).fetchall(), waiting)

        entries = sorted(await self._scan(look), key=lambda entry: entry.message.sent_at)
        return entries[-limit:]

    async def conversation(self, tenant: str, address: Address) -> Conversation | None:
        found = self._read(
            statements_upkeep.FIND_CONVERSATION, {"tenant": tenant, "address": place_of(address)}
        )
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

        def look(db: sqlite3.Connection) -> UsageRow:
            if sender is not None:
                ((place,),) = db.execute(statements_upkeep.ADDRESS_OF, values).fetchall()
                values["whole"] = person_of(parse(place), Sender(sender))
            ((turns, taken, given),) = db.execute(statements_upkeep.USAGE, values).fetchall()
            return UsageRow(turns, taken, given)

        return await self._scan(look)

    async def outbox_rows(
        self, states: Sequence[OutboxState], limit: int = 100
    ) -> Sequence[OutboxRow]:
        def look(db: sqlite3.Connection) -> list[OutboxRow]:
            return [
                outbox_row(row)
                for state in states
                for row in db.execute(
                    statements_upkeep.OUTBOX_IN_STATE[state.value], {"limit": limit}
                ).fetchall()
            ]

        rows = await self._scan(look)
        return sorted(rows, key=lambda row: (row.created_at, row.turn, row.piece))[:limit]

    async def outbox_repeated(self, limit: int = 100) -> Sequence[OutboxRow]:
        values = {"limit": limit}
        rows = await self._scan(
            lambda db: db.execute(statements_upkeep.OUTBOX_REPEATED, values).fetchall()
        )
        return [outbox_row(row) for row in rows]

    async def get_setting(self, name: str) -> str | None:
        found = self._read(statements_upkeep.GET_SETTING, {"which": name})
        return found[0][0] if found else None
