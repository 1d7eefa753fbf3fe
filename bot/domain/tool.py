"""What a tool is told about the call that it serves."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, TurnId

if TYPE_CHECKING:
    from aiohttp import ClientSession


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who is asking, from where, and when.

    `now` is the turn's time (aware UTC), the same when the turn is run again. `key` is the
    idempotency key of this very call, the same on every run. `http` is the process's session.
    """

    tenant: str
    conversation: ConversationId
    turn: TurnId
    address: Address
    sender: Sender
    audience: str
    locale: str
    now: datetime
    key: str
    http: "Callable[[], ClientSession]"
