"""What the engine has kept while it works: messages, lanes, turns, answers, history."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, Ending, InboundId, Session, Step, Turn, TurnId
from bot.domain.message import Inbound, Message, Sent
from bot.domain.records import (
    Accepted,
    Approval,
    Asked,
    Claim,
    Entry,
    Finish,
    Head,
    IdleRule,
    Node,
    OutboxRow,
    Placement,
    Refusal,
    Swept,
    Waiting,
)


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
        """Replace a message, waiting or in the transcript, by its edit; None voids it.

        Edits of it that wait themselves stay as they are: each brings its own words.
        """
        ...

    async def move(self, tenant: str, old: Address, new: Address) -> None:
        """Give a conversation a new address; the old one stays as an alias.

        No later edit means what was said before: a platform may number its messages anew there.
        """
        ...


class Lanes(Protocol):
    async def join(self, name: str, lease: timedelta) -> Node:
        """Take the name's next epoch: lanes of its former epochs are free at once."""
        ...

    async def renew(self, node: Node, lease: timedelta) -> bool:
        """False when the lease had run out or a newer epoch exists: stop every turn."""
        ...

    async def rejoin(self, node: Node, lease: timedelta) -> Node | None:
        """Take an epoch after this one, whose lease ran out; None when somebody else has.

        Whose row was dropped meanwhile has still its name. Asked again because the answer was
        lost, it gives the same one.
        """
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

    async def newest(self, claim: Claim) -> Sequence[Waiting]:
        """The newest of what waits, oldest first; nothing where the lane has a newer holder.

        A head shows the oldest, and no more than it can hold.
        """
        ...

    async def asked(self, approval: Approval) -> Asked | None:
        """When and where an open question was shown.

        None where that is not known: no turn of the conversation's newest says that it ended
        with this question (`Turn.asked_until`).
        """
        ...

    async def release(self, claim: Claim, *, wake_at: datetime | None = None) -> bool:
        """Give the lane back unless something was accepted meanwhile; False: go on.

        With `wake_at` it is claimed again then, or sooner when something is accepted.
        """
        ...

    async def let_go(self, node: Node, held: Collection[ConversationId]) -> int:
        """Free the lanes of this node that are not among those that it knows it holds; how many.

        A claim whose answer was lost has taken them, and nobody runs them.
        """
        ...

    async def wake_up_in(self) -> float | None:
        """Seconds until the earliest free lane wakes; None when none will."""
        ...


class Journal(Protocol):
    async def start(self, claim: Claim, turn: Turn, session: Session) -> None:
        """Write (or write again, on another attempt) the turn's row, and its session's.

        An open approval of the turn's sender is dropped, unless the turn keeps it. Ordered before
        everything later, but not waited for, unless it is another attempt: that outlives a process
        which is ended by what it does first. Raises: Fenced.
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
        """Queued or held → sending, before the wire is touched.

        Raises:
            Gone: a slot has taken it, or it expired or was dropped since the head was read.
        """
        ...

    async def sent(self, claim: Claim, row: OutboxRow, sent: Sent) -> None: ...

    async def put_back(
        self,
        claim: Claim,
        row: OutboxRow,
        *,
        due_at: datetime,
        error: str,
        repeat: bool = False,
        alone: bool = False,
    ) -> None:
        """Sending → queued for a later try; `repeat` counts an ambiguous send made once more.

        `alone`: its draft cannot hold it, so that from here on none stands for it.
        """
        ...

    async def hold(
        self, claim: Claim, row: OutboxRow, *, until: datetime | None, lasts: timedelta
    ) -> None:
        """Wait for the person's next inbound.

        What waits from this row on is prolonged, in the same write.
        """
        ...

    async def prolong(self, claim: Claim, row: OutboxRow, *, lasts: timedelta) -> None:
        """Give what waits from this row on at least so long from its making.

        What never expires stays so, and what is being sent is left alone.
        """
        ...

    async def bury(self, claim: Claim, row: OutboxRow, *, error: str) -> None:
        """Give up: a dead letter that an operator can see and replay."""
        ...


class Slots(Protocol):
    """Open requests of a platform; taken by compare-and-set, without a fence."""

    async def take_for_slot(
        self,
        conversation: ConversationId,
        slot: int,
        closes_at: datetime,
        *,
        behind: OutboxRow | None = None,
    ) -> OutboxRow | None:
        """The oldest unsent piece, now sending through this slot; `behind`: after this one.

        None while an older one is being sent another way, or has expired and is not given up yet.
        What the slot had taken already, in a try whose answer was lost, is handed out as if for
        the first time.
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

    async def awaited(self, tenant: str, address: Address, sender: Sender) -> Sequence[Address]:
        """Where messages of the sender wait or are being answered, the newest first.

        In all conversations of the address's account: an order that names none may mean any.
        """
        ...


class Sessions(Protocol):
    async def end_session(self, claim: Claim, session: Session, by: Ending) -> None: ...

    async def sweep(self, rules: Sequence[IdleRule], limit: int = 1000) -> Sequence[Swept]:
        """End idle sessions, set-based, skipping lanes with work; each is returned once."""
        ...


class Erasure(Protocol):
    async def forget(
        self, claim: Claim, sender: Sender | None, *, order: InboundId | None = None
    ) -> None:
        """Delete a conversation's content, or what one sender wrote and was told.

        What was begun at its address before the chat moved there belongs to it. Done when it
        returns: on SQLite also the write-ahead log is truncated.
        The undone inbound rows stay. Of those that were accepted before the `order` for it the
        bodies do not, but for commands: the order is known by its words only and may have to be
        obeyed once more, and what is said after it wants its answer.

        Raises:
            PartlyDone: it is in no table any more, and a trace of it may be found in the
                database's file until there is room to rewrite that: `retain` does it then.
        """
        ...

    async def erase(self, tenant: str, address: Address) -> bool:
        """Delete a conversation whole; False when there is none."""
        ...


class Codec(Protocol):
    """How messages become the JSON text of journal steps; the store's own form."""

    def encode_message(self, message: Message) -> str: ...

    def decode_message(self, text: str) -> Message:
        """What `encode_message` wrote. Raises: Permanent, where it cannot be read."""
        ...
