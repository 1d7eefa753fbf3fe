"""The sockets in the engine's walls: what it needs from outside, as protocols.

An adapter has three required members; its abilities are small protocols asked by `isinstance`.
The store is many small protocols that one object may implement.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from bot.domain.address import Address, Sender
from bot.domain.conversation import (
    Conversation,
    ConversationId,
    Ending,
    InboundId,
    Session,
    Step,
    Turn,
    TurnId,
)
from bot.domain.message import Inbound, Message, Outbound, Part, Sent
from bot.domain.model import Delta, Request
from bot.domain.patience import Patience
from bot.domain.records import (
    Accepted,
    Claim,
    Entry,
    Finish,
    Head,
    IdleRule,
    InboxRow,
    InboxState,
    NewSignal,
    Node,
    OutboxRow,
    OutboxState,
    Placement,
    Refusal,
    Retention,
    Signal,
    StoreHealth,
    Swept,
    UnsureCall,
    UsageRow,
)
from bot.errors import Ambiguous, Held

if TYPE_CHECKING:
    from aiohttp import ClientSession

ASGIApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...

    async def sleep(self, seconds: float) -> None: ...


# ---- receiving ---------------------------------------------------------------------------


class Receipt(Protocol):
    """What an adapter gets for a message that is on disk."""

    @property
    def new(self) -> bool:
        """False for a repeat."""
        ...

    async def reply(self, within: timedelta) -> Outbound | None:
        """The next part of the answer, for this very request; None when none came in time.

        None comes at once when nothing more can come. Asked again before `replied`, it hands out
        the part after: one request may carry what was held back and the answer to this message.
        """
        ...

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        """Say what became of the oldest part handed out that nothing was said of yet.

        `Held`: it was not put into the request and waits as before. After the last part the
        request is over.
        """
        ...


class Receive(Protocol):
    """Hand an inbound to the engine; when it returns, the row is committed.

    Raises:
        Transient: it could not be stored; the platform must not be acknowledged.
    """

    async def __call__(self, inbound: Inbound, open_for: timedelta | None = None, /) -> Receipt:
        """`open_for` is how long the platform's request stays open for a reply."""
        ...


# ---- adapters ----------------------------------------------------------------------------


@runtime_checkable
class Adapter(Protocol):
    """A platform that we can speak on."""

    @property
    def name(self) -> str: ...

    @property
    def platform(self) -> str: ...

    @property
    def account(self) -> str | None:
        """Our identity there, known without the network; None where each event names it."""
        ...

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        """Split an answer, purely: one piece is exactly one platform call."""
        ...

    async def send(self, piece: Outbound) -> Sent:
        """Deliver one piece.

        Raises:
            Transient: try later.
            Held: the platform takes it only after the person's next message.
            Ambiguous: it may have been shown.
            Permanent: never.
        """
        ...


@runtime_checkable
class Listens(Protocol):
    async def listen(self, receive: Receive) -> None:
        """Receive until cancelled (Socket Mode, long polling); raising means: restart me."""
        ...


@runtime_checkable
class Serves(Protocol):
    def asgi(self, receive: Receive) -> ASGIApp:
        """What the platform calls under /in/<name> (webhooks, web chat)."""
        ...


class ActivityState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Activity:
    """A tool call as a person may see it while an answer grows; result is "" until it is done."""

    tool: str
    arguments: str
    state: ActivityState
    result: str = ""


class Draft(Protocol):
    """An answer that is still growing on the person's screen."""

    @property
    def sent(self) -> Sent | None:
        """Where it stands; None where a draft is no message of its own."""
        ...

    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        """Show the whole text so far; returns at the platform's pace.

        Raises:
            Transient: not now. Permanent: this draft will not grow any more.
        """
        ...

    async def finish(self, piece: Outbound) -> Sent:
        """Make it the final message. Raises what `Adapter.send` raises."""
        ...

    async def abandon(self) -> None:
        """Close it with a mark, or delete it: nothing more will come."""
        ...


