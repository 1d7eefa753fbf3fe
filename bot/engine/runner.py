"""One claimer for a node: takes the lanes whose time has come and runs each as a task."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial

from bot.domain.conversation import ConversationId
from bot.domain.records import Claim, Node, Waiting
from bot.engine.lane import Lane
from bot.engine.looks import POLL, Looks
from bot.engine.lostclaims import LostClaims
from bot.engine.moments import is_cancelled
from bot.engine.owned import Claims
from bot.engine.renewing import Renewing
from bot.errors import Transient
from bot.ports import Clock, Hints, Observer
from bot.ports import Lanes as LanesPort

BATCH = 64
"""Lanes taken in one statement."""

STOPPING = 5.0
"""Seconds that turns may take to stop when others may hold their lanes already."""


class LeaseLost(Exception):
    """Another process runs under this node's name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"another process runs under this one's node name, {name}; "
            "give each server a `server.node` of its own"
        )


class Runner:
    """Claims lanes and runs them, many at once, one turn at a time in each."""

    def __init__(
        self,
        *,
        lanes: LanesPort,
        hints: Hints,
        make: Callable[[Claim], Lane],
        name: str,
        lease: timedelta,
        clock: Clock,
        observer: Observer,
        polls: bool,
        most: int = 4000,
        claims: Claims | None = None,
    ) -> None:
        """`claims` is where its lanes are found, if it is not to take whatever waits."""
        self._lanes = lanes
        self._claims = claims or lanes
        self._hints = hints
        hints.on_hint(self.ring)
        self._make = make
        self._name = name
        self._lease = lease
        self._clock = clock
        self._observer = observer
        self._most = most
        self._node: Node | None = None
        self._held: dict[ConversationId, Lane] = {}
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        self._looks = Looks(self._claims, clock, polls=polls)
        self._lost_claims = LostClaims(lanes, clock)
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self._has_left = False
        self._renewing = Renewing(
            lanes, lease, clock=clock, observer=observer, regained=self._looks.ring
        )
        # True from the loss of an epoch until the next one is ours: nothing may begin between.
        self._between = False
        # Conversations that something was accepted for while their lane was still held.
        self._late: set[ConversationId] = set()
        # Let go because the database was away: what ran there has not crashed.
        self._excused: set[ConversationId] = set()

    @property
    def node(self) -> Node:
        """Who we are since `join`."""
        assert self._node is not None, "join comes first"
        return self._node

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def sure(self) -> bool:
        """Whether nobody else can hold our lanes yet.

        After a sleep that outlived the lease it is False before anything else is noticed: what no
        fence guards, such as a call that shows something, must look here first.
        """
        return self._renewing.sure

    async def certain(self) -> None:
        """Wait until nobody else can hold our lanes: before anything that cannot be taken back.

        What stood still and is not ours any more is cancelled here, and not done late.
        """
        await self._renewing.certain()

    @property
    def _room(self) -> int:
        """Lanes that a claim may take."""
        return min(BATCH, max(0, self._most - len(self._held)))

    @property
    def running(self) -> int:
        """How many lanes are held now."""
        return len(self._held)

    # ---- from the intake ---------------------------------------------------------------

    def wake(self, conversation: ConversationId, row: Waiting) -> bool:
        """Something was accepted: look soon; a lane that runs here is told at once.

        False where it does not run here: it may on another node.
        """
        lane = self._held.get(conversation)
        # Of a lost epoch, it is only coming to its end: its turn may run on another node by now.
        if lane is None or self._between or lane.claim.node != self._node:
            self._looks.ring()
            if self._draining or not self._room:
                self._hints.hint()  # it waits for a node that can run it
            return False
        self._late.add(conversation)
        lane.arrived(row)
        return True

    def stop(self, conversation: ConversationId, order: Waiting) -> None:
        """A /stop acts before its turn."""
        lane = self._held.get(conversation)
        if lane is not None:
            lane.stop(order)

    async def obey(self, conversation: ConversationId) -> None:
        """Something that acts at once was accepted for it on another node."""
        lane = self._held.get(conversation)
        if lane is not None:
            await lane.hailed()

    def ring(self) -> None:
        """Look for lanes now."""
        self._looks.ring()

    # ---- the life of a node --------------------------------------------------------------

    async def join(self) -> Node:
        """Take the next epoch of our name; lanes of the former one are free from here on."""
        began = self._clock.monotonic()
        self._node = await self._lanes.join(self._name, self._lease)
        self._has_left = False
        self._renewing.grant(began)
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
        self._looks.ring()
        self._hints.hint()  # what waits is for others from now on
        try:
            async with asyncio.timeout(grace.total_seconds()):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def cut(self) -> None:
        """Stop what still runs after the grace time, and return when it is over.

        The lease is kept as long: a call that may happen once is awaited, and while it lasts its
        lane is nobody else's.
        """
        while self._tasks:
            running = tuple(self._tasks.values())
            for task in running:
                if not task.cancelling():
                    task.cancel()
            await asyncio.wait(running)

    async def leave(self) -> None:
        """Give up the epoch, once: others need not wait for the lease to run out."""
        if not self._has_left:
            self._has_left = True
            await self._lanes.leave(self.node)

    async def _renew(self) -> None:
        while True:
            await self._renewing.keep(self.node)
            self._excused = set(self._held) if self._renewing.database_was_away else set()
            await self._begin_again()

    async def _begin_again(self) -> None:
        """Others may hold our lanes by now: stop every turn, and go on under the next epoch.

        What was begun is taken up there, as soon as the database can be written again.

        Raises:
            LeaseLost: a newer process runs under our name.
        """
        self._between = True
        await self._stop_turns()
        while True:
            began = self._clock.monotonic()
            try:
                node = await self._lanes.rejoin(self.node, self._lease)
            except Transient as error:
                self._observer.failed(place="lease", error=error)
                await self._clock.sleep(POLL)
                continue
            if node is None:
                raise LeaseLost(self._name)
            self._node = node
            self._renewing.grant(began)
            self._between = False
            self._looks.ring()
            return

    async def _stop_turns(self) -> None:
        await _stop(self._tasks.values())

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._looks.begin()
            taken = 0
            # Under a lease that may be over nothing is begun.
            waits = self._draining or self._between or not self.sure
            room = 0 if waits else self._room
            if room:
                taken = await self._take(group, room)
            if room and not self._room:
                self._hints.hint()  # more may wait than there is room for
            if waits or self._draining or self._between or not self._room:
                await self._looks.until_rung()  # the end of a lane rings, and a new lease
            elif taken * 2 < room:
                # What a claim takes less than half of is all that waited (`Lanes.claim`).
                await self._looks.rest(found=taken > 0)

    async def _take(self, group: asyncio.TaskGroup, room: int) -> int:
        node = self.node
        try:
            await self._lost_claims.let_go(node, self._held)
            claims = await self._claims.claim(node, room)
        except Transient as error:
            self._lost_claims.lost()
            self._observer.failed(place="claim", error=error)
            await self._clock.sleep(POLL)
            return 0
        if self._between or node != self.node:
            return 0  # of an epoch that is lost by now: they are free for everybody
        for claim in claims:
            lane = self._make(claim)
            # Claims are not waited for: a database that crashed may have lost one that runs here.
            twin = self._held.get(claim.conversation)
            ours = twin is not None or claim.conversation in self._excused
            if ours or self._renewing.database_was_lately_away:
                # Ours, or another node's that has let go of it for the same reason.
                self._excused.discard(claim.conversation)
                lane.excuse()
            self._held[claim.conversation] = lane
            self._idle.clear()
            task = self._tasks[lane] = group.create_task(self._run(lane, twin))
            # Not in the task itself: one that is cancelled before its first step never runs.
            task.add_done_callback(partial(self._over, lane))
        return len(claims)

    async def _run(self, lane: Lane, twin: Lane | None) -> None:
        try:
            former = self._tasks.get(twin) if twin is not None else None
            if former is not None and not former.cancelling():
                await _stop([former])
            await lane.run()
        except (asyncio.CancelledError, Exception) as error:  # the lane around a turn
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise  # else foreign code has cancelled itself: it is one conversation's matter
            self._lost_claims.lost()
            self._observer.failed(place="lane", error=error)

    def _over(self, lane: Lane, _: "asyncio.Task[None]") -> None:
        conversation, was_full = lane.claim.conversation, not self._room
        del self._tasks[lane]
        if self._held.get(conversation) is lane:
            del self._held[conversation]
        if not self._held:
            self._idle.set()
        # Something may have been accepted between the lane's last look and this line.
        if conversation in self._late or lane.parked or was_full:
            self._late.discard(conversation)
            self._looks.ring()
        if self._draining and lane.parked:
            self._hints.hint()  # what it leaves is for others


async def _stop(running: Iterable[asyncio.Task[None]]) -> None:
    """A tool that may run once is awaited to its end; its lane's new holder knows of it."""
    stopping = tuple(running)
    for task in stopping:
        task.cancel()
    if stopping:
        await asyncio.wait(stopping, timeout=STOPPING)
