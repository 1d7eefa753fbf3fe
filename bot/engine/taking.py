"""What of the waiting messages is the next piece of work: pure, so that every order can be tried.

The order of a conversation is the order of acceptance. Consecutive messages of one sender
become one turn; edits, recalls and stops look ahead, because they change what is not begun yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.message import Inbound, Kind, Text
from bot.domain.records import Head, Waiting
from bot.engine.commands import Command, command_of

ALBUM_WAIT = timedelta(seconds=1)
"""Platforms deliver an album's pictures as separate messages (Telegram: media_group_id)."""

OPERATOR = "operator"

SENTENCE = "sentence:"
"""The route of a turn that says the sentence whose name follows."""

COMMAND = "command"
"""The route of a turn that obeys a command."""

_SILENT = frozenset({Kind.JOINED, Kind.MOVED, Kind.FEEDBACK})
_AMENDING = frozenset({Kind.EDITED, Kind.RECALLED})


@dataclass(frozen=True, slots=True)
class Limits:
    """How old, how many and how patient; from `intake` in the configuration."""

    max_age: timedelta
    lane_limit: int
    gather: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Amend:
    """Edits and recalls: applied before anything else is begun."""

    rows: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """Rows that need nothing more than to be done."""

    rows: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Say:
    """Rows that get one sentence instead of a turn."""

    rows: tuple[Waiting, ...]
    sentence: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Obey:
    """A command."""

    row: Waiting
    command: Command


@dataclass(frozen=True, slots=True)
class Take:
    """Messages that become a turn, of one sender."""

    rows: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """More of this is about to come: look again in `seconds`."""

    seconds: float


Work = Amend | Skip | Say | Obey | Take | Wait


def next_work(waiting: Sequence[Waiting], now: datetime, limits: Limits) -> Work | None:
    """The next thing to do, None when nothing waits."""
    if not waiting:
        return None
    if amending := tuple(row for row in waiting if row.inbound.kind in _AMENDING):
        return Amend(amending)
    if silent := tuple(row for row in waiting if _is_silent(row.inbound)):
        return Skip(silent)
    if len(waiting) > limits.lane_limit:
        return Say(tuple(waiting[limits.lane_limit :]), "busy")
    first = waiting[0]
    if first.refusal is not None:
        return Say((first,), first.refusal.sentence, first.refusal.values)
    command = command_of(first.inbound)
    if command is not None:
        return Obey(first, command)
    return _turn(waiting, now, limits)


def rows_of_turn(head: Head) -> tuple[Waiting, ...]:
    """The messages of the turn that was begun and not finished."""
    if head.turn is None:
        return ()
    return tuple(row for row in head.waiting if row.id in head.turn.inbounds)


def resumed(head: Head) -> Work | None:
    """A turn that was begun and not finished takes its own messages, never the newest.

    One that only said a sentence or obeyed a command does that again: no model was meant.
    """
    rows = rows_of_turn(head)
    if not rows or head.turn is None:
        return None
    route, first = head.turn.route, rows[0]
    if route.startswith(SENTENCE):
        values = first.refusal.values if first.refusal is not None else ()
        return Say(rows, route.removeprefix(SENTENCE), values)
    command = command_of(first.inbound) if route == COMMAND else None
    return Take(rows) if command is None else Obey(first, command)


def _is_silent(inbound: Inbound) -> bool:
    """A notice, or a message that its writer has taken back: nothing but empty text is left."""
    if inbound.kind in _SILENT:
        return True
    return not any(not isinstance(p, Text) or p.text.strip() for p in inbound.message.parts)


def _turn(waiting: Sequence[Waiting], now: datetime, limits: Limits) -> Work:
    taken = [waiting[0]]
    for row in waiting[1:]:
        if not _joins(row, waiting[0].inbound):
            break
        taken.append(row)
    rows = tuple(taken)
    for row in waiting[len(rows) :]:
        if command_of(row.inbound) is Command.STOP and may_stop(row.inbound, rows[0].inbound):
            return Say((*rows, row), "stopped")
    old = tuple(row for row in rows if now - row.received_at > limits.max_age)
    if old:
        return Say(old, "too_old")
    if not any(is_readable(row.inbound) for row in rows):
        return Say(rows, "unreadable")
    pause = ALBUM_WAIT if rows[-1].inbound.album else limits.gather
    rest = (rows[-1].received_at + pause - now).total_seconds()
    if rest > 0:
        return Wait(rest)
    return Take(rows)


def _joins(row: Waiting, first: Inbound) -> bool:
    return row.inbound.sender.id == first.sender.id and row.refusal is None and is_said(row.inbound)


def is_said(inbound: Inbound) -> bool:
    """Something that wants an answer of the model: no notice, no edit, no command."""
    return inbound.kind in (Kind.MESSAGE, Kind.BUTTON) and command_of(inbound) is None


def may_stop(order: Inbound, running: Inbound) -> bool:
    """In a group a running turn is its sender's to stop, or an operator's."""
    return order.direct or order.sender.id == running.sender.id or OPERATOR in order.sender.roles


def is_readable(inbound: Inbound) -> bool:
    """Whether a model can make something of it; a picture or a file alone says nothing yet."""
    return bool(inbound.text.strip())
