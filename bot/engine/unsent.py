"""What becomes of a piece that did not leave: later, held, once more, or to the dead letters."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.conversation import Conversation
from bot.domain.records import Claim, OutboxRow, OutboxState
from bot.engine.delivering import NEVER, AmbiguousPolicy, Delivering
from bot.engine.persisting import persist
from bot.errors import Doubtful, Transient

FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0

IN_DOUBT = "ambiguous"
"""Why a piece waits that nobody knows the end of."""

LONGEST_OBEYED = 86_400.0
"""Seconds; a platform that asks for more is asked again then: what waits behind waits for it."""


class Unsent:
    """Writes it down and reports it; each method gives the row as it waits now, None: it is gone.

    The writes are tried until the database takes them: a row left as `sending` would look like
    a send that nobody knows the end of.
    """

    def __init__(self, shared: Delivering, claim: Claim, conversation: Conversation) -> None:
        self._shared = shared
        self._claim = claim
        self._conversation = conversation

    async def later(
        self, row: OutboxRow, error: Transient, *, held: bool, repeat: bool = False
    ) -> OutboxRow:
        """Try again, growing slower, or when the platform said; `repeat`: with a mark."""
        wait = min(FIRST_RETRY * 2.0 ** min(row.attempts, 16), LONGEST_RETRY)
        if error.retry_after is not None:
            wait = min(max(error.retry_after.total_seconds(), 0.1), LONGEST_OBEYED)
        now = self._shared.clock.now()
        due_at = now + timedelta(seconds=wait)
        self.report(row, "repeated" if repeat else "transient", type(error).__name__)
        if held:
            # Still held, until then: it lives as long as what is held lives.
            return await self._held(row, due_at)
        expires_at = row.outbound.expires_at
        if expires_at is not None and expires_at > now:
            # Not after it has expired: what stands behind it must not wait for its sake.
            due_at = min(due_at, expires_at)
        await self._put_back(row, due_at, str(error), repeat=repeat)
        return replace(
            row,
            state=OutboxState.QUEUED,
            due_at=due_at,
            error=str(error),
            repeats=row.repeats + int(repeat),
        )

    async def hold(self, row: OutboxRow, until: datetime | None) -> OutboxRow:
        """Wait for the person's next message."""
        self.report(row, "held", "")
        return await self._held(row, until)

    async def keep(self, rows: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
        """See to it that nothing runs out behind a held piece before that; the rows then."""
        lasts = self._shared.hold
        lasting = [row.lasting(lasts) for row in rows]
        if lasting != rows:
            await self._write(
                lambda: self._shared.outbox.prolong(self._claim, rows[0], lasts=lasts)
            )
        return lasting

    async def unknown(self, row: OutboxRow, reason: str) -> OutboxRow | None:
        """It may have been shown: once more with a mark, or to the operator, by policy."""
        now = self._shared.clock.now()
        expires_at = row.outbound.expires_at
        is_late = expires_at is not None and expires_at <= now
        repeats = self._shared.ambiguous is AmbiguousPolicy.REPEAT and _may_be_repeated(row)
        if not repeats or is_late:
            await self.bury(row, "ambiguous")
            return None
        self.report(row, "repeated", reason)
        await self._put_back(row, now, IN_DOUBT, repeat=True)
        return replace(
            row,
            state=OutboxState.QUEUED,
            due_at=now,
            error=IN_DOUBT,
            repeats=row.repeats + 1,
        )

    async def doubtful(self, row: OutboxRow, error: Doubtful, *, held: bool) -> OutboxRow | None:
        """The service is out of order and may have taken it: later and marked, by policy.

        As often as it takes: an answer that a service refuses for an hour is not given up after
        its second try, as one is whose end nobody knows.
        """
        if self._shared.ambiguous is not AmbiguousPolicy.REPEAT:
            return await self.unknown(row, type(error).__name__)
        return await self.later(row, error, held=held, repeat=not held)

    async def alone(self, row: OutboxRow) -> OutboxRow:
        """Its draft cannot become it: from here on it is a message of its own."""
        now = self._shared.clock.now()
        await self._put_back(row, now, "no draft", alone=True)
        return replace(row, state=OutboxState.QUEUED, due_at=now, draft=None)

    async def bury(self, row: OutboxRow, reason: str, *, said: str = "") -> None:
        """Give up; what the platform said stays with the row, for it may quote the person."""
        outcome = reason if reason in ("ambiguous", "expired") else "dead"
        self.report(row, outcome, reason)
        await self._write(lambda: self._shared.outbox.bury(self._claim, row, error=said or reason))

    def report(self, row: OutboxRow, outcome: str, reason: str) -> None:
        """Tell the operator."""
        self._shared.observer.send_failed(
            adapter=self._conversation.adapter,
            turn=row.turn,
            piece=row.piece,
            outcome=outcome,
            reason=reason,
        )

    async def _held(self, row: OutboxRow, until: datetime | None) -> OutboxRow:
        lasts = self._shared.hold
        await self._write(
            lambda: self._shared.outbox.hold(self._claim, row, until=until, lasts=lasts)
        )
        return replace(row.lasting(lasts), state=OutboxState.HELD, due_at=until or NEVER)

    async def _put_back(
        self,
        row: OutboxRow,
        due_at: datetime,
        error: str,
        *,
        repeat: bool = False,
        alone: bool = False,
    ) -> None:
        await self._write(
            lambda: self._shared.outbox.put_back(
                self._claim, row, due_at=due_at, error=error, repeat=repeat, alone=alone
            )
        )

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        await persist(write, clock=self._shared.clock, observer=self._shared.observer)


def _may_be_repeated(row: OutboxRow) -> bool:
    """Once for each send in doubt: one that the service refused in between was another."""
    return row.repeats == 0 or row.error != IN_DOUBT