@runtime_checkable
class Patient(Protocol):
    """Says how patient its platform is; one that says nothing keeps what is refused."""

    @property
    def patience(self) -> Patience: ...


@runtime_checkable
class Looks(Protocol):
    """A platform whose watchers are not always known on the spot."""

    async def look(self, address: Address) -> None:
        """Find out whether somebody can see an answer grow there; then `watched` is asked."""
        ...


@runtime_checkable
class Leaves(Protocol):
    """A draft that wants to know when its turn goes on without this node."""

    def leave(self) -> None:
        """The turn is not ours any more: whoever has it now shows what there is to see."""
        ...


@runtime_checkable
class Drafts(Protocol):
    def draft_is_message(self, address: Address) -> bool:
        """True where opening a draft puts a message there that must be found again."""
        ...

    def watched(self, address: Address) -> bool:
        """Whether somebody can see an answer grow there now."""
        ...

    async def draft(
        self,
        address: Address,
        *,
        turn: TurnId,
        reply_to: str | None,
        resume: Sent | None,
        opening: str = "",
    ) -> Draft:
        """Open a draft, or take up the one that stands at `resume`.

        Where a draft is a message, `opening` is the first text of it.
        """
        ...


@runtime_checkable
class Finds(Protocol):
    """A platform on which what we said can be looked for."""

    async def find(self, piece: Outbound, since: datetime) -> Sent | None:
        """Where a piece stands whose sending was cut off, or None: it was not shown.

        Nothing of it was sent before `since`.

        Raises:
            Transient: ask again. Permanent: there nobody can tell.
        """
        ...

    async def find_draft(self, address: Address, turn: TurnId, since: datetime) -> Sent | None:
        """Where the draft of a turn stands whose opening was cut off. Raises: as `find`."""
        ...


@runtime_checkable
class Fetches(Protocol):
    async def fetch(self, part: Part) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Health:
    """What a probe found. `ok` false comes with a sentence that says what to do."""

    name: str
    ok: bool
    detail: str = ""
    checked_at: datetime | None = None


@runtime_checkable
class Probes(Protocol):
    async def probe(self) -> Health:
        """For `check`, metrics, status and console alike: one code path."""
        ...


@runtime_checkable
class Opens(Protocol):
    """Something with connections: opened before use, closed after."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


Order = Callable[[Mapping[str, object]], AsyncGenerator[Mapping[str, object], None]]
"""What somebody at this machine asks of the running server: arguments in, events out.

