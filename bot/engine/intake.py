"""The door: policies, the durable inbox row, the lane's bell, and the receipt."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.address import Sender
from bot.domain.conversation import ConversationId
from bot.domain.message import Inbound, Kind, Outbound, Sent
from bot.domain.patience import Patience
from bot.domain.records import Accepted, OutboxRow, Placement, Refusal, Waiting
from bot.engine.bells import Bells
from bot.engine.commands import Command, command_of
from bot.engine.lately import Refusals
from bot.engine.moments import rest
from bot.errors import Ambiguous, Held, Transient
from bot.policy.welcome import Welcome, comes_again, welcome
from bot.ports import Clock, Inbox, Observer, Receipt, Slots
from bot.ports import Lanes as LanesPort

LOOK_EVERY = 0.2
"""Seconds between looks for a piece while a platform's request is open (design section 6)."""

NOTE_AGAIN = 0.2
NOTED_WITHIN = 2.0
"""Seconds after a request was over in which its reply may still be written down: from then on the
lane takes it to be in doubt (the stores' `SLOT_GRACE`)."""

TRY_AGAIN = timedelta(seconds=5)
"""After which a patient platform may find room."""

_WANTS_TURN = frozenset({Kind.MESSAGE, Kind.COMMAND, Kind.BUTTON})


@dataclass(frozen=True, slots=True)
class Door:
    """What every intake of this server shares."""

    inbox: Inbox
    lanes: LanesPort
    slots: Slots
    said: Callable[[OutboxRow, str], Outbound]
    """A piece as it leaves now by the adapter of this name."""
    clock: Clock
    observer: Observer
    roles: Mapping[tuple[str, str], frozenset[str]]
    """By (adapter name, sender id), from `operators`; everybody else has none."""
    max_characters: int
    own: Callable[[ConversationId], None]
    """Something of it was accepted here, again or for the first time."""
    wake: Callable[[ConversationId, Waiting], bool]
    """False where its lane does not run here."""
    bells: Bells
    hail: Callable[[str, Inbound], None]
    """Tell other nodes of a tenant's inbound that may act on a lane of theirs."""
    stop: Callable[[ConversationId, Waiting], None]
    ring: Callable[[], None]
    draining: Callable[[], bool]
    waiting: Callable[[], int]
    """Conversations that this node answers now."""
    node_limit: int
    """So many of them are enough: a patient platform is asked to keep what it has."""


class Intake:
    """Receives for one adapter. Calling it returns once the row is committed."""

    def __init__(
        self, door: Door, placement: Placement, patience: Patience = Patience.KEEPS
    ) -> None:
        self._door = door
        self._placement = placement
        self._patience = patience
        self._refusals = Refusals(door.clock)

    async def __call__(self, inbound: Inbound, open_for: timedelta | None = None, /) -> Receipt:
        """Store it, and wake its lane.

        Raises:
            Transient: it could not be stored, too much is waiting, or this server is about to
                stop and the platform will come again.
        """
        door = self._door
        if door.draining() and self._comes_again(inbound):
            raise Transient("this server is stopping", retry_after=timedelta(seconds=2))
        inbound = replace(inbound, sender=self._known(inbound.sender))
        if inbound.kind in (Kind.MESSAGE, Kind.COMMAND) and not inbound.addressed:
            door.observer.discarded(adapter=self._placement.adapter, why="not addressed")
            return Unmoved()
        refusal = self._refusal(inbound, self._welcome(inbound))
        try:
            accepted = await door.inbox.accept(
                inbound, self._placement, open_for=open_for, refusal=refusal
            )
        except asyncio.CancelledError:
            door.ring()  # whoever brought it is gone, but it may be on disk all the same
            raise
        # A repeat as well: the word of the first time may have been lost.
        door.own(accepted.conversation)
        door.observer.accepted(
            adapter=self._placement.adapter, kind=inbound.kind.value, new=accepted.new
        )
        if accepted.new or command_of(inbound) is Command.STOP:
            # The word that the first /stop was stored may have been lost: nobody has acted on it.
            row = Waiting(accepted.inbound, inbound, door.clock.now(), refusal)
            self._act(accepted.conversation, row)
        if inbound.kind is Kind.MOVED and inbound.moved_to is not None:
            # For a repeat as well: the first delivery may have failed just here.
            await door.inbox.move(self._placement.tenant, inbound.address, inbound.moved_to)
        return Stored(door, self._placement.adapter, accepted, open_for)

    def _act(self, conversation: ConversationId, row: Waiting) -> None:
        """What cannot wait for its turn in the lane."""
        door = self._door
        if command_of(row.inbound) is Command.STOP:
            door.stop(conversation, row)
        if not door.wake(conversation, row):
            door.hail(self._placement.tenant, row.inbound)

    def _known(self, sender: Sender) -> Sender:
        """Roles come from the configuration and from nowhere else."""
        roles = self._door.roles.get((self._placement.adapter, sender.id), frozenset())
        return sender if sender.roles == roles else replace(sender, roles=roles)

    def _comes_again(self, inbound: Inbound) -> bool:
        age = self._door.clock.now() - inbound.message.sent_at
        return comes_again(self._patience, kind=inbound.kind, age=age)

    def _welcome(self, inbound: Inbound) -> Welcome:
        """Raises: Transient, where the platform is to keep it."""
        door = self._door
        # What makes no turn costs little, and a stop makes room.
        if inbound.kind not in _WANTS_TURN or command_of(inbound) is Command.STOP:
            return Welcome.ACCEPT
        decided = welcome(
            self._patience,
            waiting=door.waiting(),
            limit=door.node_limit,
            lately=self._refusals.lately(),
            kind=inbound.kind,
            age=door.clock.now() - inbound.message.sent_at,
        )
        refused = decided is Welcome.REFUSE
        self._refusals.count(refused=refused)
        if refused:
            door.observer.rejected(adapter=self._placement.adapter, why="too much is waiting")
            raise Transient("too much is waiting", retry_after=TRY_AGAIN)
        return decided

    def _refusal(self, inbound: Inbound, decided: Welcome) -> Refusal | None:
        if decided is Welcome.ACCEPT_AS_BUSY:
            return Refusal("busy")
        limit = self._door.max_characters
        if len(inbound.text) > limit:
            return Refusal("too_long", (("size", f"{limit:,}"),))
        return None


