"""A lease that is renewed late: what was not begun meanwhile is begun then."""

import asyncio

from bot.domain.records import Node
from bot.store.memory import MemoryStore
from tests.engine.house import House, ScriptedModel
from tests.fakes import FakeClock, until

LEASE = 15.0


class Unhurried(MemoryStore):
    """A database that answers when it does, whoever has stopped to wait for it."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.slow = False
        self.reached, self.tell = asyncio.Event(), asyncio.Event()

    async def renew(self, node: Node, *rest: object) -> bool:
        kept = await super().renew(node, *rest)  # type: ignore[arg-type]
        if self.slow:
            self.reached.set()
            while not self.tell.is_set():
                try:
                    await self.tell.wait()
                except asyncio.CancelledError:
                    continue
        return kept


async def test_what_came_while_a_renewal_was_late_is_answered_when_it_comes() -> None:
    clock = FakeClock()
    store = Unhurried(clock)
    async with House(ScriptedModel(), clock=clock, store=store).open() as house:
        await until(lambda: clock.sleepers)
        store.slow = True
        clock.advance(LEASE / 3)
        await store.reached.wait()
        clock.advance(LEASE / 3 + 0.1)
        assert not house.engine.runner.sure, "though it was asked in time"
        await house.say("hello")
        for _ in range(50):
            await asyncio.sleep(0)
        assert not house.model.requests, "under such a lease nothing is begun"
        store.slow = False
        store.tell.set()
        assert await house.has_sent(1) == ["you said: hello"]
