"""Domain values as columns and rows, the same for every database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot.domain.conversation import Session
from bot.domain.records import Claim, Finish, OutboxRow, OutboxState
from bot.store.times import from_micros, to_micros


def session_values(session: Session) -> dict[str, Any]:
    """A session's own columns."""
    return {
        "n": session.n,
        "first": session.first,
        "started_at": to_micros(session.started_at),
        "active_at": to_micros(session.active_at),
        "ended_at": None if session.ended_at is None else to_micros(session.ended_at),
        "ended_by": None if session.ended_by is None else session.ended_by.value,
        "summary": session.summary,
    }


def outbox_rows_of(claim: Claim, finish: Finish, now: int) -> Sequence[OutboxRow]:
    """The pieces of a finished turn as rows."""
    at = from_micros(now)
    rows = [
        OutboxRow(
            claim.conversation,
            finish.turn.id,
            n,
            piece,
            OutboxState.QUEUED,
            due_at=at,
            created_at=at,
            draft=finish.turn.draft if n == 0 else None,
        )
        for n, piece in enumerate(finish.pieces)
    ]
    if rows and finish.sending_first:
        rows[0] = replace(rows[0], state=OutboxState.SENDING, attempts=1)
    return rows