class Unmoved:
    """The receipt of what was not for us: nothing is stored and nothing will come."""

    new = False

    async def reply(self, within: timedelta) -> Outbound | None:  # the port's form
        """Nothing."""
        return None

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        """Nothing was handed out."""


class Stored:
    """The receipt of a stored message: replies may be put into its open request."""

    def __init__(
        self, door: Door, adapter: str, accepted: Accepted, open_for: timedelta | None
    ) -> None:
        self._door = door
        self._adapter = adapter
        self._accepted = accepted
        self._closes = door.clock.now() + (open_for or timedelta(0))
        still_open = (open_for or timedelta(0)).total_seconds()
        self._noted_by = door.clock.monotonic() + still_open + NOTED_WITHIN
        self._taken: deque[OutboxRow] = deque()

    @property
    def new(self) -> bool:
        """False for a repeat."""
        return self._accepted.new

    async def reply(self, within: timedelta) -> Outbound | None:
        """The oldest piece that waits, taken by compare-and-set; None when no more came in time.

        A database that is away keeps nobody from being told what is taken already.
        """
        slot = self._accepted.slot
        if slot is None:
            return None
        until = self._door.clock.monotonic() + within.total_seconds()
        with self._door.bells.at(self._accepted.conversation) as bell:
            while True:
                bell.clear()
                try:
                    row, settled = await self._look(slot)
                except Transient as error:
                    self._door.observer.failed(place="store", error=error)
                    row, settled = None, bool(self._taken)
                if row is not None:
                    self._taken.append(row)
                    return self._door.said(row, self._adapter)
                left = until - self._door.clock.monotonic()
                if settled or left <= 0:
                    if not self._taken:
                        await self._close(slot)
                    return None
                # A turn ends here, or it is time to look whether one ended on another node.
                await rest(self._door.clock, min(LOOK_EVERY, left), bell)

    async def _look(self, slot: int) -> tuple[OutboxRow | None, bool]:
        """A piece for this request, and whether nothing more can come."""
        slots, conversation = self._door.slots, self._accepted.conversation
        # Asked before the look: what is written in between is found by it.
        settled = await slots.settled(conversation, self._accepted.inbound, slot)
        last = self._taken[-1] if self._taken else None
        return await slots.take_for_slot(conversation, slot, self._closes, behind=last), settled

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        """Write down what became of the oldest piece handed out; after the last, close the slot."""
        slot = self._accepted.slot
        if slot is None or not self._taken:
            return
        row, slots = self._taken.popleft(), self._door.slots
        if isinstance(outcome, Held):
            await self._note(lambda: slots.slot_unused(row, slot))
        else:
            sent = outcome if isinstance(outcome, Sent) else None
            await self._note(lambda: slots.slot_replied(row, slot, sent))
        if not self._taken:
            await self._close(slot)

    async def _close(self, slot: int) -> None:
        try:
            await self._door.slots.close_slot(slot)
        except Transient as error:  # it runs out by itself
            self._door.observer.failed(place="store", error=error)
        self._door.ring()  # what was kept for this request may leave by the front door

    async def _note(self, write: Callable[[], Awaitable[None]]) -> None:
        """Tried while it counts: the platform has its answer, and nobody could ask it again."""
        door = self._door
        while True:
            try:
                return await write()
            except Transient as error:
                door.observer.failed(place="store", error=error)
                if door.clock.monotonic() >= self._noted_by:
                    return None  # the lane's next holder is in doubt
            await door.clock.sleep(NOTE_AGAIN)
