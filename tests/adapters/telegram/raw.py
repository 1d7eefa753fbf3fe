"""Raw updates of our own words, as bytes, for the parts that need no peer."""

from typing import Any

import msgspec

from adapters.telegram.mentions import Me
from adapters.telegram.normalise import Read, normalise
from bot import Inbound

ME = Me(4242, "parley_bot")
EVE: dict[str, Any] = {
    "id": 77,
    "is_bot": False,
    "first_name": "Eve",
    "last_name": "Stone",
    "language_code": "de",
}
DIRECT: dict[str, Any] = {"id": 77, "type": "private", "first_name": "Eve"}
CREW: dict[str, Any] = {"id": -10055, "type": "supergroup", "title": "Crew"}
OURS: dict[str, Any] = {
    "id": 4242,
    "is_bot": True,
    "first_name": "Parley",
    "username": "parley_bot",
}
_UNSET = object()


def units(text: str) -> int:
    """Length as the platform counts it."""
    return len(text.encode("utf-16-le")) // 2


def spot(kind: str, text: str, part: str, **more: Any) -> dict[str, Any]:
    """An entity over the first place of `part`."""
    return {
        "type": kind,
        "offset": units(text[: text.index(part)]),
        "length": units(part),
        **more,
    }


def message(
    text: object = _UNSET,
    *,
    chat: dict[str, Any] = DIRECT,
    sender: dict[str, Any] | None = EVE,
    **more: Any,
) -> dict[str, Any]:
    """A message; `sender=None` leaves the field out."""
    said: dict[str, Any] = {"message_id": 5, "date": 1_790_000_000, "chat": chat, **more}
    if sender is not None:
        said["from"] = sender
    return said if text is _UNSET else {**said, "text": text}


def read(me: Me = ME, **content: Any) -> Read:
    """What an update of this content means for us."""
    return normalise(msgspec.json.encode({"update_id": 900, **content}), me)


def heard(me: Me = ME, **content: Any) -> Inbound:
    """The inbound of an update that has one."""
    inbound = read(me, **content).inbound
    assert inbound is not None
    return inbound