It raises a `ParleyError` whose text they may read.
"""


@runtime_checkable
class TakesOrders(Protocol):
    def orders(self) -> Mapping[str, Order]:
        """By name ("chat.say"); the control socket hands them over."""
        ...


class Elsewhere(Protocol):
    """People who look at the same conversation on another node, and what they are told.

    A word is the adapter's own: nobody else reads it, and the same adapter on the other node is
    given it. All of it is decoration: a word may be lost, or come a second late.
    """

    def watch(self, address: Address, hear: Callable[[str], None]) -> Callable[[], None]:
        """Somebody looks at it here: what is told elsewhere is heard, until the returned call."""
        ...

    async def told(self) -> None:
        """Wait a moment until what was told here can be found on the other nodes."""
        ...

    async def look(self) -> None:
        """Wait a moment until what other nodes have told so far is known here."""
        ...

    def watched(self, address: Address) -> bool:
        """Whether somebody looks at it on another node, as far as is known here."""
        ...

    def grow(self, address: Address, word: str | None) -> None:
        """What has grown there so far, of which the newest is told; None: nothing grows."""
        ...

    def say(self, address: Address, word: str, *, lasting: bool = False) -> None:
        """Tell an event, each one and in order; a `lasting` one to who comes a moment late, too."""
        ...


@dataclass(frozen=True, slots=True)
class AdapterContext:
    """What an adapter is built with beside its own settings.

    `http` gives the process's one aiohttp session (open while the server runs). `loopback` is
    true while the server listens on loopback only. `secret` is `server.secret`, made once and
    kept when not configured. `model_configured` is false on the offline model.
    """

    name: str
    tenant: str
    audience: str
    locale: str
    public_url: str | None
    loopback: bool
    model_configured: bool
    clock: Clock
    http: "Callable[[], ClientSession]"
    secret: Callable[[], Awaitable[bytes]]
    transcript: "Transcript"
    listeners: "WaitingListeners"
    observer: "Observer"
    max_size: int = 1_000_000
    examples: Mapping[str, tuple[str, ...]] | None = None
    """What a person may ask here, by locale: shown on an empty page."""
    elsewhere: Elsewhere | None = None
    """The other nodes; None where this server is the only one."""
    sure: Callable[[], bool] = lambda: True
    """False once another node may have our turns: asked right before a draft is edited."""


# ---- models ------------------------------------------------------------------------------


class Model(Protocol):
    """Something that answers a history; most models wrap a model."""

    def stream(self, request: Request) -> AsyncIterator[Delta]:
        """Deltas, closed by `Finished`; a stream that ends without it is a failure.

        Raises:
            ContextTooLong: a shorter window may do.
            Transient: busy, down or cut off. Permanent: wrong key, refused request.
        """
        ...


# ---- reporting ---------------------------------------------------------------------------


class Observer(Protocol):
    """One method for each fact. Names, numbers and ids only: never text, never a secret."""

    def accepted(self, *, adapter: str, kind: str, new: bool) -> None: ...

    def discarded(self, *, adapter: str, why: str) -> None:
        """Acknowledged and nothing stored: own echo, join notice, unknown or malformed."""
        ...

    def rejected(self, *, adapter: str, why: str) -> None:
        """Answered 4xx (a wrong signature, too large, unreadable), or 503: too much is waiting."""
        ...

    def turn_started(self, *, turn: TurnId, conversation: ConversationId, attempt: int) -> None: ...

    def turn_ended(
        self,
        *,
        turn: TurnId,
        conversation: ConversationId,
        adapter: str,
        audience: str,
        state: str,
        seconds: float,
        waited: float,
    ) -> None: ...

    def gave_up(
        self, *, turn: TurnId, conversation: ConversationId, adapter: str, messages: int
    ) -> None:
        """Messages that were in flight at three crashes are dead letters now."""
        ...

    def model_called(
        self,
        *,
        turn: TurnId,
        rung: str,
        outcome: str,
        seconds: float,
        first: float | None,
        input: int,
        output: int,
    ) -> None: ...

    def tool_ended(
        self, *, turn: TurnId, tool: str, outcome: str, seconds: float, audience: str
    ) -> None:
        """`outcome` is ok, failed, retry, error, timeout, refused, missing or unknown.

        Unknown: it may happen once, was begun, and nobody can say whether it was done.
        """
        ...

    def sent(self, *, adapter: str, turn: TurnId, piece: int, seconds: float) -> None: ...

    def send_failed(
        self, *, adapter: str, turn: TurnId, piece: int, outcome: str, reason: str
    ) -> None:
        """`outcome` is transient, held, ambiguous, repeated, dead or expired."""
        ...

    def draft_failed(self, *, adapter: str, turn: TurnId, reason: str) -> None: ...

    def session_ended(self, *, conversation: ConversationId, by: str) -> None: ...

    def listening(self, *, adapter: str, alive: bool) -> None: ...

    def late_result(self, *, tool: str) -> None:
        """A tool that was given up came back; its result was dropped."""
        ...

    def upkeep(self, *, job: str, rows: int) -> None:
        """A job of the schedule changed so many rows."""
        ...

    def failed(self, *, place: str, error: BaseException) -> None:
        """Unexpected, at one of the places where foreign code is called; logged once."""
        ...


# ---- the store ---------------------------------------------------------------------------


class Inbox(Protocol):
    async def accept(
        self,
        inbound: Inbound,
        placement: Placement,
        *,
        open_for: timedelta | None = None,
        node: Node | None = None,
        refusal: Refusal | None = None,
    ) -> Accepted:
        """Store an event under its key and touch its lane, in one durable transaction.

        Makes the conversation when there is none (an alias of a moved chat finds the old one).
        With `open_for` a slot row is written too, for a repeat as well.

        Raises:
            Transient: the database cannot take it now.
        """
        ...

    async def amend(
        self, conversation: ConversationId, platform_id: str, message: Message | None
    ) -> None:
        """Replace a message, waiting or in the transcript, by its edit; None voids it."""
        ...

    async def move(self, tenant: str, old: Address, new: Address) -> None:
        """Give a conversation a new address; the old one stays as an alias."""
        ...


class Lanes(Protocol):
    async def join(self, name: str, lease: timedelta) -> Node:
        """Take the name's next epoch: lanes of its former epochs are free at once."""
        ...

    async def renew(self, node: Node, lease: timedelta) -> bool:
        """False when the lease had run out or a newer epoch exists: stop every turn."""
        ...

    async def rejoin(self, node: Node, lease: timedelta) -> Node | None:
        """Take the epoch after this one, whose lease ran out; None when somebody else has."""
        ...

    async def leave(self, node: Node) -> None:
        """Give up the epoch: what it still holds is free at once."""
        ...

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        """Take up to `limit` free lanes whose time has come: tenants take turns.

        Within a tenant, the oldest first. Lanes that a dead node left behind get half of the
        seats, so what takes less than half of them has taken all that waited.
        """
        ...

    async def claim_one(self, node: Node, conversation: ConversationId) -> Claim | None:
        """Take this lane if it is free and has work."""
        ...

    async def head(self, claim: Claim) -> Head:
        """Read what is there.

        Raises:
            Fenced: the lane has a newer holder.
        """
        ...

    async def release(self, claim: Claim, *, wake_at: datetime | None = None) -> bool:
        """Give the lane back unless something was accepted meanwhile; False: go on.

        With `wake_at` it is claimed again then, or sooner when something is accepted.
        """
        ...

    async def wake_up_in(self) -> float | None:
        """Seconds until the earliest free lane wakes; None when none will."""
        ...


