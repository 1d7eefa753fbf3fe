"""Sending: the pieces of a lane leave in order, each by one door, and are never lost silently."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.conversation import Conversation, TurnId
from bot.domain.message import Outbound, Sent
from bot.domain.records import Claim, OutboxRow, OutboxState
from bot.engine.closing import clear_draft, close_draft, leave_draft
from bot.engine.delivering import NEVER, AmbiguousPolicy, Delivering
from bot.engine.looking import CannotTellError, look
from bot.engine.marks import Wire
from bot.engine.moments import is_cancelled
from bot.engine.persisting import persist
from bot.engine.sending import addressed, send
from bot.engine.unsent import Unsent
from bot.errors import Ambiguous, Doubtful, Gone, Held, Permanent, Transient, Unfinishable
from bot.ports import Draft, Finds

__all__ = ["NEVER", "AmbiguousPolicy", "Delivering", "Delivery"]

LOOK_AGAIN = timedelta(seconds=1)

SEND_LIMIT = 60.0
"""Seconds; adapters have their own, shorter limits. This one keeps a lane from hanging."""

LAST_WORD = 1.0
"""Seconds that the end of a lane waits for what is on the wire."""


class Delivery:
    """Sends what a lane has to say, oldest turn first, piece after piece."""

    def __init__(
        self,
        shared: Delivering,
        claim: Claim,
        conversation: Conversation,
        rows: Iterable[OutboxRow],
        *,
        parked_until: datetime | None = None,
    ) -> None:
        self._shared = shared
        self._claim = claim
        self._conversation = conversation
        self._rows = deque(rows)
        self._parked_until = parked_until
        self._drafts: dict[TurnId, Draft] = {}
        self._left = asyncio.Event()
        self._unsent = Unsent(shared, claim, conversation)
        self._new: set[tuple[TurnId, int]] = set()
        self.stale = False
        """The first row is not as it was when the head was read: only the next look helps."""
        self._settle(parked_until)
        if not self._rows:
            self._left.set()

    def _settle(self, parked_until: datetime | None) -> None:
        """What waits still was not taken by us, and what is being sent perhaps by a request."""
        for row in self._rows:
            if row.state is not OutboxState.SENDING or parked_until is not None:
                self._shared.marks.was_not_taken(row)

    @property
    def empty(self) -> bool:
        return not self._rows

    @property
    def parked(self) -> bool:
        """A platform's open request may still take the next piece."""
        return self._parked_until is not None and self._parked_until > self._shared.clock.now()

    async def all_left(self) -> None:
        """Wait until nothing older waits: the gate for the next turn's draft."""
        await self._left.wait()

    def wake_held(self) -> None:
        """The person has written again: what the platform held back may go now."""
        self._rows = deque(
            replace(row, due_at=row.created_at) if row.state is OutboxState.HELD else row
            for row in self._rows
        )

    @property
    def holds_up(self) -> bool:
        """The person has been answered again since the first row was held: it may go now."""
        held = self._rows[0] if self._rows else None
        if held is None or held.state is not OutboxState.HELD or held.due_at != NEVER:
            return False
        return any(row.turn != held.turn for row in self._rows)

    def refresh(
        self, conversation: Conversation, rows: Iterable[OutboxRow], parked_until: datetime | None
    ) -> None:
        """Take over what the store holds now; only while nothing is being sent."""
        if conversation != self._conversation:
            self._conversation = conversation
            self._unsent = Unsent(self._shared, self._claim, conversation)
        self._rows = deque(rows)
        self._settle(parked_until)
        self.stale = False
        self._parked_until = parked_until
        if self._rows:
            self._left.clear()
        else:
            self._left.set()

    def will_add(self, turn: TurnId, pieces: Sequence[Outbound]) -> None:
        """The first of these is about to be written as sending, by us and before the wire."""
        now = self._shared.clock.now()
        for piece in pieces[:1]:
            row = OutboxRow(
                *(self._claim.conversation, turn, 0, piece, OutboxState.SENDING, now, now),
                attempts=1,
            )
            self._shared.marks.will_mark(self._claim, row)

    def add(self, rows: Iterable[OutboxRow], draft: Draft | None = None) -> None:
        for row in rows:
            if row.state is OutboxState.SENDING:
                self._new.add((row.turn, row.piece))
                self._shared.marks.will_mark(self._claim, row)
            if draft is not None and row.piece == 0:
                self._drafts[row.turn] = draft
            self._rows.append(row)
        if self._rows:
            self._left.clear()

    def leave(self) -> None:
        """Nobody goes on with this: drafts that no piece has become are not ours any more."""
        while self._drafts:
            leave_draft(self._drafts.popitem()[1])

    async def drain(self) -> datetime | None:
        """Send what is due. None when all has left, else when the next piece is due.

        Raises:
            Fenced: the lane has a newer holder.
        """
        while self._rows:
            now = self._shared.clock.now()
            if self._rows[0].state is OutboxState.HELD:
                await self._keep()
            row = self._rows[0]
            if self._parked_until is not None and self._parked_until > now:
                return self._parked_until
            if self.stale or (self._parked_until is not None and self._is_anothers(row)):
                # What became of it may be in the way of what stands behind it: an open request
                # that had it when the head was read may have given it back.
                return now + LOOK_AGAIN
            # What was held back and is on its way since is not due at the person's next message:
            # who sent it is gone, or it would be parked.
            if row.due_at > now and row.state is not OutboxState.SENDING:
                return row.due_at
            await self._deliver(row, now)
        self._left.set()
        return None

    async def _keep(self) -> None:
        known = list(self._rows)  # more may be added meanwhile
        for place, row in enumerate(await self._unsent.keep(known)):
            self._rows[place] = row

    async def _deliver(self, row: OutboxRow, now: datetime) -> None:
        shared = self._shared
        held = row.state is OutboxState.HELD
        known: Sent | Wire = Wire.UNTOUCHED
        if row.state is OutboxState.SENDING:
            known = shared.marks.about(self._claim, row)
            if isinstance(known, Sent):
                await self._has_left(row, known, 0.0)
                return
            if known is Wire.UNKNOWN and row.draft is None:
                await self._interrupted(row)
                return
        # What the platform held back has its own, longer time (outbox.hold).
        if self._has_expired(row, now) and not held:
            await self._bury(row, "expired")
            return
        if row.state is not OutboxState.SENDING:
            # Marked as sending and not sent, it would be in doubt for the next holder.
            await shared.certain()
            shared.marks.will_take(self._claim, row)
            try:
                row = await shared.outbox.take(self._claim, row)
            except Gone:
                shared.marks.was_not_taken(row)
                self.stale = True
                return
            # It is ours alone now, and the wire is untouched.
            shared.marks.will_mark(self._claim, row)
        # Whoever was frozen up to here may find that another node has sent it.
        await shared.certain()
        shared.marks.touches(row)
        started = shared.clock.monotonic()
        sent = await self._try(row, held=held)
        if sent is not None:
            await self._has_left(row, sent, shared.clock.monotonic() - started)

    def _has_expired(self, row: OutboxRow, now: datetime) -> bool:
        # What has just been written is sent in any case.
        expires_at = row.outbound.expires_at
        is_new = self._is_new(row)
        self._new.discard((row.turn, row.piece))
        return expires_at is not None and expires_at <= now and not is_new

    def _is_new(self, row: OutboxRow) -> bool:
        return (row.turn, row.piece) in self._new

    def _is_anothers(self, row: OutboxRow) -> bool:
        return row.state is OutboxState.SENDING and not self._is_new(row)

    async def _has_left(self, row: OutboxRow, sent: Sent, seconds: float) -> None:
        shared = self._shared
        self._rows.popleft()
        self._drafts.pop(row.turn, None)
        # The platform has it: that must be written, for nobody could ask it again.
        shared.marks.has_left(self._claim, row, sent)
        await persist(
            lambda: shared.outbox.sent(self._claim, row, sent),
            clock=shared.clock,
            observer=shared.observer,
        )
        shared.marks.is_settled(row)
        shared.observer.sent(
            adapter=self._conversation.adapter,
            turn=row.turn,
            piece=row.piece,
            seconds=seconds,
        )

    async def _interrupted(self, row: OutboxRow) -> None:
        """A former holder has died while it sent: where one can look, nobody has to wonder."""
        adapter: object = self._shared.adapters.get(self._conversation.adapter)
        if not isinstance(adapter, Finds):
            await self._unknown(row, "interrupted")
            return
        try:
            found = await look(
                lambda: adapter.find(addressed(row.outbound, self._conversation), row.created_at),
                self._shared.clock,
                self._shared.observer,
            )
        except CannotTellError:
            await self._unknown(row, "interrupted")
            return
        if found is not None:
            await self._has_left(row, found, 0.0)
        else:
            await self._later(row, Transient("not shown", retry_after=timedelta(0)), held=False)

    async def _try(self, row: OutboxRow, *, held: bool) -> Sent | None:
        """Touch the wire; None when it did not leave and its row says what comes next."""
        sending = asyncio.ensure_future(self._send_in_time(row))
        try:
            return await self._end_of(row, sending)
        except (TimeoutError, Ambiguous) as error:
            reason = type(error).__name__
            if row.draft is not None and isinstance(error, TimeoutError):
                # An edit of what stands there can be made again: nothing shows twice.
                await self._later(row, Transient(reason), held=held)
            else:
                await self._unknown(row, reason)
        except Held as error:
            self._still_unsent(row)
            self._rows[0] = await self._unsent.hold(row, error.until)
            self._shared.marks.is_settled(row)
        except Doubtful as error:
            self._waits(row, await self._unsent.doubtful(row, error, held=held))
        except Transient as error:
            self._still_unsent(row)
            await self._later(row, error, held=held)
        except Unfinishable:
            self._still_unsent(row)
            await self._alone(row)
        except Permanent as error:
            self._still_unsent(row)
            await self._bury(row, type(error).__name__, said=str(error))
        except Exception as error:  # the outbox around a send: a platform's code
            place = f"send {self._conversation.adapter}"
            self._shared.observer.failed(place=place, error=error)
            await self._unknown(row, "unexpected")
        return None

    async def _end_of(self, row: OutboxRow, sending: asyncio.Task[Sent]) -> Sent:
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError as error:
            if sending.cancelled() and not is_cancelled():
                # Nobody asked for it: it is a bug of the platform's code, and not our end.
                raise RuntimeError("foreign code has cancelled itself") from error
            await self._last_word(row, sending)
            raise

    def _still_unsent(self, row: OutboxRow) -> None:
        """The platform said so, and it is known here even if it cannot be written down now."""
        self._shared.marks.will_mark(self._claim, row)

    async def _last_word(self, row: OutboxRow, sending: asyncio.Task[Sent]) -> None:
        """Whoever ends a lane waits a moment for its send: cut off, it would be in doubt."""
        try:
            await asyncio.wait([sending], timeout=LAST_WORD)
        finally:
            sending.cancel()
        if not sending.done() or sending.cancelled():
            return
        if (error := sending.exception()) is None:
            self._shared.marks.has_left(self._claim, row, sending.result())
        elif isinstance(error, (Held, Transient, Permanent)) and not isinstance(error, Doubtful):
            self._still_unsent(row)

    async def _send_in_time(self, row: OutboxRow) -> Sent:
        draft = self._drafts.get(row.turn) if row.piece == 0 else None
        async with asyncio.timeout(SEND_LIMIT):
            return await send(self._shared, self._conversation, row, draft)

    # ---- what becomes of a piece that did not leave --------------------------------------

    async def _later(self, row: OutboxRow, error: Transient, *, held: bool) -> None:
        self._rows[0] = await self._unsent.later(row, error, held=held)
        self._shared.marks.is_settled(row)

    async def _unknown(self, row: OutboxRow, reason: str) -> None:
        self._waits(row, await self._unsent.unknown(row, reason))

    def _waits(self, row: OutboxRow, waits: OutboxRow | None) -> None:
        if waits is not None:
            self._rows[0] = waits
            return
        # What may be the whole answer, finished, is left as it stands.
        self._rows.popleft()
        self._drafts.pop(row.turn, None)

    async def _alone(self, row: OutboxRow) -> None:
        # Written first: whoever dies behind the send that follows has left a send in doubt.
        self._rows[0] = await self._unsent.alone(row)
        self._shared.marks.is_settled(row)
        self._new.add((row.turn, row.piece))
        await self._take_down(row)

    async def _bury(self, row: OutboxRow, reason: str, *, said: str = "") -> None:
        await self._unsent.bury(row, reason, said=said)
        self._shared.marks.is_settled(row)
        self._rows.popleft()
        await self._take_down(row)

    async def _take_down(self, row: OutboxRow) -> None:
        """The draft of a piece that it will not become."""
        draft = self._drafts.pop(row.turn, None)
        observer = self._shared.observer
        if draft is not None:
            await close_draft(draft, observer)
        elif row.draft is not None:
            adapter = self._shared.adapters.get(self._conversation.adapter)
            where = self._conversation.address
            await clear_draft(adapter, where, row.turn, row.draft, observer)
