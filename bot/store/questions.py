"""What became of a question that waits for a yes, from the rows of the turn that asked it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from bot.domain.conversation import TurnId
from bot.domain.records import Approval, Asked, OutboxState
from bot.store.codec import UNREADABLE, decode_sent, decode_turn
from bot.store.times import from_micros

LOOK_BACK = 64
"""Among so many of a conversation's newest turns the one that asked is looked for."""


def turn_that_asked(approval: Approval, newest: Sequence[Sequence[Any]]) -> TurnId | None:
    """Which of the turns, from (id, body), ended with this question."""
    for id, body in newest:
        with suppress(*UNREADABLE):
            if decode_turn(body).asked_until == approval.expires_at:
                return TurnId(id)
    return None


def asked_of(pieces: Sequence[Sequence[Any]]) -> Asked:
    """What became of the question: (state, changed_at, sent, draft, repeats) of each piece."""
    states = {state for state, *_ in pieces}
    shown = states == {OutboxState.SENT.value}
    last = max((changed_at for _, changed_at, *_ in pieces), default=0)
    # Where it grew it stands, and may be answered, before that it was sent is written.
    stands = [decode_sent(where) for _, _, sent, draft, _ in pieces for where in (sent, draft)]
    return Asked(
        from_micros(last) if shown else None,
        frozenset(sent.platform_id for sent in stands if sent is not None and sent.platform_id),
        any(repeats for *_, repeats in pieces),
    )
