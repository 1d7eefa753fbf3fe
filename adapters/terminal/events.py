"""What a server and a terminal tell each other, in the form in which it crosses the socket."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


# ---- asked ---------------------------------------------------------------------------------


class Attach(msgspec.Struct, frozen=True):
    """Look at a chat from now on."""

    chat: Name


class Say(msgspec.Struct, frozen=True):
    """A message. `id` is the terminal's own and the same when it tries again."""

    chat: Name
    id: Id
    text: str
    locale: str | None = None


class Stop(msgspec.Struct, frozen=True):
    """Stop the answer that is being written."""

    chat: Name
    id: Id
    locale: str | None = None


class Look(msgspec.Struct, frozen=True):
    """Read the newest lines."""

    chat: Name
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20


# ---- told ----------------------------------------------------------------------------------


class Attached(msgspec.Struct, frozen=True, tag_field="event", tag="attached"):
    """The first event; `model` is false where only the offline model answers."""

    model: bool


class Doing(msgspec.Struct, frozen=True):
    """A tool call; `state` is running, done or failed."""

    tool: str
    arguments: str
    state: str
    result: str = ""


class Draft(msgspec.Struct, frozen=True, tag_field="event", tag="draft"):
    """What is new in a growing answer; with `whole` the text begins again."""

    turn: str
    text: str
    whole: bool = False


class Activities(msgspec.Struct, frozen=True, tag_field="event", tag="activities"):
    """What the tools of a turn are doing."""

    turn: str
    calls: tuple[Doing, ...]


class Said(msgspec.Struct, frozen=True, tag_field="event", tag="message"):
    """A finished answer, whole."""

    turn: str
    text: str
    choices: tuple[str, ...] = ()


class Ended(msgspec.Struct, frozen=True, tag_field="event", tag="ended"):
    """A growing answer that will not be finished as it stands."""

    turn: str


class Accepted(msgspec.Struct, frozen=True, tag_field="event", tag="accepted"):
    """A message that is stored; `new` is false for a repeat, `command` what it asks of Parley."""

    id: str
    new: bool
    command: str = ""


class Line(msgspec.Struct, frozen=True, tag_field="event", tag="line"):
    """One entry of the conversation; `waiting` while it has no answer yet."""

    role: str
    text: str
    at: datetime
    id: str = ""
    turn: str = ""
    waiting: bool = False


Event = Attached | Draft | Activities | Said | Ended | Accepted | Line


def written(event: Event) -> Mapping[str, object]:
    """As it crosses the socket."""
    built: dict[str, object] = msgspec.to_builtins(event)
    return built


def read(event: Mapping[str, object]) -> Event | None:
    """What a server says; None for what a newer one may say."""
    try:
        told: Event = msgspec.convert(event, Event)
        return told
    except msgspec.ValidationError:
        return None
