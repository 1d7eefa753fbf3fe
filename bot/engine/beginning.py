"""What a turn begins with, purely: its row, the call it was allowed, whether it is too late."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import takewhile

from bot.domain.conversation import Turn, TurnId
from bot.domain.message import Kind, ToolCall
from bot.domain.records import Claim, Head, Waiting
from bot.engine.commands import is_yes
from bot.engine.turn import APPROVAL_LIFE

YES_LASTS = timedelta(minutes=5)
"""How long after it was said a yes is acted on, however late it was read, or is read again."""


def new_turn(claim: Claim, head: Head, rows: Sequence[Waiting]) -> Turn:
    """The turn that these messages become."""
    first = rows[0]
    return Turn(
        id=TurnId(first.id),
        conversation=claim.conversation,
        session=0,
        sender=first.inbound.sender,
        inbounds=tuple(row.id for row in rows),
        now=head.now,
        audience=head.conversation.audience,
        approved=_approved(head, rows),
        keeps_question=keeps_question(head, rows),
    )


def begun_with(head: Head, rows: Sequence[Waiting]) -> Sequence[Waiting]:
    """Those of the rows that become a turn now: what passes the open question by, or the rest.

    Together, a yes would not be all that was said.
    """
    if head.turn is not None:
        return rows
    return tuple(takewhile(lambda row: _passes_by(head, row), rows)) or rows


def keeps_question(head: Head, rows: Sequence[Waiting]) -> bool:
    """Whether the open question stays: nothing of this was said with it in sight."""
    return all(_passes_by(head, row) for row in rows)


def too_late(head: Head, rows: Sequence[Waiting], turn: Turn, max_age: timedelta) -> str | None:
    """The sentence to end with where an answer, or doing what was allowed, comes too late.

    What stands half on the person's screen is finished all the same. A turn that is begun now is
    young: the old ones never come so far.
    """
    waited = head.now - rows[0].received_at
    if turn.approved is not None and not head.steps:
        return "approval_expired" if waited > YES_LASTS else None
    if head.turn is None or turn.draft is not None:
        return None
    return "too_late" if waited > max_age else None


def _approved(head: Head, rows: Sequence[Waiting]) -> ToolCall | None:
    """The call that this very message allows, if one was asked about and it says yes."""
    approval, first = head.approval, rows[0]
    if (
        approval is None
        or approval.sender != first.inbound.sender.id
        or approval.expires_at < first.received_at
        or _passes_by(head, first)
        or len(rows) != 1
        or not is_yes(first.inbound)
    ):
        return None
    return ToolCall(f"approved{first.id}", approval.tool, approval.arguments)


def _passes_by(head: Head, row: Waiting) -> bool:
    """Whether this says nothing about the question that its person has open.

    It was received before they had the question before them, or it is a button under another
    message. Its own button stands nowhere else.
    """
    approval = head.approval
    if approval is None or approval.sender != row.inbound.sender.id:
        return False
    asked = approval.asked
    if asked is None:
        return row.received_at < approval.expires_at - APPROVAL_LIFE
    under = row.inbound.reply_to if row.inbound.kind is Kind.BUTTON else None
    if under in asked.places:
        return False  # whatever we have written down by then: it was pressed, so it stood there
    if asked.shown_at is None or row.received_at < asked.shown_at:
        return True
    return bool(under and asked.places and not asked.repeated)
