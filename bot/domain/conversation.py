"""A conversation, its sessions, and the turns taken in it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from bot.domain.address import Address, Sender
from bot.domain.message import Sent, ToolCall

ConversationId = NewType("ConversationId", int)
InboundId = NewType("InboundId", int)
TurnId = NewType("TurnId", int)
"""The id of the first inbound that the turn was opened for: unique without asking a database."""


class Attendant(StrEnum):
    """Who answers in a conversation."""

    BOT = "bot"
    WAITING = "waiting"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything said at one address. `adapter` is the one that last received for it."""

    id: ConversationId
    tenant: str
    address: Address
    adapter: str
    audience: str
    attended_by: Attendant = Attendant.BOT
    epoch: int = 0
    direct: bool = True


class Ending(StrEnum):
    """Why a session ended."""

    IDLE = "idle"
    COMMAND = "command"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Session:
    """The stretch of a conversation that the model still remembers.

    `first` is the sequence number of its first message.
    """

    conversation: ConversationId
    n: int
    started_at: datetime
    active_at: datetime
    first: int = 1
    ended_at: datetime | None = None
    ended_by: Ending | None = None
    summary: str | None = None

    def is_over(self, now: datetime, idle: timedelta) -> bool:
        """Ended already, or idle for too long, whether or not the sweep came by."""
        return self.ended_at is not None or now - self.active_at >= idle


class TurnState(StrEnum):
    THINKING = "thinking"
    ANSWERED = "answered"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the model's service counted them."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer's worth of work, for one sender.

    `now`, `audience`, `route` and `variant` are fixed when it starts, so that a turn which is
    run again after a crash does what the first run did. `attempts` counts the runs. `approved`
    is a call that its person has just allowed: the turn's first step. `keeps_question`: what it
    answers was said without the open question in sight, and does not take it back. `asked_until`
    is set when it ended with a question: that one's `Approval.expires_at`.
    """

    id: TurnId
    conversation: ConversationId
    session: int
    sender: Sender
    inbounds: tuple[InboundId, ...]
    now: datetime
    audience: str
    state: TurnState = TurnState.THINKING
    draft: Sent | None = None
    route: str = ""
    variant: str = ""
    attempts: int = 1
    usage: Usage = field(default=Usage())
    approved: ToolCall | None = None
    keeps_question: bool = False
    asked_until: datetime | None = None


class StepKind(StrEnum):
    MODEL = "model"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Step:
    """A journaled piece of a turn: a finished model call, or a tool call and its result.

    `body` is the message (the model's, or a tool result's) as JSON text of the codec; None while
    a tool that has an effect runs. `key` is a tool call's idempotency key, or why the model
    stopped. `usage` and `rung` belong to model calls.
    """

    n: int
    kind: StepKind
    key: str
    body: str | None
    usage: Usage = field(default=Usage())
    rung: str = ""
