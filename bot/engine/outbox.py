"""Sending: the pieces of a lane leave in order, each by one door, and are never lost silently."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bot.domain.address import Address
from bot.domain.conversation import Conversation, Turn, TurnId
from bot.domain.message import Sent
from bot.domain.records import Claim, OutboxRow, OutboxState
from bot.domain.sentences import sentence
from bot.errors import Ambiguous, Held, Permanent, Transient
from bot.ports import Adapter, Clock, Draft, Drafts, Observer
from bot.ports import Outbox as OutboxPort

SEND_LIMIT = 60.0
"""Seconds; adapters have their own, shorter limits. This one keeps a lane from hanging."""
FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0


NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a held piece is due that no time frees: at the person's next message."""


class AmbiguousPolicy(StrEnum):
    """What to do when nobody knows whether a piece was shown."""

    REPEAT = "repeat"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Delivering:
    """What every delivery of this server shares."""

    outbox: OutboxPort
    adapters: Mapping[str, Adapter]
    clock: Clock
    observer: Observer
    ambiguous: AmbiguousPolicy
    locale: str


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
        # Marked as sending by this very holder: nothing has touched the wire yet.
        self._fresh: set[tuple[TurnId, int]] = set()
        if not self._rows:
            self._left.set()

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

    def refresh(self, rows: Iterable[OutboxRow], parked_until: datetime | None) -> None:
        """Take over what the store holds now; only while nothing is being sent."""
        self._rows = deque(rows)
        self._parked_until = parked_until
        if self._rows:
            self._left.clear()
        else:
            self._left.set()

    def add(self, rows: Iterable[OutboxRow], draft: Draft | None = None) -> None:
        for row in rows:
            if row.state is OutboxState.SENDING:
                self._fresh.add((row.turn, row.piece))
            if draft is not None and row.piece == 0:
                self._drafts[row.turn] = draft
            self._rows.append(row)
        if self._rows:
            self._left.clear()

    async def drain(self) -> datetime | None:
        """Send what is due. None when all has left, else when the next piece is due.

        Raises:
            Fenced: the lane has a newer holder.
        """
        while self._rows:
            now = self._shared.clock.now()
            row = self._rows[0]
            if self._parked_until is not None and self._parked_until > now:
                return self._parked_until
            if row.due_at > now:
                return row.due_at
            await self._deliver(row, now)
        self._left.set()
        return None

    async def _deliver(self, row: OutboxRow, now: datetime) -> None:
        shared = self._shared
        fresh = (row.turn, row.piece) in self._fresh
        self._fresh.discard((row.turn, row.piece))
        held = row.state is OutboxState.HELD
        expires_at = row.outbound.expires_at
        # What the platform held back has its own, longer time (outbox.hold).
        if expires_at is not None and expires_at <= now and not fresh and not held:
            await self._bury(row, "expired")
            return
        if row.state is OutboxState.SENDING and not fresh and row.draft is None:
            await self._unknown(row, "interrupted")
            return
        if row.state is not OutboxState.SENDING:
            row = await shared.outbox.take(self._claim, row)
        started = shared.clock.monotonic()
        sent = await self._try(row, held=held)
        if sent is not None:
            self._rows.popleft()
            self._drafts.pop(row.turn, None)
            await shared.outbox.sent(self._claim, row, sent)
            shared.observer.sent(
                adapter=self._conversation.adapter,
                turn=row.turn,
                piece=row.piece,
                seconds=shared.clock.monotonic() - started,
            )

    async def _try(self, row: OutboxRow, *, held: bool) -> Sent | None:
        """Touch the wire; None when it did not leave and its row says what comes next."""
        try:
            async with asyncio.timeout(SEND_LIMIT):
                return await self._send(row)
        except (TimeoutError, Ambiguous) as error:
            reason = type(error).__name__
            if row.draft is not None:
                # An edit of what stands there can be made again: nothing shows twice.
                await self._later(row, Transient(reason), held=held)
            else:
                await self._unknown(row, reason)
        except Held as error:
            await self._hold(row, error.until)
        except Transient as error:
            await self._later(row, error, held=held)
        except Permanent as error:
            await self._bury(row, type(error).__name__, said=str(error))
        except Exception as error:  # the outbox around a send: a platform's code
            place = f"send {self._conversation.adapter}"
            self._shared.observer.failed(place=place, error=error)
            await self._unknown(row, "unexpected")
        return None

    async def _send(self, row: OutboxRow) -> Sent:
        adapter = self._shared.adapters.get(self._conversation.adapter)
        if adapter is None:
            raise Held("its adapter is not configured")
        piece = row.outbound
        if row.repeats:
            mark = sentence("repeated_mark", self._shared.locale)
            marked = replace(piece, text=f"{mark} {piece.text}")
            piece = marked if len(adapter.pieces(marked)) == 1 else piece
        draft = self._drafts.get(row.turn) if row.piece == 0 else None
        if draft is None and row.draft is not None and isinstance(adapter, Drafts):
            try:
                draft = await adapter.draft(
                    piece.address, turn=row.turn, reply_to=piece.reply_to, resume=row.draft
                )
            except Permanent:
                draft = None  # it cannot be taken up any more; the answer is still owed
        if draft is not None:
            return await draft.finish(piece)
        return await adapter.send(piece)

    # ---- what becomes of a piece that did not leave --------------------------------------

    async def _later(self, row: OutboxRow, error: Transient, *, held: bool) -> None:
        wait = min(FIRST_RETRY * 2.0 ** min(row.attempts, 16), LONGEST_RETRY)
        if error.retry_after is not None:
            wait = max(error.retry_after.total_seconds(), 0.1)
        now = self._shared.clock.now()
        due_at = now + timedelta(seconds=wait)
        self._report(row, "transient", type(error).__name__)
        if held:
            # Still held, until then: it lives as long as what is held lives.
            await self._shared.outbox.hold(self._claim, row, until=due_at)
            self._replace(row, state=OutboxState.HELD, due_at=due_at)
            return
        expires_at = row.outbound.expires_at
        if expires_at is not None and expires_at > now:
            # Not after it has expired: what stands behind it must not wait for its sake.
            due_at = min(due_at, expires_at)
        await self._shared.outbox.put_back(self._claim, row, due_at=due_at, error=str(error))
        self._replace(row, state=OutboxState.QUEUED, due_at=due_at, attempts=row.attempts + 1)

    async def _hold(self, row: OutboxRow, until: datetime | None) -> None:
        self._report(row, "held", "")
        await self._shared.outbox.hold(self._claim, row, until=until)
        self._replace(row, state=OutboxState.HELD, due_at=until or NEVER)

    async def _unknown(self, row: OutboxRow, reason: str) -> None:
        """It may have been shown: once more with a mark, or to the operator, by policy."""
        if self._shared.ambiguous is AmbiguousPolicy.REPEAT and row.repeats == 0:
            self._report(row, "repeated", reason)
            now = self._shared.clock.now()
            await self._shared.outbox.put_back(
                self._claim, row, due_at=now, error="ambiguous", repeat=True
            )
            self._replace(row, state=OutboxState.QUEUED, due_at=now, repeats=row.repeats + 1)
        else:
            await self._bury(row, "ambiguous")

    async def _bury(self, row: OutboxRow, reason: str, *, said: str = "") -> None:
        """Give up; what the platform said stays with the row, for it may quote the person."""
        outcome = reason if reason in ("ambiguous", "expired") else "dead"
        self._report(row, outcome, reason)
        self._rows.popleft()
        draft = self._drafts.pop(row.turn, None)
        await self._shared.outbox.bury(self._claim, row, error=said or reason)
        # What may be the whole answer, finished, is left as it stands.
        if draft is not None and outcome != "ambiguous":
            await close_draft(draft, self._shared.observer)

    def _replace(
        self,
        row: OutboxRow,
        *,
        state: OutboxState,
        due_at: datetime,
        attempts: int | None = None,
        repeats: int | None = None,
    ) -> None:
        self._rows[0] = replace(
            row,
            state=state,
            due_at=due_at,
            attempts=row.attempts if attempts is None else attempts,
            repeats=row.repeats if repeats is None else repeats,
        )

    def _report(self, row: OutboxRow, outcome: str, reason: str) -> None:
        self._shared.observer.send_failed(
            adapter=self._conversation.adapter,
            turn=row.turn,
            piece=row.piece,
            outcome=outcome,
            reason=reason,
        )


async def close_draft(draft: Draft, observer: Observer) -> None:
    """Abandon a draft that will not be finished; what it looked like is only decoration."""
    try:
        async with asyncio.timeout(10):
            await draft.abandon()
    except (Transient, Permanent, Ambiguous, Held, TimeoutError):
        pass  # it stands as it stood; the platform would not have it otherwise
    except Exception as error:  # the loop of a draft: a platform's code
        observer.failed(place="draft abandon", error=error)


async def clear_draft(adapter: object, address: Address, turn: Turn, observer: Observer) -> None:
    """Take up the draft that a turn has left on the screen, and close it."""
    if turn.draft is None or not isinstance(adapter, Drafts):
        return
    try:
        async with asyncio.timeout(10):
            draft = await adapter.draft(address, turn=turn.id, reply_to=None, resume=turn.draft)
    except (Transient, Permanent, Ambiguous, Held, TimeoutError):
        return
    except Exception as error:  # the loop of a draft: a platform's code
        observer.failed(place="draft abandon", error=error)
        return
    await close_draft(draft, observer)
