"""How answers and transcripts look to a terminal, purely."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from adapters.terminal.events import Doing, Line, Said
from adapters.terminal.normalise import STOP
from bot import Activity, Entry, File, Image, Outbound, Part, Role

_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_LONGEST = 200


def pieces(outbound: Outbound) -> tuple[Outbound, ...]:
    """A terminal takes an answer of any length: one answer, one piece."""
    return (outbound,)


def turn_of(key: str) -> str:
    """The turn that an outgoing piece belongs to."""
    return key.partition("/")[0]


def said(piece: Outbound) -> Said:
    """A finished answer, with what belongs to it in words."""
    sources = "\n".join(f"- {each.title} {each.url}".rstrip() for each in piece.citations)
    text = "\n\n".join(filter(None, (piece.text, *map(_name_of, piece.attachments), sources)))
    return Said(turn_of(piece.key), text, tuple(each.value for each in piece.choices))


def doings(activities: Iterable[Activity]) -> tuple[Doing, ...]:
    """Tool calls as a terminal shows them: a line each."""
    return tuple(
        Doing(each.tool, _short(each.arguments), each.state.value, _short(each.result))
        for each in activities
    )


def lines(entries: Sequence[Entry]) -> Iterator[Line]:
    """What was said by both sides, oldest first; steps in between are left out."""
    for entry in entries:
        message = entry.message
        key = entry.event_key or message.platform_id or ""
        if message.role not in {Role.USER, Role.ASSISTANT} or key.startswith(STOP):
            continue
        if not message.text or (message.calls and message.role is Role.ASSISTANT):
            continue
        yield Line(
            role=message.role.value,
            text=message.text,
            at=message.sent_at,
            id=key,
            turn="" if entry.turn is None else str(entry.turn),
            waiting=entry.waiting,
        )


def clean(text: str) -> str:
    """Without control characters: nobody's words may steer the terminal."""
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"}
    )


def settled(text: str) -> int:
    """How much of a growing text is whole blocks of Markdown that will not change any more.

    A block ends at a blank line outside a fence, once a line that is not indented follows it.
    """
    end, at, fence, blank = 0, 0, "", False
    for line in text.splitlines(keepends=True):
        if not fence and blank and line.strip() and not line[0].isspace():
            end = at
        fence = _fence_after(line, fence)
        blank = not line.strip()
        at += len(line)
    return end


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open after a line: its opening mark, or "" where none is."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    mark = found.group(1)
    if not fence:
        return mark
    closes = mark.startswith(fence) and not line.strip().strip(mark[0])
    return "" if closes else fence


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"


def _name_of(part: Part) -> str:
    match part:
        case Image(caption=name) | File(name=name) if name:
            return f"*{name}*"
    return ""
