"""What an operator may order about stored things, through a running server or without one."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TypeVar

import msgspec

from bot.domain.address import Address
from bot.domain.conversation import ConversationId, InboundId, TurnId
from bot.errors import Permanent
from bot.ports import Order, Store

T = TypeVar("T")


class PieceName(msgspec.Struct, frozen=True):
    """How a row of the outbox is called."""

    conversation: int
    turn: int
    piece: int


class MessageName(msgspec.Struct, frozen=True):
    """How a row of the inbox is called."""

    inbound: int


class Place(msgspec.Struct, frozen=True):
    """A conversation by its address, and whose it is."""

    address: str
    tenant: str = "default"


def store_orders(store: Store, ring: Callable[[], None] = lambda: None) -> Mapping[str, Order]:
    """The orders by name; `ring` tells a running engine that there is something to do."""

    async def retry(args: Mapping[str, object]) -> AsyncGenerator[Mapping[str, object], None]:
        name = wanted(args, PieceName)
        found = await store.outbox_retry(
            ConversationId(name.conversation), TurnId(name.turn), name.piece
        )
        ring()
        yield {"event": "done", "found": found}

    async def drop(args: Mapping[str, object]) -> AsyncGenerator[Mapping[str, object], None]:
        name = wanted(args, PieceName)
        found = await store.outbox_drop(
            ConversationId(name.conversation), TurnId(name.turn), name.piece
        )
        ring()
        yield {"event": "done", "found": found}

    async def erase(args: Mapping[str, object]) -> AsyncGenerator[Mapping[str, object], None]:
        place = wanted(args, Place)
        found = await store.erase(place.tenant, read_address(place.address))
        yield {"event": "done", "found": found}

    async def answer(args: Mapping[str, object]) -> AsyncGenerator[Mapping[str, object], None]:
        found = await store.inbox_retry(InboundId(wanted(args, MessageName).inbound))
        ring()
        yield {"event": "done", "found": found}

    async def leave(args: Mapping[str, object]) -> AsyncGenerator[Mapping[str, object], None]:
        found = await store.inbox_drop(InboundId(wanted(args, MessageName).inbound))
        yield {"event": "done", "found": found}

    return {
        "outbox.retry": retry,
        "outbox.drop": drop,
        "inbox.retry": answer,
        "inbox.drop": leave,
        "erase": erase,
    }


def read_address(text: str) -> Address:
    """An address as an operator writes it.

    Raises:
        Permanent: it is none.
    """
    try:
        return Address.parse(text)
    except ValueError as error:
        raise Permanent(f"{text}: {error}") from error


def wanted(args: Mapping[str, object], kind: type[T]) -> T:
    """Arguments in their form.

    Raises:
        Permanent: they have another.
    """
    try:
        return msgspec.convert(args, kind)
    except msgspec.ValidationError as error:
        raise Permanent(f"these arguments cannot be used: {error}") from error
