"""Rows as the engine sees them: what waits, what is to be sent, who holds a lane."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.address import Address, Sender
from bot.domain.conversation import (
    Conversation,
    ConversationId,
    InboundId,
    Session,
    Step,
    Turn,
    TurnId,
)
from bot.domain.message import Inbound, Message, Outbound, Sent

LONGEST_LEASE = timedelta(minutes=10)
"""The most that `database.lease` may be where there are several servers. What lasts longer is what
a clock leaves behind that was set back."""


@dataclass(frozen=True, slots=True)
class Node:
    """One running server under one epoch; an older epoch of the same name is dead."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Placement:
    """For whom an adapter receives: chosen by configuration, never by a request."""

    tenant: str
    adapter: str
    audience: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message gets a sentence instead of a turn; stored with it, said in its order."""

    sentence: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The inbox row of an event; `new` is false for a repeat, which changes nothing.

    `slot` is the open request that this very delivery brought, if it brought one.
    """

    new: bool
    conversation: ConversationId
    inbound: InboundId
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a lane: every write of its holder carries the fence.

    `before` is the fence of the claim that it follows: nobody has held the lane between the two.
    """

    conversation: ConversationId
    node: Node
    fence: int
    before: int = 0


MOST_WAITING = 200
"""As many messages as `intake.lane_limit` lets wait in a conversation, at most."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An accepted message that is not done yet, in order of `id`."""

    id: InboundId
    inbound: Inbound
    received_at: datetime
    refusal: Refusal | None = None


class OutboxState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    HELD = "held"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One piece of an answer; (conversation, turn, piece) is unique and its name.

    A row that is found `SENDING` by a new holder is ambiguous: the mark was durable before the
    wire was touched. `draft` is where the answer already stands on the person's screen.
    `repeats` counts ambiguous sends that were made once more.
    """

    conversation: ConversationId
    turn: TurnId
    piece: int
    outbound: Outbound
    state: OutboxState
    due_at: datetime
    created_at: datetime
    attempts: int = 0
    repeats: int = 0
    draft: Sent | None = None
    sent: Sent | None = None
    error: str = ""

    def has_expired(self, now: datetime) -> bool:
        """Whether it is too late to send it; what the platform holds back has its own time."""
        expires_at = self.outbound.expires_at
        return self.state is OutboxState.QUEUED and expires_at is not None and expires_at <= now

    def lasting(self, lasts: timedelta) -> "OutboxRow":
        """The row with at least so long to live from its making; what never expires stays so."""
        ends, at_least = self.outbound.expires_at, self.created_at + lasts
        if ends is None or ends >= at_least:
            return self
        return replace(self, outbound=replace(self.outbound, expires_at=at_least))


@dataclass(frozen=True, slots=True)
class Asked:
    """Since when a question stands whole on its person's screen, and where, from its outbox rows.

    `shown_at` is None while a piece of it has not left. `places` are the platform's ids of its
    messages, sent or still growing, as far as it names any; with `repeated` a copy of it may stand
    where nobody knows.
    """

    shown_at: datetime | None
    places: frozenset[str] = frozenset()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """A question that waits for its person's yes: this call, with these arguments, until then.

    `asked` is looked up when it matters (`Lanes.asked`); a head comes without it.
    """

    conversation: ConversationId
    sender: str
    tool: str
    arguments: str
    expires_at: datetime
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What the holder of a lane finds there, read after the claim in a statement of its own.

    `turn` is one that was begun and not finished, with its `steps`; `waiting` holds every
    undone message, its own included. `outbox` holds what is not sent, in the order to send it.
    `next_message` is the sequence number of the next transcript entry. `now` is the database's
    time. `slot_closes_at` is set while a platform's request is open for a reply.
    """

    conversation: Conversation
    now: datetime
    next_message: int
    session: Session | None = None
    turn: Turn | None = None
    steps: tuple[Step, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    outbox: tuple[OutboxRow, ...] = ()
    approval: Approval | None = None
    slot_closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What one turn used, for `/usage`, metrics and the bill."""

    rung: str
    input: int = 0
    output: int = 0
    cached: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Unsure:
    """A call that may happen once and was begun, and nobody knows whether it was done."""

    tool: str
    key: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything that the end of a turn writes, in one transaction guarded by the fence.

    `turn` carries the final state. `messages` are appended to the transcript with the sequence
    numbers they carry. `pieces` become outbox rows 0, 1, …; with `sending_first` row 0 is
    marked as sending. `done` are the inbound rows that need no more work; `dead` those given up.
    `unsure` are kept for the operator.
    """

    turn: Turn
    session: Session
    messages: tuple[Message, ...] = ()
    pieces: tuple[Outbound, ...] = ()
    done: tuple[InboundId, ...] = ()
    dead: tuple[InboundId, ...] = ()
    spent: tuple[Spent, ...] = ()
    approval: Approval | None = None
    sending_first: bool = False
    unsure: tuple[Unsure, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a transcript as a page or a command shows it.

    `message.id` is its sequence number, 0 while it only waits; `turn` names the answer's turn.
    """

    message: Message
    address: Address
    event_key: str | None = None
    turn: TurnId | None = None
    waiting: bool = False


class SignalKind(StrEnum):
    """What nodes tell each other.

    STOP: something that acts at once was accepted; WATCHER: somebody looks, or does no longer;
    TEXT: an answer as far as it has grown; SAID: an event that every watcher gets.
    """

    STOP = "stop"
    WATCHER = "watcher"
    TEXT = "text"
    SAID = "said"


@dataclass(frozen=True, slots=True)
class NewSignal:
    """A hint to leave for other nodes, about what goes on at an address."""

    kind: SignalKind
    tenant: str
    address: Address
    body: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """A hint between nodes; losing one loses no promise.

    `conversation` is 0 where there was none at the address yet.
    """

    id: int
    conversation: ConversationId
    kind: SignalKind
    tenant: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Tokens of one sender or conversation since a time."""

    turns: int = 0
    input: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True)
class Swept:
    """A session that the sweep ended."""

    conversation: ConversationId
    tenant: str
    session: int


@dataclass(frozen=True, slots=True)
class IdleRule:
    """How long a session may rest: by adapter and audience, None matches all; first match wins."""

    idle_seconds: float
    adapter: str | None = None
    audience: str | None = None


USAGE_DAYS = 30
"""How far /usage looks back."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Ages after which rows lose their bodies (journal), their lines (retain), their keys.

    What a turn has used goes with its row: with its lines, but not while /usage looks at it.
    """

    journal_seconds: float
    retain_seconds: float
    keys_seconds: float = 30 * 86400.0
    batch: int = 1000
    usage_seconds: float = USAGE_DAYS * 86400.0


def person_key(platform: str, account: str, sender: Sender) -> str:
    """How a sender is named across conversations: platform:account:id."""
    return str(Address(platform, account, sender.id))
