"""From what a terminal sends to what the engine takes, purely."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from adapters.terminal.events import Say, Stop
from bot import Address, Inbound, Kind, Message, Permanent, Role, Sender, Text

T = TypeVar("T")

STOP = "stop:"
"""How the event key of a Ctrl-C begins: it is nothing that the person said."""


def wanted(args: Mapping[str, object], kind: type[T]) -> T:
    """Arguments in their form.

    Raises:
        Permanent: they have another.
    """
    try:
        return msgspec.convert(args, kind)
    except msgspec.ValidationError as error:
        raise Permanent(f"these arguments cannot be used: {error}") from error


def address_of(account: str, chat: str) -> Address:
    """Where a person at this machine is; nobody else is in their conversation."""
    return Address("terminal", account, chat)


def message(said: Say, account: str, at: datetime) -> Inbound | None:
    """What was written; None where there is nothing in it."""
    # PostgreSQL keeps every character but this one
    text = said.text.replace("\0", "").strip()
    if not text:
        return None
    command = text.startswith("/") and text[1:2].isalpha()
    kind = Kind.COMMAND if command else Kind.MESSAGE
    return _inbound(said, text, said.id, account=account, at=at, kind=kind)


def stop(order: Stop, account: str, at: datetime) -> Inbound:
    """A Ctrl-C is the command, under a key that is not shown as something said."""
    key = STOP + order.id
    return _inbound(order, "/stop", key, account=account, at=at, kind=Kind.COMMAND)


def _inbound(
    order: Say | Stop, text: str, key: str, *, account: str, at: datetime, kind: Kind
) -> Inbound:
    sender = Sender(order.chat, name=order.chat, locale=order.locale)
    said = Message(Role.USER, (Text(text),), sent_at=at, sender=sender, platform_id=key)
    return Inbound(key, address_of(account, order.chat), sender, said, kind=kind)
