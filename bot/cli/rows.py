"""Rows of the inbox and the outbox as an operator sees them: never a word of what was said."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bot.cli.show import clean
from bot.cli.words import words
from bot.domain.message import Part, Text
from bot.domain.operating import InboxRow, InboxState, NodeHealth, UnsureCall
from bot.domain.records import OutboxRow, OutboxState

EPOCH = datetime.fromtimestamp(0, UTC)
"""Until when the lease of a server lasted that gave it back."""

LONGEST = 80
"""Characters of a reason in a list; `show` has the whole of it."""

REASONS = ("expired", "ambiguous")
"""Why a dead letter is one, where it is worth a name of its own."""

REPEATED = "repeated"
"""The state, to an operator, of an answer that was sent a second time."""


def outbox_lines(rows: Sequence[OutboxRow], now: datetime) -> Iterator[str]:
    """A line for each piece: name, state, age, tries, where to, why not yet."""
    for row in rows:
        columns = (
            f"{piece_name(row):<14}",
            f"{outbox_state(row):<9}",
            f"{age(now - row.created_at):>4}",
            f"×{row.attempts}",
            clean(str(row.outbound.address)),
            _cut(row.error),
        )
        yield "  ".join(columns).rstrip()


def piece_lines(row: OutboxRow, now: datetime, *, text: bool) -> Iterator[str]:
    """One piece: its line, its times, and what it says only where that is asked for."""
    yield from outbox_lines([row], now)
    yield ""
    yield words("made_at", at=_time(row.created_at))
    if row.state is OutboxState.QUEUED:
        yield words("due_at", at=_time(row.due_at))
    if row.outbound.expires_at is not None:
        yield words("expires_at", at=_time(row.outbound.expires_at))
    if row.repeats:
        yield words("repeated_times", count=row.repeats)
    if row.error:
        yield words("because", why=clean(row.error))
    yield from _said(row.outbound.text, text=text)


def piece_name(row: OutboxRow) -> str:
    """How the operator names it."""
    return f"{row.conversation}/{row.turn}/{row.piece}"


def outbox_state(row: OutboxRow) -> str:
    """Its state, or why it is a dead letter."""
    if row.state is OutboxState.SENT and row.repeats:
        return REPEATED
    is_named = row.state is OutboxState.DEAD and row.error in REASONS
    return row.error if is_named else row.state.value


def inbox_lines(rows: Sequence[InboxRow], now: datetime) -> Iterator[str]:
    """A line for each message: name, state, age, runs, kind, from where."""
    for row in rows:
        columns = (
            f"{row.id:<8}",
            f"{row.state.value:<8}",
            f"{age(now - row.received_at):>4}",
            f"×{row.runs}",
            f"{row.inbound.kind.value:<8}",
            clean(str(row.inbound.address)),
            words("crashed_thrice") if row.state is InboxState.DEAD else "",
        )
        yield "  ".join(columns).rstrip()


def message_lines(row: InboxRow, now: datetime, *, text: bool) -> Iterator[str]:
    """One message: its line, its time and sender, and its words only where that is asked for."""
    yield from inbox_lines([row], now)
    yield ""
    yield words("received_at", at=_time(row.received_at))
    yield words("by_adapter", adapter=row.adapter, sender=clean(row.inbound.sender.id))
    yield from _said("\n".join(_told(part) for part in row.inbound.message.parts), text=text)


def unsure_lines(calls: Sequence[UnsureCall]) -> Iterator[str]:
    """A line for each call of which nobody knows whether it was done."""
    if not calls:
        return
    yield words("unsure_calls")
    for call in calls:
        where = f"{call.conversation}/{call.turn}"
        yield f"  {_time(call.at)}  {clean(call.tool)}  {where}  {call.key}"


def node_lines(found: Sequence[NodeHealth]) -> Iterator[str]:
    """A line for each server that shares the database; one that fell silent says since when."""
    for one in found:
        name = clean(one.name)
        if one.alive:
            yield words("node_runs", name=name, held=one.held)
        elif one.until > EPOCH:
            yield words("node_silent", name=name, held=one.held, when=_time(one.until))
        else:
            yield words("node_stopped", name=name, held=one.held)


def age(past: timedelta) -> str:
    """How long ago, in its largest unit: 12s 5m 3h 2d."""
    seconds = max(int(past.total_seconds()), 0)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _said(said: str, *, text: bool) -> Iterator[str]:
    yield ""
    yield clean(said) if text else words("hidden_text", count=len(said))


def _told(part: Part) -> str:
    return part.text if isinstance(part, Text) else f"[{type(part).__name__.lower()}]"


def _cut(reason: str) -> str:
    line = " ".join(clean(reason).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
