"""What the end of a turn writes into the transcript: pure, the same for every driver."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.address import Address
from bot.domain.conversation import InboundId
from bot.domain.message import Message, Role
from bot.domain.records import Finish
from bot.store.names import person_of


@dataclass(frozen=True, slots=True)
class Origin:
    """The inbox row that a finished turn answered.

    `amended` is its message as it was edited (or voided) while the turn ran.
    """

    id: InboundId
    event_key: str
    platform_id: str | None
    amended: Message | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A transcript entry; `person` is who said it or, for an answer, who was told.

    `moved`: the chat has moved since then, and what the platform names by this id is another one.
    """

    message: Message
    turn: int
    person: str
    event_key: str | None = None
    moved: bool = False


def lines_of(finish: Finish, origins: Sequence[Origin], address: Address) -> list[Line]:
    """The transcript's new entries, each with the event that it came from."""
    named: dict[str | None, Origin] = {
        origin.platform_id: origin for origin in origins if origin.platform_id
    }
    unnamed = iter(
        [
            origin
            for origin in origins
            if origin.platform_id is None and origin.id in finish.turn.inbounds
        ]
    )
    return [_line(finish, message, named, unnamed, address) for message in finish.messages]


def amended(old: Message, new: Message | None) -> Message:
    """An edit changes what was said, and None voids it; who, when and where remain."""
    return replace(old, parts=() if new is None else new.parts)


def _line(
    finish: Finish,
    message: Message,
    named: Mapping[str | None, Origin],
    unnamed: Iterator[Origin],
    address: Address,
) -> Line:
    sender = message.sender or finish.turn.sender
    if message.role is not Role.USER:
        # An answer belongs to whom it was given, whatever name it was signed with.
        sender = finish.turn.sender
    person = person_of(address, sender)
    origin = _origin(message, named, unnamed)
    if origin is None:
        return Line(message, finish.turn.id, person)
    kept = message if origin.amended is None else amended(message, origin.amended)
    return Line(kept, finish.turn.id, person, origin.event_key)


def _origin(
    message: Message, named: Mapping[str | None, Origin], unnamed: Iterator[Origin]
) -> Origin | None:
    if message.role is not Role.USER:
        return None
    if message.platform_id is not None:
        return named.get(message.platform_id)
    return next(unnamed, None)
