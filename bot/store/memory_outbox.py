"""The outbox and the slots, in memory."""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.conversation import ConversationId, InboundId
from bot.domain.message import Sent
from bot.domain.records import Claim, OutboxRow, OutboxState
from bot.errors import Gone
from bot.store.memory_lanes import UNSENT, MemoryLanes
from bot.store.memory_rows import OutboxLine, SlotTake
from bot.store.times import FOREVER


class MemoryOutbox(MemoryLanes):
    async def take(self, claim: Claim, row: OutboxRow) -> OutboxRow:
        self._held(claim)
        line = self._line(row)
        if line is None or line.row.state not in {OutboxState.QUEUED, OutboxState.HELD}:
            raise Gone
        return self._set(line, state=OutboxState.SENDING, attempts=line.row.attempts + 1)

    async def sent(self, claim: Claim, row: OutboxRow, sent: Sent) -> None:
        self._held(claim)
        line = self._line(row)
        if line is not None:
            self._set(line, state=OutboxState.SENT, sent=sent)
            self._touch(claim.conversation)

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
        self._held(claim)
        line = self._open(row)
        if line is not None:
            self._set(
                line,
                state=OutboxState.QUEUED,
                due_at=due_at,
                error=error,
                repeats=max(line.row.repeats, row.repeats + int(repeat)),
                draft=None if alone else line.row.draft,
            )

    async def hold(
        self, claim: Claim, row: OutboxRow, *, until: datetime | None, lasts: timedelta
    ) -> None:
        self._held(claim)
        line = self._open(row)
        if line is not None:
            self._set(line, state=OutboxState.HELD, due_at=until or FOREVER)
            await self.prolong(claim, row, lasts=lasts)

    async def prolong(self, claim: Claim, row: OutboxRow, *, lasts: timedelta) -> None:
        self._held(claim)
        for line in self._rows.outbox.values():
            waits = line.row.state in {OutboxState.QUEUED, OutboxState.HELD}
            is_behind = (line.row.turn, line.row.piece) >= (row.turn, row.piece)
            if line.row.conversation == claim.conversation and is_behind and waits:
                line.row = line.row.lasting(lasts)

    async def bury(self, claim: Claim, row: OutboxRow, *, error: str) -> None:
        self._held(claim)
        line = self._open(row)
        if line is not None:
            self._set(line, state=OutboxState.DEAD, error=error)

    async def take_for_slot(
        self,
        conversation: ConversationId,
        slot: int,
        closes_at: datetime,
        *,
        behind: OutboxRow | None = None,
    ) -> OutboxRow | None:
        open_slot = self._rows.slots.get(slot)
        if open_slot is None or open_slot.closes_at <= self._now():
            return None
        unsent = [
            line
            for key, line in sorted(self._rows.outbox.items())
            if key[0] == conversation
            and line.row.state in UNSENT
            and (behind is None or key[1:] > (behind.turn, behind.piece))
        ]
        if not unsent:
            return None
        line = unsent[0]
        if line.row.state is OutboxState.SENDING:
            is_ours = line.taken is not None and line.taken.slot == slot
            return line.row if is_ours else None
        if line.row.has_expired(self._now()):
            return None  # the lane gives it up, or upkeep
        row = self._set(line, state=OutboxState.SENDING, attempts=line.row.attempts + 1)
        line.taken = SlotTake(slot, closes_at)
        return row

    async def slot_replied(self, row: OutboxRow, slot: int, outcome: Sent | None) -> None:
        line = self._line(row)
        if line is None or line.taken is None or line.taken.slot != slot:
            return
        if line.row.state is not OutboxState.SENDING:
            return
        if outcome is None:
            line.taken = None
            self._wake(row.conversation, self._now())
            return
        self._set(line, state=OutboxState.SENT, sent=outcome)
        self._touch(row.conversation)

    async def slot_unused(self, row: OutboxRow, slot: int) -> None:
        line = self._line(row)
        if line is None or line.taken is None or line.taken.slot != slot:
            return
        if line.row.state is OutboxState.SENDING:
            attempts = line.row.attempts - 1
            self._set(line, state=OutboxState.QUEUED, due_at=self._now(), attempts=attempts)

    async def settled(self, conversation: ConversationId, inbound: InboundId, slot: int) -> bool:
        line = self._rows.inbox.get(inbound)
        if line is not None and line.state == 0:
            return False
        return not any(
            key[0] == conversation
            and one.row.state is OutboxState.SENDING
            and (one.taken is None or one.taken.slot != slot)
            for key, one in self._rows.outbox.items()
        )

    async def close_slot(self, slot: int) -> None:
        closed = self._rows.slots.pop(slot, None)
        if closed is None:
            return
        unsent = any(
            key[0] == closed.conversation and line.row.state in UNSENT
            for key, line in self._rows.outbox.items()
        )
        if unsent:
            self._wake(closed.conversation, self._now())

    def _line(self, row: OutboxRow) -> OutboxLine | None:
        return self._rows.outbox.get((row.conversation, row.turn, row.piece))

    def _open(self, row: OutboxRow) -> OutboxLine | None:
        """The row's line unless it was sent or given up meanwhile: both are final."""
        line = self._line(row)
        return line if line is not None and line.row.state in UNSENT else None

    def _set(self, line: OutboxLine, **changes: object) -> OutboxRow:
        line.row = replace(line.row, **changes)  # type: ignore[arg-type]  # names of its fields
        line.changed_at, line.taken = self._now(), None
        return line.row