class Journal(Protocol):
    async def start(self, claim: Claim, turn: Turn, session: Session) -> None:
        """Write (or write again, on another attempt) the turn's row, and its session's.

        An open approval of the turn's sender is dropped. Ordered before everything later, but
        not waited for. Raises: Fenced.
        """
        ...

    async def step(self, claim: Claim, turn: TurnId, step: Step, *, durable: bool) -> None:
        """Write a step, over the one of the same `n`. Raises: Fenced."""
        ...

    async def draft(self, claim: Claim, turn: TurnId, sent: Sent) -> None:
        """Write where the draft stands; durable on return. Raises: Fenced."""
        ...

    async def finish(self, claim: Claim, finish: Finish) -> Sequence[OutboxRow]:
        """End a turn in one durable transaction; its outbox rows. Raises: Fenced."""
        ...

    async def skip(self, claim: Claim, done: Sequence[InboundId]) -> None:
        """Mark rows as done that need no turn (edits, recalls, notices). Raises: Fenced."""
        ...


class Outbox(Protocol):
    """Writes about one row carry the lane's claim and raise `Fenced`; all are durable."""

    async def take(self, claim: Claim, row: OutboxRow) -> OutboxRow:
        """Queued or held → sending, before the wire is touched."""
        ...

    async def sent(self, claim: Claim, row: OutboxRow, sent: Sent) -> None: ...

    async def put_back(
        self, claim: Claim, row: OutboxRow, *, due_at: datetime, error: str, repeat: bool = False
    ) -> None:
        """Sending → queued for a later try; `repeat` counts an ambiguous send made once more."""
        ...

    async def hold(self, claim: Claim, row: OutboxRow, *, until: datetime | None) -> None:
        """Wait for the person's next inbound."""
        ...

    async def bury(self, claim: Claim, row: OutboxRow, *, error: str) -> None:
        """Give up: a dead letter that an operator can see and replay."""
        ...


