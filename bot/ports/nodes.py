"""What nodes agree on and tell each other, what is swept up, and all of the store."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.address import Address
from bot.domain.conversation import Conversation, ConversationId, InboundId, TurnId
from bot.domain.operating import InboxRow, InboxState, NodeHealth, StoreHealth, UnsureCall
from bot.domain.records import (
    Entry,
    NewSignal,
    Node,
    OutboxRow,
    OutboxState,
    Retention,
    Signal,
    UsageRow,
)
from bot.ports.clock import Clock
from bot.ports.store import (
    Erasure,
    History,
    Inbox,
    Journal,
    Lanes,
    Outbox,
    Sessions,
    Slots,
    Transcript,
)


class Listeners(Protocol):
    """One holder for each polling adapter, with the offset it has committed.

    Adapters get one that also says when asking again is worth it (`WaitingListeners`).
    """

    async def hold(self, listener: str) -> int | None:
        """The offset when this node holds the row (again), None while another does."""
        ...

    async def advance(self, listener: str, offset: int) -> None:
        """What comes before it is on disk.

        The rows themselves raise `Fenced` for a former holder; an adapter learns of another one
        from the next `hold`.
        """
        ...

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
        """True for exactly one node; a tick whose holder died undone can be taken again.

        So can one whose time comes once more, because the clock was set back.
        """
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

    async def retain(self, rules: Retention) -> Mapping[str, int]:
        """A batch of each kind of what is past its time; how many rows of each were changed.

        Raises:
            PartlyDone: a kind could not be done; the others were.
        """
        ...

    async def expire_outbox(self, hold: timedelta, limit: int = 1000) -> Sequence[OutboxRow]:
        """Bury what has expired: queued rows past `expires_at`, held ones older than `hold`."""
        ...

    async def repair(self) -> int:
        """Wake lanes that hold work and sleep without a time (there should be none).

        Also those in which a message waits and that sleep for longer than any lane rests: the
        clock was set back since. So it was where a lease lasts for longer than any may, which is
        cut short.
        """
        ...

    async def health(self) -> StoreHealth: ...

    async def outbox_rows(
        self, states: Sequence[OutboxState], limit: int = 100
    ) -> Sequence[OutboxRow]: ...

    async def outbox_repeated(self, limit: int = 100) -> Sequence[OutboxRow]:
        """What was sent once more because nobody knew whether it had arrived; the newest first.

        While its text is kept (`session.retain`).
        """
        ...

    async def outbox_retry(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        """A dead or held row becomes due now and wakes its lane."""
        ...

    async def outbox_drop(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        """A row that is not on its way is gone, and what waited behind it is due."""
        ...

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

    async def nodes(self) -> Sequence[NodeHealth]:
        """By name: who serves, who left conversations behind, who fell silent in the last days."""
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
