"""One claimer for a node: takes the lanes whose time has come and runs each as a task."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta

from bot.domain.conversation import ConversationId
from bot.domain.message import Inbound
from bot.domain.records import Claim, Node, Waiting
from bot.engine.lane import Lane
from bot.errors import Transient
from bot.ports import Clock, Observer
from bot.ports import Lanes as LanesPort

BATCH = 64
"""Lanes taken in one statement."""

POLL = 1.0
"""Seconds between looks that nothing rang for; jitter keeps nodes from looking together."""


STOPPING = 5.0
"""Seconds that turns may take to stop when others may hold their lanes already."""


class LeaseLost(Exception):
    """Another process runs under this node's name."""


class Runner:
    """Claims lanes and runs them, many at once, one turn at a time in each."""

    def __init__(
        self,
        *,
        lanes: LanesPort,
        make: Callable[[Claim], Lane],
        name: str,
        lease: timedelta,
        clock: Clock,
        observer: Observer,
        polls: bool,
        most: int = 4000,
    ) -> None:
        self._lanes = lanes
        self._make = make
        self._name = name
        self._lease = lease
        self._clock = clock
        self._observer = observer
        self._polls = polls
        self._most = most
        self._node: Node | None = None
        self._held: dict[ConversationId, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._bell = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        # Conversations that something was accepted for while their lane was still held.
        self._late: set[ConversationId] = set()

    @property
    def node(self) -> Node:
        """Who we are since `join`."""
        assert self._node is not None, "join comes first"
        return self._node

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def full(self) -> bool:
        """As many lanes run as may."""
        return len(self._held) >= self._most

    @property
    def running(self) -> int:
        """How many lanes are held now."""
        return len(self._held)

    # ---- from the intake ---------------------------------------------------------------

    def wake(self, conversation: ConversationId, inbound: Inbound) -> None:
        """Something was accepted: look soon; a lane that runs here is told at once."""
        lane = self._held.get(conversation)
        if lane is not None:
            self._late.add(conversation)
            lane.arrived(inbound)
        else:
            self._bell.set()

    def stop(self, conversation: ConversationId, order: Waiting) -> None:
        """A /stop acts before its turn."""
        lane = self._held.get(conversation)
        if lane is not None:
            lane.stop(order)

    def ring(self) -> None:
        """Look for lanes now."""
        self._bell.set()

    # ---- the life of a node --------------------------------------------------------------

    async def join(self) -> Node:
        """Take the next epoch of our name; lanes of the former one are free from here on."""
        self._node = await self._lanes.join(self._name, self._lease)
        return self._node

    async def run(self) -> None:
        """Claim and run lanes until cancelled.

        Raises:
            LeaseLost: a newer process runs under our name.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew())
                group.create_task(self._claim(group))
        except* LeaseLost as lost:
            raise lost.exceptions[0] from None

    async def drain(self, grace: timedelta) -> bool:
        """Take no new lanes; True when all that ran came to its end within the grace time."""
        self._draining = True
        self._bell.set()
        try:
            async with asyncio.timeout(grace.total_seconds()):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def leave(self) -> None:
        """Give up the epoch, so that others need not wait for the lease to run out."""
        await self._lanes.leave(self.node)

    async def _renew(self) -> None:
        renewed = self._clock.monotonic()
        every = self._lease.total_seconds() / 3
        while True:
            await self._clock.sleep(every)
            try:
                kept = await self._lanes.renew(self.node, self._lease)
            except Transient as error:
                self._observer.failed(place="lease", error=error)
                kept = False
                if self._clock.monotonic() - renewed < every * 2:
                    continue
            if not kept:
                await self._begin_again()
            renewed = self._clock.monotonic()

    async def _begin_again(self) -> None:
        """Others may hold our lanes by now: stop every turn, and go on under the next epoch.

        What was begun is taken up there, as soon as the database can be written again.

        Raises:
            LeaseLost: a newer process runs under our name.
        """
        await self._stop_turns()
        while True:
            try:
                node = await self._lanes.rejoin(self.node, self._lease)
            except Transient as error:
                self._observer.failed(place="lease", error=error)
                await self._clock.sleep(POLL)
                continue
            if node is None:
                raise LeaseLost("another process runs under the name of this one")
            self._node = node
            self._bell.set()
            return

    async def _stop_turns(self) -> None:
        stopping = tuple(self._tasks)
        for task in stopping:
            task.cancel()
        if stopping:
            # A tool that may run once is awaited to its end; its lane's new holder knows of it.
            await asyncio.wait(stopping, timeout=STOPPING)

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._bell.clear()
            taken = 0
            room = min(BATCH, self._most - len(self._held))
            if room > 0 and not self._draining:
                taken = await self._take(group, room)
            if taken < BATCH:
                await self._rest()

    async def _take(self, group: asyncio.TaskGroup, room: int) -> int:
        try:
            claims = await self._lanes.claim(self.node, room)
        except Transient as error:
            self._observer.failed(place="claim", error=error)
            await self._clock.sleep(POLL)
            return 0
        for claim in claims:
            lane = self._make(claim)
            self._held[claim.conversation] = lane
            self._idle.clear()
            task = group.create_task(self._run(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(claims)

    async def _run(self, lane: Lane) -> None:
        try:
            await lane.run()
        except Exception as error:  # the lane around a turn: one conversation's, not the node's
            self._observer.failed(place="lane", error=error)
        finally:
            conversation = lane.claim.conversation
            if self._held.get(conversation) is lane:
                del self._held[conversation]
            if not self._held:
                self._idle.set()
            # Something may have been accepted between the lane's last look and this line.
            if conversation in self._late or lane.parked:
                self._late.discard(conversation)
                self._bell.set()

    async def _rest(self) -> None:
        """Until the bell rings, a lane's own time comes, or (among several nodes) the poll."""
        rest = await self._next_wake()
        if rest is None:
            await self._bell.wait()
            return
        sleeping = asyncio.ensure_future(self._clock.sleep(max(rest, 0.01)))
        ringing = asyncio.ensure_future(self._bell.wait())
        try:
            await asyncio.wait([sleeping, ringing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ringing.cancel()

    async def _next_wake(self) -> float | None:
        if self._draining:
            return None
        try:
            known = await self._lanes.wake_up_in()
        except Transient:
            return POLL
        if not self._polls:
            return known
        poll = POLL * random.uniform(0.7, 1.3)  # noqa: S311  # jitter, not a secret
        return poll if known is None else min(poll, known)
