"""Writes to Parley as many people at once, over the platform's webhook: also twice, also too soon.

A delivery that is not acknowledged is made again, by whichever node answers, as often as the
platform would. What it sent, when, and what came back stands in its log.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import aiohttp

from tests.faults.marks import Mark, Talk
from tests.faults.node import Unmet
from tests.faults.platforms import ADAPTERS, Event, Platform
from tests.peers.log import Log
from tests.peers.process import Remote

LONGEST_WAY = 120.0
"""Seconds after which the platform gives a message up that no node takes."""
NOBODY = ""
"""Where a message is delivered while no node is there: it is written down, and not taken."""
WISHES = ("", "", "", "look", "enter", "stamp", "look stamp")
"""What messages ask for, beside an answer."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How people write."""

    rate: float = 20.0
    """Messages a second, all together."""
    twice: float = 0.10
    """The part that is delivered a second time."""
    reordered: float = 0.05
    """The part that leaves together with, and after, the one that follows it."""
    copies: tuple[int, int] | None = None
    """How often each is delivered, where that is more than once or twice."""
    spread: float = 0.0
    """Seconds over which half of the copies come; the others come at once."""
    wishes: Sequence[str] = WISHES


@dataclass(slots=True)
class Sent:
    """What became of one message on its way in."""

    mark: Mark
    at: int
    acknowledged_at: int | None = None
    given_up: bool = False
    """The platform has tried as often as it does; nobody has promised anything."""


@dataclass(slots=True)
class Driver:
    """Everybody who writes. `targets` gives the addresses of the nodes that can be tried now."""

    targets: Callable[[], Sequence[str]]
    platform: Platform
    bots: Mapping[str, Remote]
    log: Log
    session: aiohttp.ClientSession
    talks: Sequence[Talk]
    seed: int = 0
    habits: Habits = field(default_factory=Habits)
    sent: dict[Mark, Sent] = field(default_factory=dict)
    refused: int = 0
    longest: float = LONGEST_WAY
    """Seconds for which one message is delivered that is waited for."""
    _numbers: dict[Talk, int] = field(default_factory=lambda: defaultdict(int))
    _chance: random.Random = field(default_factory=random.Random)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance.seed(self.seed)

    async def run(self, messages: int, talks: Sequence[Talk] = ()) -> None:
        """Write so many, at the rate, in these conversations or in all; until each is taken."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        left = messages
        while left > 0:
            talk = self._chance.choice(talks or self.talks)
            together = 2 if left > 1 and self._chance.random() < self.habits.reordered else 1
            marks = [self._next(talk) for _ in range(together)]
            for mark in reversed(marks):
                self._begin(self._deliver(mark, self._wish()))
            left -= together
            due += self._chance.expovariate(self.habits.rate) * together
            await asyncio.sleep(max(0.0, due - loop.time()))
        await self.arrived()

    async def say(self, talk: Talk, wish: str = "") -> Mark:
        """One message; returns once it is acknowledged.

        Raises:
            Unmet: nobody takes it.
        """
        mark = self._next(talk)
        await self.deliver(mark, wish)
        return mark

    def begin(self, talk: Talk, wish: str = "") -> Mark:
        """One message, on its way in the background."""
        mark = self._next(talk)
        self.deliver_soon(mark, wish)
        return mark

    def next(self, talk: Talk) -> Mark:
        """The mark of a message that is delivered later."""
        return self._next(talk)

    def deliver_soon(self, mark: Mark, wish: str = "") -> None:
        """Put it on its way in the background."""
        self._begin(self._deliver(mark, wish))

    async def arrived(self, within: float = LONGEST_WAY) -> bool:
        """Wait until everything on its way is acknowledged; False when nobody takes it."""
        try:
            async with asyncio.timeout(within):
                while self._tasks:
                    await asyncio.wait(tuple(self._tasks))
        except TimeoutError:
            await self.give_up()
            return False
        return True

    async def deliver(self, mark: Mark, wish: str = "") -> None:
        """Post until it is taken.

        Raises:
            Unmet: nobody takes it.
        """
        try:
            async with asyncio.timeout(self.longest):
                await self._deliver(mark, wish)
        except TimeoutError as late:
            raise Unmet(f"nobody has taken {mark} for {self.longest:.0f} s") from late

    def event(self, mark: Mark, wish: str = "") -> Event:
        """A message as the platform tells of it."""
        return self.platform.event(mark, f"{mark} {wish}".strip())

    async def give_up(self) -> None:
        """Stop delivering what nobody takes."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- on the wire ---------------------------------------------------------------------

    async def _deliver(self, mark: Mark, wish: str) -> None:
        """Until it is taken; some are posted once more although they are."""
        event = self.event(mark, wish)
        if self.habits.copies is not None:
            copies = range(self._chance.randint(*self.habits.copies))
            await asyncio.gather(*(self._copy(event, number) for number in copies))
            return
        twice = self._chance.random() < self.habits.twice
        if twice and self._chance.random() < 0.5:
            await asyncio.gather(self._insist(event), self._insist(event, before=1))
            return
        await self._insist(event)
        if twice:
            await self._insist(event, before=1)

    async def _copy(self, event: Event, before: int) -> None:
        """One of several deliveries; the first one leaves now."""
        late = before > 0 and self._chance.random() < 0.5
        await asyncio.sleep(self._chance.uniform(0.0, self.habits.spread) if late else 0.0)
        await self._insist(event, before)

    async def _insist(self, event: Event, before: int = 0) -> None:
        """Deliver until it is taken, or given up; `before`: it has been delivered so often."""
        loop = asyncio.get_running_loop()
        for attempt in count(1):
            begun = loop.time()
            if 200 <= await self._post(event, before + attempt) < 300:
                return
            self.refused += 1
            if attempt == self.platform.tries:
                break
            took = loop.time() - begun
            await asyncio.sleep(self.platform.pause(attempt, took, self._chance))
        if event.mark in self.sent:
            self.sent[event.mark].given_up = True

    async def _post(self, event: Event, attempt: int) -> int:
        targets, mark = self.targets(), event.mark
        url = self._chance.choice(targets) if targets else NOBODY
        entry = self.log.write("delivery", mark=str(mark), update=event.key, node=url)
        sent = self.sent.setdefault(mark, Sent(mark, entry.mono))
        status = await self._reach(url, event, attempt) if targets else 0
        entry = self.log.write("delivered", mark=str(mark), node=url, status=status)
        if 200 <= status < 300 and sent.acknowledged_at is None:
            sent.acknowledged_at = entry.mono
        return status

    async def _reach(self, url: str, event: Event, attempt: int) -> int:
        tenant = event.mark.talk.tenant
        adapter, bot = f"{url}/in/{ADAPTERS[tenant]}", self.bots[tenant]
        return await self.platform.deliver(event, adapter, attempt, self.session, bot)

    # ---- what is written -----------------------------------------------------------------

    def _begin(self, delivery: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _next(self, talk: Talk) -> Mark:
        self._numbers[talk] += 1
        return Mark(talk, self._numbers[talk])

    def _wish(self) -> str:
        return self._chance.choice(self.habits.wishes)
