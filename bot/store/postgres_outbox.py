"""The outbox and the slots on PostgreSQL."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.conversation import ConversationId, InboundId
from bot.domain.message import Sent
from bot.domain.records import Claim, OutboxRow, OutboxState
from bot.errors import Gone
from bot.store import statements_postgres_turns as say
from bot.store.codec import encode_sent
from bot.store.postgres_room import PostgresRoom, held, plain
from bot.store.reading import outbox_row
from bot.store.statements_postgres import HOLD
from bot.store.times import FOREVER, micros_of, to_micros


class PostgresOutbox(PostgresRoom):
    async def take(self, claim: Claim, row: OutboxRow) -> OutboxRow:
        found = await self._pool.fetch(say.TAKE, {**held(claim), **_key(row)})
        if not found:
            await self._write(claim, HOLD, {})
            raise Gone
        return replace(row, state=OutboxState.SENDING, attempts=found[0][0])

    async def sent(self, claim: Claim, row: OutboxRow, sent: Sent) -> None:
        await self._write(claim, say.SENT, {**_key(row), "sent": encode_sent(sent)})

    async def put_back(
        self,
        claim: Claim,
        row: OutboxRow,
        *,
        due_at: datetime,
        error: str,
        repeat: bool = False,
        alone: bool = False,
    ) -> None:
        changes = {
            "due": to_micros(due_at),
            "why": plain(error),
            "repeats": row.repeats + int(repeat),
        }
        await self._change(claim, row, OutboxState.QUEUED, {**changes, "alone": alone})

    async def hold(
        self, claim: Claim, row: OutboxRow, *, until: datetime | None, lasts: timedelta
    ) -> None:
        changes = {"due": to_micros(until or FOREVER), "lasts": micros_of(lasts.total_seconds())}
        await self._change(claim, row, OutboxState.HELD, changes)

    async def prolong(self, claim: Claim, row: OutboxRow, *, lasts: timedelta) -> None:
        values = {**_key(row), "lasts": micros_of(lasts.total_seconds())}
        await self._write(claim, say.PROLONG, values)

    async def bury(self, claim: Claim, row: OutboxRow, *, error: str) -> None:
        await self._change(claim, row, OutboxState.DEAD, {"why": plain(error)})

    async def take_for_slot(
        self,
        conversation: ConversationId,
        slot: int,
        closes_at: datetime,
        *,
        behind: OutboxRow | None = None,
    ) -> OutboxRow | None:
        last = {"turn": -1, "piece": -1} if behind is None else _key(behind)
        until = to_micros(closes_at)
        values = {"conversation": conversation, "slot": slot, "until": until, **last}
        rows = await self._pool.fetch(say.TAKE_FOR_SLOT, values)
        return outbox_row(rows[0]) if rows else None

    async def slot_replied(self, row: OutboxRow, slot: int, outcome: Sent | None) -> None:
        values = {"conversation": row.conversation, **_key(row), "slot": slot}
        if outcome is None:
            await self._pool.fetch(say.SLOT_UNKNOWN, values)
        else:
            await self._pool.fetch(say.SLOT_SENT, {**values, "sent": encode_sent(outcome)})

    async def slot_unused(self, row: OutboxRow, slot: int) -> None:
        values = {"conversation": row.conversation, **_key(row), "slot": slot}
        await self._pool.fetch(say.SLOT_UNUSED, values)

    async def settled(self, conversation: ConversationId, inbound: InboundId, slot: int) -> bool:
        values = {"conversation": conversation, "inbound": inbound, "slot": slot}
        return not await self._pool.fetch(say.STILL_WAITS, values)

    async def close_slot(self, slot: int) -> None:
        await self._pool.fetch(say.CLOSE_SLOT, {"slot": slot})

    async def _change(
        self, claim: Claim, row: OutboxRow, state: OutboxState, changes: dict[str, Any]
    ) -> None:
        """Change a row unless it was sent or given up meanwhile: both are final."""
        values = {"becomes": state.value, "due": None, "why": None, "repeats": 0, "lasts": None}
        usual = {**_key(row), **values, "alone": False}
        await self._write(claim, say.CHANGE, {**usual, **changes})


def _key(row: OutboxRow) -> dict[str, Any]:
    return {"turn": row.turn, "piece": row.piece}
