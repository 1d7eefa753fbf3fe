"""The rows of the in-memory store: the tables of the databases, as dictionaries."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from itertools import count

from bot.domain.address import Address, Sender
from bot.domain.conversation import Conversation, ConversationId, InboundId, Session, Step, Turn
from bot.domain.message import Inbound
from bot.domain.operating import UnsureCall
from bot.domain.records import Approval, Claim, Node, OutboxRow, Refusal, Signal, person_key
from bot.errors import Fenced
from bot.ports import Clock
from bot.store.hints import MemoryHints
from bot.store.lines import Line
from bot.store.times import EPOCH


class InboxState(IntEnum):
    """What became of an accepted row."""

    WAITING = 0
    DONE = 1
    DEAD = 2


@dataclass(slots=True)
class InboxLine:
    """An accepted event; `inbound` is None once its body is gone and only the key is left."""

    id: InboundId
    conversation: ConversationId
    event_key: str
    inbound: Inbound | None
    received_at: datetime
    refusal: Refusal | None
    person: str
    platform_id: str | None
    state: InboxState = InboxState.WAITING
    amended: bool = False
    done_at: datetime | None = None

    def close(self, state: InboxState, now: datetime) -> None:
        if self.state is InboxState.WAITING:
            self.state, self.done_at = state, now


@dataclass(slots=True)
class Lane:
    wake_at: datetime | None
    node: Node | None = None
    fence: int = 0


@dataclass(slots=True)
class TurnLine:
    turn: Turn
    ended_at: datetime | None = None
    bare: bool = False


@dataclass(slots=True)
class Slot:
    conversation: ConversationId
    closes_at: datetime


@dataclass(slots=True)
class SlotTake:
    """Which slot took an outbox row, and until when it may say what became of it."""

    slot: int
    closes_at: datetime


@dataclass(slots=True)
class OutboxLine:
    row: OutboxRow
    changed_at: datetime
    taken: SlotTake | None = None
    bare: bool = False

    def empty(self) -> None:
        """Take its words away, also those in which a platform may have refused it."""
        self.bare = True
        self.row = replace(self.row, draft=None, error="")


@dataclass(slots=True)
class UsageLine:
    conversation: ConversationId
    turn: int
    sender: str
    at: datetime
    input: int
    output: int


@dataclass(slots=True)
class Tick:
    node: Node
    done: bool = False


@dataclass(frozen=True, slots=True)
class SignalLine:
    created_at: datetime
    shard: int
    signal: Signal


@dataclass(slots=True)
class ListenerLine:
    node: Node | None = None
    offset: int = 0


OutboxKey = tuple[ConversationId, int, int]


@dataclass(slots=True)
class Rows:
    """Every table, and the counters that a database would keep."""

    conversation_ids: "count[int]" = field(default_factory=lambda: count(1))
    inbound_ids: "count[int]" = field(default_factory=lambda: count(1))
    slot_ids: "count[int]" = field(default_factory=lambda: count(1))
    signal_ids: "count[int]" = field(default_factory=lambda: count(1))
    conversations: dict[ConversationId, Conversation] = field(default_factory=dict)
    aliases: dict[tuple[str, str], ConversationId] = field(default_factory=dict)
    floors: dict[ConversationId, int] = field(default_factory=dict)
    inbox: dict[int, InboxLine] = field(default_factory=dict)
    events: dict[tuple[ConversationId, str], InboxLine] = field(default_factory=dict)
    lanes: dict[ConversationId, Lane] = field(default_factory=dict)
    nodes: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    lines: dict[ConversationId, list[Line]] = field(default_factory=dict)
    sessions: dict[ConversationId, dict[int, Session]] = field(default_factory=dict)
    turns: dict[tuple[ConversationId, int], TurnLine] = field(default_factory=dict)
    steps: dict[tuple[ConversationId, int], dict[int, Step]] = field(default_factory=dict)
    outbox: dict[OutboxKey, OutboxLine] = field(default_factory=dict)
    slots: dict[int, Slot] = field(default_factory=dict)
    signals: list[SignalLine] = field(default_factory=list)
    approvals: dict[tuple[ConversationId, str], Approval] = field(default_factory=dict)
    usage: list[UsageLine] = field(default_factory=list)
    ticks: dict[tuple[str, datetime], Tick] = field(default_factory=dict)
    listeners: dict[tuple[str, str], ListenerLine] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    unsure: list[UnsureCall] = field(default_factory=list)
    hints: list[MemoryHints] = field(default_factory=list)

    def drop_event(self, line: InboxLine) -> None:
        """Forget an event whole: a late repeat of it would be new."""
        del self.inbox[line.id]
        del self.events[line.conversation, line.event_key]

    def unsure_since(self, since: datetime) -> list[UnsureCall]:
        """Calls of unknown outcome, the oldest first."""
        return [one for one in self.unsure if one.at > since]


class MemoryRoom:
    """What every part of the in-memory store shares: the rows, the clock, the fence."""

    def __init__(self, clock: Clock, rows: Rows | None = None) -> None:
        self._clock = clock
        self._rows = rows if rows is not None else Rows()
        # The tenant whose lane was claimed last: the next claim begins behind it.
        self._served = ""

    def _now(self) -> datetime:
        return self._clock.now()

    def _find(self, tenant: str, address: Address) -> ConversationId | None:
        return self._rows.aliases.get((tenant, str(address)))

    def _person(self, conversation: ConversationId, sender: Sender) -> str:
        address = self._rows.conversations[conversation].address
        return person_key(address.platform, address.account, sender)

    def _alive(self, node: Node | None) -> bool:
        if node is None:
            return False
        epoch, alive_until = self._rows.nodes.get(node.name, (0, EPOCH))
        return epoch == node.epoch and alive_until > self._now()

    def _held(self, claim: Claim) -> Lane:
        """The claim's lane.

        Raises:
            Fenced: it has a newer holder, or none.
        """
        lane = self._rows.lanes.get(claim.conversation)
        if lane is None or lane.node != claim.node or lane.fence != claim.fence:
            raise Fenced
        return lane

    def _wake(self, conversation: ConversationId, at: datetime) -> None:
        lane = self._rows.lanes.get(conversation)
        if lane is not None and (lane.wake_at is None or lane.wake_at > at):
            lane.wake_at = at

    def _waiting(self, conversation: ConversationId) -> list[InboxLine]:
        return [
            line
            for line in self._rows.inbox.values()
            if line.conversation == conversation and line.state is InboxState.WAITING
        ]