class Slots(Protocol):
    """Open requests of a platform; taken by compare-and-set, without a fence."""

    async def take_for_slot(
        self, conversation: ConversationId, slot: int, closes_at: datetime
    ) -> OutboxRow | None:
        """The oldest unsent piece behind those that this slot has taken, now sending through it.

        None while an older one is being sent another way.
        """
        ...

    async def slot_replied(self, row: OutboxRow, slot: int, outcome: Sent | None) -> None:
        """None: ambiguous."""
        ...

    async def slot_unused(self, row: OutboxRow, slot: int) -> None:
        """It was taken and not put into the request: sending → queued, due now."""
        ...

    async def settled(self, conversation: ConversationId, inbound: InboundId, slot: int) -> bool:
        """Whether nothing more will come for the slot of this message.

        Everything that answers it is in the outbox or sent, and no other hand holds a piece: one
        that another request had taken when its node died comes back.
        """
        ...

    async def close_slot(self, slot: int) -> None: ...


class History(Protocol):
    async def window(
        self, conversation: ConversationId, *, first: int, limit: int
    ) -> Sequence[Message]:
        """The newest `limit` transcript entries from sequence number `first` on, oldest first.

        Reads at most `limit` rows, however long the conversation is.
        """
        ...


class Transcript(Protocol):
    async def page(
        self, tenant: str, address: Address, *, before: int | None, limit: int
    ) -> Sequence[Entry]:
        """A page of one conversation, oldest first, what waits last (only without `before`)."""
        ...


class Sessions(Protocol):
    async def end_session(self, claim: Claim, session: Session, by: Ending) -> None: ...

    async def sweep(self, rules: Sequence[IdleRule], limit: int = 1000) -> Sequence[Swept]:
        """End idle sessions, set-based, skipping lanes with work; each is returned once."""
        ...


class Erasure(Protocol):
    async def forget(self, claim: Claim, sender: Sender | None) -> None:
        """Delete a conversation's content, or what one sender wrote and was told.

        Done when it returns: on SQLite also the write-ahead log is truncated.
        The undone inbound rows stay (their bodies do not, but for commands).
        """
        ...

    async def erase(self, tenant: str, address: Address) -> bool:
        """Delete a conversation whole; False when there is none."""
        ...


class Listeners(Protocol):
    """One holder for each polling adapter, with the offset it has committed.

    Adapters get one that also says when asking again is worth it (`WaitingListeners`).
    """

    async def hold(self, listener: str) -> int | None:
        """The offset when this node holds the row (again), None while another does."""
        ...

    async def advance(self, listener: str, offset: int) -> None: ...

    async def let_go(self, listener: str) -> None: ...


class WaitingListeners(Listeners, Protocol):
    """What an adapter is given."""

    async def until_free(self, listener: str) -> None:
        """After a `hold` that was refused: until it is time to ask again."""
        ...


class ListenerRows(Listeners, Protocol):
    """The rows themselves, as the store keeps them for one node."""

    def free_in(self, listener: str) -> float | None:
        """Seconds until its holder's lease ends, unless it is renewed, as the last `hold` saw it.

        None where that is not known. Letting go is sooner, and a hint.
        """
        ...


class Ticks(Protocol):
    async def claim_tick(self, job: str, scheduled_at: datetime, node: Node) -> bool:
        """True for exactly one node; a tick whose holder died undone can be taken again."""
        ...

    async def tick_done(self, job: str, scheduled_at: datetime) -> None: ...


