"""The road between nodes: what acts at once, and what people watch on a node that does not run it.

Every word is a row that others find when they look. Losing one loses no promise: an order that
came too late is answered in its turn, and a page that missed something reads the history.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.address import Address
from bot.domain.conversation import ConversationId
from bot.domain.records import NewSignal, Signal, SignalKind
from bot.engine.watching import GONE, LIVELY, STILL, Place, Watching
from bot.errors import Permanent, Transient
from bot.ports import Clock, Elsewhere, Observer, Signals

PACE = 0.2
"""Seconds between two texts of one answer: five a second, the newest only."""

LOOK_LIVELY, LOOK_BUSY, LOOK_WATCHING, LOOK_IDLE = 0.2, 0.5, 1.0, 2.0
"""Seconds between looks that nobody rang for: while something grows elsewhere that is watched
here; while turns run here that may be stopped; while pages are open here; and otherwise."""

LOOK_LEAST, LOOK_FIRST = 0.1, 0.02
"""Seconds between looks that others rang for, and between those that somebody waits for."""

AFTER_FAILURE = 1.0

RENEW = 6.0
"""Seconds between two words that somebody still looks."""

MARGIN = 2.0
"""Seconds in which an id may still come to light after a higher one."""

LIMIT = 100
MOST_WAITING = 1000
"""Signals kept for a second try while the database is away; more are lost."""

LAST_WORDS = 1.0
MOMENT = 0.25
"""Seconds that somebody waits at most to be told, or to know."""

KEPT = timedelta(minutes=1)
"""How long signals lie there: whoever has not read them by then has no use for them."""


Obey = Callable[[ConversationId], Awaitable[None]]


class Signalling:
    """Leaves signals for other nodes and acts on theirs. `node` names us in what we leave."""

    def __init__(self, signals: Signals, *, node: str, clock: Clock, observer: Observer) -> None:
        self._signals = signals
        self._node = node
        self._clock = clock
        self._observer = observer
        self._waiting: deque[NewSignal] = deque()
        self._news = asyncio.Event()
        self._bell = asyncio.Event()
        self._hurry = asyncio.Event()
        self._putting = False
        self._telling: list[asyncio.Future[None]] = []
        self._looking: list[asyncio.Future[None]] = []
        self._after: int | None = None
        self._seen: dict[int, float] = {}
        self._watching = Watching(
            clock, put=self._leave, news=self._news.set, stirred=self._bell.set
        )

    def elsewhere(self, tenant: str) -> Elsewhere:
        """What adapters of a tenant are given."""
        return _OfTenant(self, self._watching, tenant)

    def hail(self, tenant: str, address: Address) -> None:
        """Something that acts at once was accepted here, and its lane may run elsewhere."""
        self._leave(NewSignal(SignalKind.STOP, tenant, address))

    def ring(self) -> None:
        """Look soon: there may be something new."""
        self._bell.set()

    async def told(self) -> None:
        """Wait a moment until nothing waits to be left."""
        if self._waiting or self._putting:
            await _moment(self._telling)

    async def look(self) -> None:
        """Look now, and wait a moment until that is done."""
        self._hurry.set()
        self._bell.set()
        await _moment(self._looking)

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
                group.create_task(self._listen(obey, busy))
                group.create_task(self._tell(hint))
                group.create_task(self._renew())
        finally:
            await self._last_words()

    # ---- leaving -------------------------------------------------------------------------

    def _leave(self, new: NewSignal) -> None:
        self._waiting.append(new)
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
                await self._rest(early, self._news)
            if self._waiting or self._watching.has_texts:
                self._news.set()

    def _next(self) -> list[NewSignal]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), LIMIT))]

    async def _keep(self, going: Sequence[NewSignal]) -> None:
        """What could not be left goes first at the next try; what will be said again does not."""
        self._watching.lost([new for new in going if new.kind is SignalKind.TEXT])
        kept = [new for new in going if not _can_wait(new)]
        room = max(0, MOST_WAITING - len(self._waiting))
        self._waiting.extendleft(reversed(kept[:room]))
        await self._clock.sleep(AFTER_FAILURE)

    async def _put(self, going: Sequence[NewSignal]) -> bool:
        """False where they may be left at another try."""
        self._putting = True
        try:
            await self._signals.put_signals([self._signed(new) for new in going])
        except (Transient, Permanent) as error:
            self._observer.failed(place="signals", error=error)
            if isinstance(error, Transient):
                return False
        finally:
            self._putting = False
        if not self._waiting:
            _done(self._telling)
        return True

    def _signed(self, new: NewSignal) -> NewSignal:
        """With the line that says who leaves it, and where it belongs."""
        return replace(new, body=f"{json.dumps([self._node, str(new.address)])}\n{new.body}")

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(RENEW)
            for renewal in self._watching.renewals():
                self._leave(renewal)

    async def _last_words(self) -> None:
        """A turn that ended with this server is still to be seen elsewhere."""
        try:
            async with asyncio.timeout(LAST_WORDS):
                while going := self._next():
                    await self._put(going)
        except TimeoutError:
            self._waiting.clear()

    # ---- acting on what others left ------------------------------------------------------

    async def _listen(self, obey: Obey, busy: Callable[[], bool]) -> None:
        while True:
            try:
                await self._look(obey)
            except (Transient, Permanent) as error:
                self._observer.failed(place="signals", error=error)
                await self._clock.sleep(AFTER_FAILURE)
            await self._clock.sleep(LOOK_FIRST)
            await self._rest(LOOK_LEAST - LOOK_FIRST, self._hurry)
            if not self._hurry.is_set():
                await self._rest(self._pause(busy=busy()) - LOOK_LEAST, self._bell)
            self._hurry.clear()
            self._bell.clear()

    def _pause(self, *, busy: bool) -> float:
        if self._watching.lively:
            return LOOK_LIVELY
        if busy:
            return LOOK_BUSY
        return LOOK_WATCHING if self._watching.here else LOOK_IDLE

    async def _look(self, obey: Obey) -> None:
        asked, self._looking = self._looking, []
        if self._after is None:
            self._after = await self._signals.signals_before(timedelta(seconds=GONE))
        more = True
        while more:
            found = await self._signals.signals(
                self._after, shards=self._watching.shards, known=tuple(self._seen), limit=LIMIT
            )
            more = len(found) == LIMIT
            now = self._clock.monotonic()
            for signal in found:
                self._seen[signal.id] = now
                await self._act(signal, obey)
        self._move_on()
        _done(asked)

    def _move_on(self) -> None:
        """Read on from the highest id that nothing lower can come to light beside."""
        until = self._clock.monotonic() - MARGIN
        old = [id for id, at in self._seen.items() if at <= until]
        if not old:
            return
        self._after = max(old)
        self._seen = {id: at for id, at in self._seen.items() if id > self._after}

    async def _act(self, signal: Signal, obey: Obey) -> None:
        head, _, word = signal.body.partition("\n")
        try:
            node, address = json.loads(head)
            place = Place(signal.tenant, Address.parse(str(address)))
        except (ValueError, TypeError):
            return  # a newer node's form, during an upgrade
        if node == self._node:
            return
        if signal.kind is SignalKind.STOP:
            await obey(signal.conversation)
        else:
            self._watching.hear(signal.kind, place, node, word)

    async def _rest(self, seconds: float, bell: asyncio.Event) -> None:
        """So long, or until the bell rings."""
        sleeping = asyncio.ensure_future(self._clock.sleep(max(seconds, 0.0)))
        ringing = asyncio.ensure_future(bell.wait())
        try:
            await asyncio.wait([sleeping, ringing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ringing.cancel()


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


async def _moment(waiting: "list[asyncio.Future[None]]") -> None:
    """Wait until `_done` is called for these."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting.append(future)
    await asyncio.wait([future], timeout=MOMENT)


def _done(waiting: "list[asyncio.Future[None]]") -> None:
    while waiting:
        future = waiting.pop()
        if not future.done():
            future.set_result(None)


def _can_wait(new: NewSignal) -> bool:
    return new.kind is SignalKind.TEXT or (new.kind, new.body) == (SignalKind.WATCHER, STILL)
