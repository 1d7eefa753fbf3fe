"""How answers, transcripts and events look on the wire to a page, purely."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

import msgspec

from bot import (
    LOCALES,
    Activity,
    ActivityState,
    Entry,
    File,
    Image,
    Outbound,
    Role,
    ToolCall,
    ToolResult,
    sentence,
)

RESULT_LENGTH = 4000
"""What a page shows of a tool's result; the model had more."""

STOP = "stop:"
"""How the event key of a stop button begins: a page does not show it as something said."""

BRACKETS = re.compile(r"[\[\]]")

# How the answer to /forget ends, as it stands in an event
_DONE = tuple(msgspec.json.encode(sentence("forgotten", locale))[1:] for locale in LOCALES)

Field = str | int | bool | None | Sequence["Shown"] | Sequence["Button"]


class Shown(msgspec.Struct, frozen=True):
    """A tool call as a page shows it."""

    tool: str
    arguments: str
    state: str
    result: str


class Button(msgspec.Struct, frozen=True):
    """A choice under an answer, and the text that a press sends."""

    label: str
    value: str


class Line(msgspec.Struct, frozen=True):
    """One message of a page.

    `seq` is 0 for what is not in the history: `state` is "stored" while it waits for its turn.
    """

    seq: int
    id: str
    role: str
    text: str
    at: datetime
    turn: str | None
    state: str
    activities: tuple[Shown, ...] = ()
    choices: tuple[Button, ...] = ()


_LINE: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Lines(msgspec.Struct, frozen=True):
    """A page of history, oldest first; `more` says that there is something older."""

    messages: list[Line]
    more: bool


def pieces(outbound: Outbound) -> tuple[Outbound, ...]:
    """A page takes an answer of any length: one answer, one piece."""
    return (outbound,)


def turn_of(key: str) -> str:
    """The turn that an outgoing piece belongs to."""
    return key.partition("/")[0]


def shown(activities: Iterable[Activity], *, details: bool) -> tuple[Shown, ...]:
    """Tool calls as a page shows them; without `details` only their names."""
    return tuple(
        Shown(
            activity.tool,
            activity.arguments if details else "",
            activity.state.value,
            activity.result[:RESULT_LENGTH] if details else "",
        )
        for activity in activities
    )


def line_of(piece: Outbound, at: datetime, activities: tuple[Shown, ...] = ()) -> Line:
    """A finished answer."""
    return Line(
        seq=0,
        id=piece.key,
        role=Role.ASSISTANT.value,
        text="\n\n".join(filter(None, [piece.text, *_attached(piece), _sources(piece)])),
        at=at,
        turn=turn_of(piece.key),
        state="done",
        activities=activities,
        choices=tuple(Button(each.label, each.value) for each in piece.choices),
    )


def lines_of(entries: Sequence[Entry], asked: int, limit: int, *, details: bool) -> Lines:
    """A page of history: up to `limit` messages out of what a store gave for `asked` entries.

    The steps of a turn are one message. A turn whose first steps may lie before these entries is
    left to an older page, so that no message is ever torn.
    """
    stored = [entry for entry in entries if not entry.waiting]
    more = len(entries) >= asked and bool(stored) and stored[0].message.id > 1
    waiting = [entry for entry in entries if entry.waiting]
    groups = groupby([*(_without_torn(stored) if more else stored), *waiting], key=_group)
    lines = [_line(list(group), details=details) for _, group in groups]
    whole = [line for line in lines if line is not None]
    return Lines(whole[-limit:], more or len(whole) > limit)


def with_said(
    lines: Lines, entries: Sequence[Entry], said: Iterable[bytes], since: datetime
) -> Lines:
    """The newest page with what was said since then and is in no history, each at its time.

    That is what commands are answered with, and other sentences of ours: without it, a page
    that was loaded anew would never show them.
    """
    stored = {str(entry.turn) for entry in entries}
    messages = list(lines.messages)
    for line in filter(None, map(_line_in, said)):
        if line.turn in stored or line.at < since:
            continue
        before = (n for n, each in enumerate(messages, 1) if each.at <= line.at)
        place = max(before, default=0)
        if place or not lines.more:
            messages.insert(place, line)
    return Lines(messages, lines.more)


def tells_of_forgetting(said: bytes) -> bool:
    """Whether it says that everything before it is deleted."""
    return any(done in said for done in _DONE)


