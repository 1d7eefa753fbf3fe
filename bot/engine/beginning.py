"""What a turn begins with, purely: its row, the call it was allowed, whether it is too late."""

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.conversation import Turn, TurnId
from bot.domain.message import ToolCall
from bot.domain.records import Claim, Head, Waiting
from bot.engine.commands import is_yes

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
    )


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
        or len(rows) != 1
        or not is_yes(first.inbound)
    ):
        return None
    return ToolCall(f"approved{first.id}", approval.tool, approval.arguments)
