"""What a payload means for us, and where it belongs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from bot import Address, Inbound

T = TypeVar("T", bound=msgspec.Struct)

PLATFORM = "slack"


@dataclass(frozen=True, slots=True)
class Here:
    """Where a payload comes from: which installation, and whether from strangers."""

    team: str
    external: bool = False


@dataclass(frozen=True, slots=True)
class Confirm:
    """A pressed button: the message that carries it, to be shown without its buttons.

    `asked` is the message that it answers, where it names one.
    """

    channel: str
    ts: str
    text: str
    blocks: tuple[Mapping[str, Any], ...]
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What a payload means for us.

    Without an `inbound`, `why` says what it was. `follows`: it names nobody and is for us only
    where we take part in the thread. `chat`: a command's direct chat, if it is one with us.
    `reply_url` takes what only this person sees. `left` is a channel that we cannot write to any
    more. `function` is a workflow's step that waits for an outcome: its id and its token.
    """

    inbound: Inbound | None = None
    why: str = ""
    heard: str = ""
    follows: bool = False
    chat: Address | None = None
    reply_url: str | None = None
    confirm: Confirm | None = None
    left: str | None = None
    revoked: bool = False
    function: tuple[str, str] | None = None


def convert(body: Mapping[str, Any], type_: type[T]) -> T:
    """A payload as a type. Raises: msgspec.ValidationError."""
    return msgspec.convert(body, type_)


def time_of(ts: str | None) -> datetime:
    """When something was said: Slack's ids of messages are times.

    Raises:
        ValueError: there is none.
    """
    if not ts:
        raise ValueError("no time")
    return datetime.fromtimestamp(float(ts), UTC)


def private(team: str, channel: str, user: str) -> Address:
    """Where only one person of a channel sees what is said: its thread is that person."""
    return Address(PLATFORM, team, channel, user)


def is_private(address: Address) -> bool:
    """Whether an address is one person's view of a channel; a true thread's name is a time."""
    return address.thread is not None and not address.thread[:1].isdigit()