def _line_in(said: bytes) -> Line | None:
    """The message that an event brings; None where it brings none."""
    name, _, data = said.partition(b"\ndata: ")
    if not name.startswith(b"event: message\n"):
        return None
    try:
        return _LINE.decode(data.partition(b"\n")[0])
    except msgspec.DecodeError:
        return None  # a newer node's form, during an upgrade


def _without_torn(entries: list[Entry]) -> list[Entry]:
    for n, entry in enumerate(entries):
        if entry.message.role is Role.USER:
            return entries[n:]
    return entries


def _group(entry: Entry) -> tuple[bool, object]:
    """Answers and their tool steps belong together by turn; what people say stands alone."""
    if entry.message.role is Role.USER:
        return True, entry.message.id or entry.event_key or id(entry)
    return False, entry.turn


def _line(entries: list[Entry], *, details: bool) -> Line | None:
    first = entries[0]
    if first.message.role is Role.USER:
        return _said(first)
    answers = [entry.message for entry in entries if entry.message.role is Role.ASSISTANT]
    text = "\n\n".join(message.text for message in answers if message.text)
    activities = shown(_activities(entries), details=details)
    if not text and not activities:
        return None
    turn = None if first.turn is None else str(first.turn)
    return Line(
        seq=first.message.id,
        id=turn or f"seq-{first.message.id}",
        role=Role.ASSISTANT.value,
        text=text,
        at=entries[-1].message.sent_at,
        turn=turn,
        state="done",
        activities=activities,
    )


def _said(entry: Entry) -> Line | None:
    key = entry.event_key or entry.message.platform_id or f"seq-{entry.message.id}"
    if key.startswith(STOP):
        return None
    return Line(
        seq=entry.message.id,
        id=key,
        role=Role.USER.value,
        text=entry.message.text,
        at=entry.message.sent_at,
        turn=None if entry.turn is None else str(entry.turn),
        state="stored" if entry.waiting else "done",
    )


def _activities(entries: Iterable[Entry]) -> list[Activity]:
    parts = [part for entry in entries for part in entry.message.parts]
    results = {part.call: part for part in parts if isinstance(part, ToolResult)}
    return [_activity(part, results.get(part.id)) for part in parts if isinstance(part, ToolCall)]


def _activity(call: ToolCall, result: ToolResult | None) -> Activity:
    if result is None or result.failed:
        said = "" if result is None else result.text
        return Activity(call.name, call.arguments, ActivityState.FAILED, said)
    return Activity(call.name, call.arguments, ActivityState.DONE, result.text)


def _attached(piece: Outbound) -> Iterable[str]:
    """A page cannot fetch what lies on another platform; it can say what there is."""
    for part in piece.attachments:
        match part:
            case Image(caption=name) | File(name=name) if name:
                yield f"*{name}*"


def _sources(piece: Outbound) -> str:
    """Where an answer comes from, as links; in brackets a title would end too early."""
    return " · ".join(
        f"[{BRACKETS.sub('', each.title)}]({each.url})" if each.url else each.title
        for each in piece.citations
    )


def event(name: str, data: dict[str, Field] | Line, *, id: str = "") -> bytes:
    """One event of a stream."""
    number = f"id: {id}\n" if id else ""
    return f"event: {name}\n{number}data: ".encode() + msgspec.json.encode(data) + b"\n\n"


def draft_event(turn: str, characters: int, text: str) -> bytes:
    """What is new in a growing answer."""
    return event("draft", {"turn": turn, "text": text}, id=f"{turn}.{characters}")


def snapshot_event(turn: str, characters: int, text: str, activities: Sequence[Shown]) -> bytes:
    """A growing answer as it stands, for a page that has something else or nothing."""
    data: dict[str, Field] = {"turn": turn, "text": text, "activities": activities}
    return event("snapshot", data, id=f"{turn}.{characters}")


def status_event(turn: str, activities: Sequence[Shown]) -> bytes:
    """What the tools are doing."""
    return event("status", {"turn": turn, "activities": activities})


def message_event(line: Line) -> bytes:
    """A finished answer, whole."""
    return event("message", line, id=f"{line.turn}.{len(line.text)}")


def accepted_event(id: str, text: str, at: datetime) -> bytes:
    """A message that is stored, for the visitor's other pages too."""
    return event("accepted", {"id": id, "text": text, "at": at.isoformat()})
