"""What operators look at: what waits, what was given up, what is unknown, who serves."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.conversation import ConversationId, InboundId, TurnId
from bot.domain.message import Inbound


@dataclass(frozen=True, slots=True)
class UnsureCall:
    """A call of which nobody knows whether it was done: when that came out, in which turn."""

    at: datetime
    conversation: ConversationId
    turn: TurnId
    tool: str
    key: str


class InboxState(StrEnum):
    """What operators are shown of the inbox: what is not done."""

    WAITING = "waiting"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class InboxRow:
    """An accepted message that waits, or was given up; `runs` counts those of its turn."""

    id: InboundId
    conversation: ConversationId
    adapter: str
    inbound: Inbound
    state: InboxState
    received_at: datetime
    runs: int = 0


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """Counts for `/metrics` and `/status`; `unsure` are calls of unknown outcome."""

    waiting: int = 0
    outbox: tuple[tuple[str, int], ...] = ()
    dead: int = 0
    size_bytes: int = 0
    unsure: int = 0


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """A process that serves, or one whose lease ended without a word and was not renewed."""

    name: str
    alive: bool
    until: datetime
    """Until when its lease lasts, or lasted; the epoch's beginning where it stopped in peace."""
    held: int
    """Conversations in its hands, or left behind by it."""
