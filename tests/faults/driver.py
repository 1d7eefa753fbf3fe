"""Writes to Parley as many people at once, over the platform's webhook: also twice, also too soon.

A delivery that is not acknowledged is made again, by whichever node answers: that is what the
platform does. What it sent, when, and what came back stands in its log.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field

import aiohttp

from tests.faults.marks import Mark, Talk
from tests.peers.log import Json, Log

SECRET = "fault-run-webhook-secret"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
PATIENCE = 5.0
"""Seconds that one delivery may take; a frozen node must not keep the message."""
LONGEST_WAY = 120.0
"""Seconds after which the platform gives a message up that no node takes."""
LONGEST_PAUSE = 0.4
FIRST_CHAT = 10_000
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
    wishes: Sequence[str] = WISHES


@dataclass(slots=True)
class Sent:
    """What became of one message on its way in."""

    mark: Mark
    at: int
    acknowledged_at: int | None = None


@dataclass(slots=True)
class Driver:
    """Everybody who writes. `targets` gives the addresses of the nodes that can be tried now."""

    targets: Callable[[], Sequence[str]]
    log: Log
    session: aiohttp.ClientSession
    talks: Sequence[Talk]
    seed: int = 0
    habits: Habits = field(default_factory=Habits)
    sent: dict[Mark, Sent] = field(default_factory=dict)
    refused: int = 0
    _numbers: dict[Talk, int] = field(default_factory=lambda: defaultdict(int))
    _updates: int = 0
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
                self._begin(self.deliver(mark, self._wish()))
            left -= together
            due += self._chance.expovariate(self.habits.rate) * together
            await asyncio.sleep(max(0.0, due - loop.time()))
        await self.arrived()

    async def say(self, talk: Talk, wish: str = "") -> Mark:
        """One message; returns once it is acknowledged."""
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
        self._begin(self.deliver(mark, wish))

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
        """Post until it is taken; some are posted once more although they are."""
        update = self._update(mark, wish)
        twice = self._chance.random() < self.habits.twice
        if twice and self._chance.random() < 0.5:
            await asyncio.gather(self._insist(mark, update), self._insist(mark, update))
            return
        await self._insist(mark, update)
        if twice:
            await self._insist(mark, update)

    async def give_up(self) -> None:
        """Stop delivering what nobody takes."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- on the wire ---------------------------------------------------------------------

    async def _insist(self, mark: Mark, update: Json) -> None:
        pause = 0.02
        while True:
            status = await self._post(mark, update)
            if 200 <= status < 300:
                return
            self.refused += 1
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.5))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _post(self, mark: Mark, update: Json) -> int:
        targets = self.targets()
        if not targets:
            return 0
        url = self._chance.choice(targets)
        entry = self.log.write("delivery", mark=str(mark), update=update["update_id"], node=url)
        sent = self.sent.setdefault(mark, Sent(mark, entry.mono))
        status = await self._status(f"{url}/in/{ADAPTERS[mark.talk.tenant]}", update)
        entry = self.log.write("delivered", mark=str(mark), node=url, status=status)
        if 200 <= status < 300 and sent.acknowledged_at is None:
            sent.acknowledged_at = entry.mono
        return status

    async def _status(self, url: str, update: Json) -> int:
        limit = aiohttp.ClientTimeout(total=PATIENCE)
        headers = {SECRET_HEADER: SECRET}
        try:
            async with self.session.post(
                url, json=update, headers=headers, timeout=limit
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            return 0

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

    def forged(self, mark: Mark) -> Json:
        """A message that looks right and that nobody has sent."""
        return self._update(mark, "")

    def _update(self, mark: Mark, wish: str) -> Json:
        self._updates += 1
        person = chat_of(mark.talk)
        name = f"Person {mark.talk.number}"
        message = {
            "message_id": 1_000_000 + mark.number,
            "from": {"id": person, "is_bot": False, "first_name": name, "language_code": "en"},
            "chat": {"id": person, "type": "private", "first_name": name},
            "date": 1_790_000_000,
            "text": f"{mark} {wish}".strip(),
        }
        return {"update_id": 700_000_000 + self._updates, "message": message}


ADAPTERS = {"a": "alpha", "b": "beta"}
"""The adapter that serves each tenant."""


def chat_of(talk: Talk) -> int:
    """The chat of a conversation: the same people write to both bots."""
    return FIRST_CHAT + talk.number
