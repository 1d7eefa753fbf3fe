"""The outbox and the slots on SQLite."""

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.conversation import ConversationId, InboundId
from bot.domain.message import Sent
from bot.domain.records import Claim, OutboxRow, OutboxState
from bot.errors import Gone
from bot.store import statements
from bot.store.codec import encode_sent
from bot.store.reading import outbox_row
from bot.store.sqlite_room import SqliteRoom, held, owner
from bot.store.times import FOREVER, micros_of, to_micros


class SqliteOutbox(SqliteRoom):
    async def take(self, claim: Claim, row: OutboxRow) -> OutboxRow:
        values = {**held(claim), **_key(row), "now": self._now()}

        def write(db: sqlite3.Connection) -> int:
            found = db.execute(statements.TAKE, values).fetchall()
            if not found:
                owner(db, claim)
                raise Gone
            return int(found[0][0])

        attempts = await self._writer.run(write)
        return replace(row, state=OutboxState.SENDING, attempts=attempts)

    async def sent(self, claim: Claim, row: OutboxRow, sent: Sent) -> None:
        values = {**held(claim), **_key(row), "now": self._now(), "stands": encode_sent(sent)}

        def write(db: sqlite3.Connection) -> None:
            if not db.execute(statements.SENT, values).rowcount:
                owner(db, claim)
                return
            db.execute(statements.TOUCH, values)

        await self._writer.run(write)

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
        await self._change(
            claim,
            row,
            OutboxState.QUEUED,
            {
                "due": to_micros(due_at),
                "why": error,
                "repeats": row.repeats + int(repeat),
                "alone": alone,
            },
        )

    async def hold(
        self, claim: Claim, row: OutboxRow, *, until: datetime | None, lasts: timedelta
    ) -> None:
        await self._change(
            claim,
            row,
            OutboxState.HELD,
            {"due": to_micros(until or FOREVER), "lasts": micros_of(lasts.total_seconds())},
        )

    async def prolong(self, claim: Claim, row: OutboxRow, *, lasts: timedelta) -> None:
        values = {**held(claim), **_key(row), "lasts": micros_of(lasts.total_seconds())}

        def write(db: sqlite3.Connection) -> None:
            owner(db, claim)
            db.execute(statements.PROLONG, values)

        await self._writer.run(write)

    async def bury(self, claim: Claim, row: OutboxRow, *, error: str) -> None:
        await self._change(claim, row, OutboxState.DEAD, {"why": error})

    async def take_for_slot(
        self,
        conversation: ConversationId,
        slot: int,
        closes_at: datetime,
        *,
        behind: OutboxRow | None = None,
    ) -> OutboxRow | None:
        at = self._clock.now()
        now = to_micros(at)
        last = (-1, -1) if behind is None else (behind.turn, behind.piece)
        values = {"conversation": conversation, "via": slot, "now": now}

        def write(db: sqlite3.Connection) -> OutboxRow | None:
            if not db.execute(statements.SLOT_IS_OPEN, values).fetchall():
                return None
            after = {**values, "turn": last[0], "piece": last[1]}
            found = db.execute(statements.OLDEST_UNSENT, after).fetchall()
            if not found:
                return None
            *columns, taken_by = found[0]
            row = outbox_row(columns)
            if row.state is OutboxState.SENDING:
                return row if taken_by == slot else None
            if row.has_expired(at):
                return None  # the lane gives it up, or upkeep
            taken = {**values, **_key(row), "until": to_micros(closes_at)}
            db.execute(statements.TAKE_FOR_SLOT, taken)
            return replace(row, state=OutboxState.SENDING, attempts=row.attempts + 1)

        return await self._writer.run(write)

    async def slot_replied(self, row: OutboxRow, slot: int, outcome: Sent | None) -> None:
        values = {
            "conversation": row.conversation,
            **_key(row),
            "via": slot,
            "now": self._now(),
            "stands": encode_sent(outcome),
        }

        def write(db: sqlite3.Connection) -> None:
            if outcome is None:
                if db.execute(statements.SLOT_UNKNOWN, values).rowcount:
                    db.execute(statements.WAKE_AT, values)
            elif db.execute(statements.SLOT_SENT, values).rowcount:
                db.execute(statements.TOUCH, values)

        await self._writer.run(write)

    async def slot_unused(self, row: OutboxRow, slot: int) -> None:
        values = {
            "conversation": row.conversation,
            **_key(row),
            "via": slot,
            "now": self._now(),
        }
        await self._writer.run(lambda db: db.execute(statements.SLOT_UNUSED, values))

    async def settled(self, conversation: ConversationId, inbound: InboundId, slot: int) -> bool:
        values = {"conversation": conversation, "which": inbound, "via": slot}
        return not self._read(statements.STILL_WAITS, values)

    async def close_slot(self, slot: int) -> None:
        now = self._now()

        def write(db: sqlite3.Connection) -> None:
            for (conversation,) in db.execute(statements.CLOSE_SLOT, {"via": slot}).fetchall():
                values = {"conversation": conversation, "now": now}
                if db.execute(statements.HAS_UNSENT, values).fetchall():
                    db.execute(statements.WAKE_AT, values)

        await self._writer.run(write)

    async def _change(
        self, claim: Claim, row: OutboxRow, state: OutboxState, changes: dict[str, Any]
    ) -> None:
        """Change a row unless it was sent or given up meanwhile: both are final."""
        values = {
            **held(claim),
            **_key(row),
            "now": self._now(),
            "becomes": state.value,
            "due": None,
            "why": None,
            "repeats": 0,
            "alone": False,
            "lasts": None,
            **changes,
        }

        def write(db: sqlite3.Connection) -> None:
            if not db.execute(statements.CHANGE, values).rowcount:
                owner(db, claim)
            elif values["lasts"] is not None:
                db.execute(statements.PROLONG, values)

        await self._writer.run(write)


def _key(row: OutboxRow) -> dict[str, Any]:
    return {"which": row.turn, "nth": row.piece}