class Signals(Protocol):
    """Hints between nodes; none of them is waited for to be durable."""

    async def put_signals(self, signals: Sequence[NewSignal]) -> None:
        """Leave them in this order; a text takes the place of its conversation's older one."""
        ...

    async def signals(
        self,
        after: int,
        *,
        shards: Collection[int] = (),
        known: Collection[int] = (),
        limit: int = 100,
    ) -> Sequence[Signal]:
        """Those with a higher id that are not `known`, in order.

        Texts and events only of `shards`: they are of use where somebody watches. An id may
        come to light after a higher one, so whoever reads on asks from a little before.
        """
        ...

    async def signals_before(self, age: timedelta) -> int:
        """The highest id of those that are as old: where a new reader begins."""
        ...

    async def drop_signals(self, age: timedelta) -> int:
        """Delete those that are as old; how many."""
        ...


class Hints(Protocol):
    """How nodes tell each other that looking is worth it, sooner than the next poll would.

    Every one of them may be lost: polling is the truth. One node has nobody to tell.
    """

    def hint(self) -> None:
        """Have the other nodes look for lanes and signals now; many at once become one."""
        ...

    def on_hint(self, look: Callable[[], None]) -> None:
        """Call this whenever another node has hinted, and when hints may have been missed."""
        ...

    @property
    def hears(self) -> bool:
        """Whether hints of others can reach us now."""
        ...

    async def run(self) -> None:
        """Carry hints until cancelled."""
        ...


class Upkeep(Protocol):
    """What the schedule and the operator's commands do with rows at large."""

    async def retain(self, rules: Retention) -> Mapping[str, int]: ...

    async def expire_outbox(self, hold: timedelta, limit: int = 1000) -> Sequence[OutboxRow]:
        """Bury what has expired: queued rows past `expires_at`, held ones older than `hold`."""
        ...

    async def repair(self) -> int:
        """Wake lanes that hold work and sleep without a time (there should be none)."""
        ...

    async def health(self) -> StoreHealth: ...

    async def outbox_rows(
        self, states: Sequence[OutboxState], limit: int = 100
    ) -> Sequence[OutboxRow]: ...

    async def outbox_retry(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        """A dead or held row becomes due now and wakes its lane."""
        ...

    async def outbox_drop(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool: ...

    async def inbox_rows(
        self, states: Sequence[InboxState], limit: int = 100
    ) -> Sequence[InboxRow]:
        """What waits or was given up, oldest first."""
        ...

    async def inbox_retry(self, id: InboundId) -> bool:
        """A dead row is accepted once more, as said now; one that waits is looked at now."""
        ...

    async def inbox_drop(self, id: InboundId) -> bool:
        """It is done, without an answer, and its body is gone."""
        ...

    async def unsure_calls(self, limit: int = 100) -> Sequence[UnsureCall]:
        """The newest calls of which nobody knows whether they were done, of the last days."""
        ...

    async def said_by(self, tenant: str, sender: str, limit: int = 1000) -> Sequence[Entry]:
        """What one sender (`person_key`) said and was told, over all conversations."""
        ...

    async def conversation(self, tenant: str, address: Address) -> Conversation | None: ...

    async def usage(
        self, *, conversation: ConversationId, sender: str | None, since: datetime
    ) -> UsageRow: ...

    async def get_setting(self, name: str) -> str | None: ...

    async def put_setting(self, name: str, value: str) -> str:
        """Keep the first value ever put under a name, and return it."""
        ...


class Codec(Protocol):
    """How messages become the JSON text of journal steps; the store's own form."""

    def encode_message(self, message: Message) -> str: ...

    def decode_message(self, text: str) -> Message: ...


class Store(
    Inbox,
    Lanes,
    Journal,
    Outbox,
    Slots,
    History,
    Transcript,
    Sessions,
    Erasure,
    Ticks,
    Signals,
    Upkeep,
    Protocol,
):
    """Everything that is kept; each part of the engine asks only for the part it needs."""

    async def open(self) -> None:
        """Migrate when this is the place for it, take the lock, start writing."""
        ...

    async def close(self) -> None: ...

    async def writable(self) -> bool:
        """For `/readyz`: one real write."""
        ...

    def listeners(self, node: Callable[[], Node], tenant: str) -> ListenerRows: ...

    def hints(self, clock: Clock) -> Hints: ...
