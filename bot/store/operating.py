"""What operators look at, from rows to domain values, the same for every database."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from bot.domain.conversation import ConversationId, InboundId, TurnId
from bot.domain.operating import InboxRow, InboxState, NodeHealth, UnsureCall
from bot.domain.records import Retention, Unsure
from bot.store.codec import decode_inbound, decode_turn
from bot.store.times import from_micros, micros_of

REMEMBERED = micros_of(7 * 86400)
"""How long calls of unknown outcome are listed, at least, and nodes that fell silent."""

RESTS = micros_of(90)
"""Longer than a lane rests in which a message waits (`BROKEN` in `bot/engine/lane.py`)."""

AHEAD = micros_of(120)
"""No firing of the schedule lies so far ahead; a row that does is from before the clock was set
back."""

LOOKED_AT = 10
"""So many batches of sessions that ended long ago one round of retention looks at."""

STATES = {0: InboxState.WAITING, 2: InboxState.DEAD}


class Seen(NamedTuple):
    """The last of the sessions that ended long ago at which retention has looked."""

    since: int = 0
    where: int = 0
    number: int = 0


def inbox_row(row: Sequence[Any]) -> InboxRow:
    """From the columns of `INBOX_IN_STATE`."""
    id, conversation, adapter, body, state, received_at, turn = row
    return InboxRow(
        InboundId(id),
        ConversationId(conversation),
        adapter,
        decode_inbound(body),
        STATES[state],
        from_micros(received_at),
        # A turn that was forgotten has an empty body.
        runs=decode_turn(turn).attempts if turn else 0,
    )


def node_health(row: Sequence[Any], now: int) -> NodeHealth:
    """From the columns of `NODES`."""
    name, until, held = row
    return NodeHealth(name, until > now, from_micros(max(0, until)), held)


def unsure_lasts(rules: Retention) -> int:
    """How long a call of unknown outcome is kept: while it is listed, or as the journal is.

    No longer: a tool that breaks at every call leaves a row each time, and they are counted often.
    """
    return max(REMEMBERED, micros_of(rules.journal_seconds))


def usage_lasts(rules: Retention) -> int:
    """How long it is known what a turn has used."""
    return micros_of(max(rules.retain_seconds, rules.usage_seconds))


def subject_of(conversation: ConversationId, turn: TurnId, unsure: Unsure) -> str:
    """How a call is named in the audit: nothing of what was said."""
    return f"{conversation}/{turn} {unsure.tool} {unsure.key}"


def unsure_call(row: Sequence[Any]) -> UnsureCall:
    """From (done_at, subject)."""
    done_at, subject = row
    where, tool, key = subject.split(" ")
    conversation, _, turn = where.partition("/")
    return UnsureCall(
        from_micros(done_at), ConversationId(int(conversation)), TurnId(int(turn)), tool, key
    )
