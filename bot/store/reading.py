"""Rows of the databases as domain values; the order of columns is that of the statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from bot.domain.conversation import (
    Attendant,
    Conversation,
    ConversationId,
    Ending,
    Session,
    TurnId,
)
from bot.domain.records import (
    MOST_WAITING,
    Approval,
    Entry,
    OutboxRow,
    OutboxState,
    Waiting,
)
from bot.store.codec import (
    UNREADABLE,
    decode_inbound,
    decode_message,
    decode_outbound,
    decode_sent,
)
from bot.store.names import parse
from bot.store.times import from_micros

HEAD_LIMIT = 2 * MOST_WAITING
"""The most waiting messages that one look at a lane reads: more than may wait, so that those that
are too many are told so together."""


def conversation_of(row: Sequence[Any]) -> Conversation:
    """From `CONVERSATION_COLUMNS`."""
    id, tenant, address, adapter, audience, attended_by, epoch, direct = row
    return Conversation(
        ConversationId(id),
        tenant,
        parse(address),
        adapter,
        audience,
        Attendant(attended_by),
        epoch,
        bool(direct),
    )


def session_of(conversation: ConversationId, row: Sequence[Any]) -> Session | None:
    """From `SESSION_COLUMNS`; None where an outer join found none."""
    n, started_at, active_at, first, ended_at, ended_by, summary = row
    if n is None:
        return None
    return Session(
        conversation,
        n,
        from_micros(started_at),
        from_micros(active_at),
        first,
        time_of(ended_at),
        None if ended_by is None else Ending(ended_by),
        summary,
    )


def outbox_row(row: Sequence[Any]) -> OutboxRow:
    """From `OUTBOX_COLUMNS`."""
    conversation, turn, piece, body, state, due_at, created_at, expires_at = row[:8]
    attempts, repeats, draft, sent, error = row[8:13]
    return OutboxRow(
        ConversationId(conversation),
        TurnId(turn),
        piece,
        decode_outbound(body, time_of(expires_at)),
        OutboxState(state),
        from_micros(due_at),
        from_micros(created_at),
        attempts,
        repeats,
        decode_sent(draft),
        decode_sent(sent),
        error,
    )


def readable_rows(rows: Iterable[Sequence[Any]]) -> Iterator[OutboxRow]:
    """Those whose text can be read: what is done to many rows does not depend on each."""
    for row in rows:
        with suppress(*UNREADABLE):
            yield outbox_row(row)


def approval_of(conversation: ConversationId, row: Sequence[Any]) -> Approval:
    """From (sender, tool, arguments, expires_at)."""
    sender, tool, arguments, expires_at = row
    return Approval(conversation, sender, tool, arguments, from_micros(expires_at))


def open_question(
    asked: Mapping[str, Approval], waiting: Sequence[Waiting], now: datetime
) -> Approval | None:
    """The question that whoever wrote first among those who were asked has answered, or may.

    An answer that came in time finds its question, however late it is read.
    """
    for row in waiting:
        found = asked.get(row.inbound.sender.id)
        if found is not None and found.expires_at > min(now, row.received_at):
            return found
    return next((found for found in asked.values() if found.expires_at > now), None)


def entry_of(row: Sequence[Any]) -> Entry:
    """A line of a transcript from (body, address, event_key, turn)."""
    body, address, event_key, turn = row
    return Entry(decode_message(body), parse(address), event_key, TurnId(turn))


def waiting_entry_of(row: Sequence[Any]) -> Entry:
    """What still waits, from (body, address, event_key)."""
    body, address, event_key = row
    return Entry(decode_inbound(body).message, parse(address), event_key, waiting=True)


def entries_of(said: Iterable[Sequence[Any]], waiting: Iterable[Sequence[Any]]) -> list[Entry]:
    """What was said, given the newest first, then what waits; the oldest first.

    What waits has to be looked for first. What is answered in between is then found twice, not
    never, and its event key tells, which is one conversation's.
    """
    entries = [entry_of(row) for row in said][::-1]
    answered = {(entry.address, entry.event_key) for entry in entries}
    waits = map(waiting_entry_of, waiting)
    return entries + [one for one in waits if (one.address, one.event_key) not in answered]


def time_of(micros: int | None) -> datetime | None:
    """A time that a row may do without."""
    return None if micros is None else from_micros(micros)
