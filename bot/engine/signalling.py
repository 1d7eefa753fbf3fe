"""The road between nodes: what acts at once, and what people watch on a node that does not run it.

Every word is a row that others find when they look. Losing one loses no promise: an order that
came too late is answered in its turn, and a page that missed something reads the history.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from bot.domain.address import Address
from bot.domain.records import NewSignal, SignalKind
from bot.engine.hearing import AFTER_FAILURE, LIMIT, Hearing, Obey, signed
from bot.engine.moments import Waiters, done, moment, rest
from bot.engine.watching import LIVELY, STILL, Place, Watching
from bot.errors import Permanent, Transient
from bot.ports import Clock, Elsewhere, Observer, Signals

PACE = 0.2
"""Seconds between two texts of one answer: five a second, the newest only."""

RENEW = 6.0
"""Seconds between two words that somebody still looks."""

MOST_WAITING = 1000
"""Signals that wait to be left, while the database is away or slow; of more the oldest are lost,
and orders after everything else. Renewals and texts are not among them: `Watching` makes each when
it can leave."""

LAST_WORDS = 1.0

KEPT = timedelta(minutes=1)
"""How long signals lie there: whoever has not read them by then has no use for them."""


class Signalling:
    """Leaves signals for other nodes and acts on theirs. `node` names us in what we leave."""

    def __init__(self, signals: Signals, *, node: str, clock: Clock, observer: Observer) -> None:
        self._signals = signals
        self._node = node
        self._clock = clock
        self._observer = observer
        self._waiting = _Queue()
        self._news = asyncio.Event()
        self._putting = False
        self._telling: Waiters = []
        self._watching = Watching(clock, put=self._leave, news=self._news.set, stirred=self.ring)
        self._hearing = Hearing(signals, self._watching, node=node, clock=clock, observer=observer)

    def elsewhere(self, tenant: str) -> Elsewhere:
        """What adapters of a tenant are given."""
        return _OfTenant(self, self._watching, tenant)

    def hail(self, tenant: str, address: Address) -> None:
        """Something that acts at once was accepted here, and its lane may run elsewhere."""
        self._leave(NewSignal(SignalKind.STOP, tenant, address))

    def ring(self) -> None:
        """Look soon: there may be something new."""
        self._hearing.ring()

    async def told(self) -> None:
        """Wait a moment until nothing waits to be left."""
        if self._waiting or self._putting:
            await moment(self._telling)

    async def look(self) -> None:
        """Look now, and wait a moment until that is done."""
        await self._hearing.look()

    async def run(
        self,
        *,
        obey: Obey,
        busy: Callable[[], bool],
        hint: Callable[[], None],
    ) -> None:
        """Until cancelled.

        `obey` looks for orders at a lane, if it runs on this node; `busy` says whether any does;
        `hint` has the other nodes look now.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hearing.run(obey, busy))
                group.create_task(self._tell(hint))
                group.create_task(self._renew())
        finally:
            await self._last_words()

    # ---- leaving -------------------------------------------------------------------------

    def _leave(self, new: NewSignal) -> None:
        self._waiting.add(new)
        self._news.set()

    async def _tell(self, hint: Callable[[], None]) -> None:
        texts_at = self._clock.monotonic()
        while True:
            await self._news.wait()
            self._news.clear()
            early = texts_at - self._clock.monotonic()
            texts = self._watching.texts() if early <= 0 else ()
            if texts:
                texts_at = self._clock.monotonic() + PACE
            going = (*self._next(), *texts)
            if going:
                if not await self._put(going):
                    await self._keep(going)
                # Who watches a growing text looks often; only the first word has to hurry.
                elif early < -LIVELY or not all(_can_wait(new) for new in going):
                    hint()
            elif self._watching.has_texts:
                await rest(self._clock, early, self._news)
            if self._waiting or self._watching.has_renewals or self._watching.has_texts:
                self._news.set()

    def _next(self) -> list[NewSignal]:
        found = self._waiting.take(LIMIT)
        return [*found, *self._watching.renewals(LIMIT - len(found))]

    async def _keep(self, going: Sequence[NewSignal]) -> None:
        """What could not be left goes first at the next try; what will be said again does not."""
        self._watching.lost([new for new in going if new.kind is SignalKind.TEXT])
        self._waiting.put_back([new for new in going if not _can_wait(new)])
        await self._clock.sleep(AFTER_FAILURE)

    async def _put(self, going: Sequence[NewSignal]) -> bool:
        """False where they may be left at another try."""
        self._putting = True
        try:
            await self._signals.put_signals([signed(new, self._node) for new in going])
        except (Transient, Permanent) as error:
            self._observer.failed(place="signals", error=error)
            if isinstance(error, Transient):
                return False
        finally:
            self._putting = False
        if not self._waiting:
            done(self._telling)
        return True

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(RENEW)
            self._watching.renew()
            self._news.set()

    async def _last_words(self) -> None:
        """A turn that ended with this server is still to be seen elsewhere."""
        try:
            async with asyncio.timeout(LAST_WORDS):
                while going := self._waiting.take(LIMIT):
                    await self._put(going)
        except TimeoutError:
            self._waiting.clear()


class _Queue:
    """What waits to be left: orders first, each sort in the order in which it came."""

    def __init__(self) -> None:
        self._orders: deque[NewSignal] = deque()
        self._words: deque[NewSignal] = deque()

    def __len__(self) -> int:
        return len(self._orders) + len(self._words)

    def add(self, new: NewSignal) -> None:
        """At the end of its sort."""
        (self._orders if _is_order(new) else self._words).append(new)
        self._shed()

    def put_back(self, taken: Sequence[NewSignal]) -> None:
        """These were taken and could not be left: they come first again."""
        self._orders.extendleft(new for new in reversed(taken) if _is_order(new))
        self._words.extendleft(new for new in reversed(taken) if not _is_order(new))
        self._shed()

    def take(self, most: int) -> list[NewSignal]:
        """The next ones, so many at most."""
        return [(self._orders or self._words).popleft() for _ in range(min(most, len(self)))]

    def clear(self) -> None:
        """Nothing of it will be left any more."""
        self._orders.clear()
        self._words.clear()

    def _shed(self) -> None:
        while len(self) > MOST_WAITING:
            (self._words or self._orders).popleft()


class _OfTenant:
    """What the adapters of one tenant have of it."""

    def __init__(self, road: Signalling, watching: Watching, tenant: str) -> None:
        self._road = road
        self._watching = watching
        self._tenant = tenant

    def watch(self, address: Address, hear: Callable[[str], None]) -> Callable[[], None]:
        return self._watching.watch(Place(self._tenant, address), hear)

    async def told(self) -> None:
        await self._road.told()

    async def look(self) -> None:
        await self._road.look()

    def watched(self, address: Address) -> bool:
        return self._watching.watched(Place(self._tenant, address))

    def grow(self, address: Address, word: str | None) -> None:
        self._watching.grow(Place(self._tenant, address), word)

    def say(self, address: Address, word: str, *, lasting: bool = False) -> None:
        self._watching.say(Place(self._tenant, address), word, lasting=lasting)


def _is_order(new: NewSignal) -> bool:
    return new.kind is SignalKind.STOP


def _can_wait(new: NewSignal) -> bool:
    return new.kind is SignalKind.TEXT or (new.kind, new.body) == (SignalKind.WATCHER, STILL)
