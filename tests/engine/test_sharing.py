"""Nodes over the same rows: the one that accepts runs what it accepted, until it is full."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import cast

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId
from bot.domain.message import Inbound, Message, Role, Text
from bot.domain.records import Claim, Node, Placement, Waiting
from bot.engine.lane import Lane
from bot.engine.runner import Runner
from bot.store.memory import MemoryStore
from bot.store.memory_rows import Rows
from tests.fakes import FakeClock, RecordingObserver, until


class CountingStore(MemoryStore):
    """Counts what a node asks that has nothing to do."""

    def __init__(self, clock: FakeClock, rows: Rows) -> None:
        super().__init__(clock, rows)
        self.asks: Counter[str] = Counter()

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        self.asks["claim"] += 1
        return await super().claim(node, limit)

    async def wake_up_in(self) -> float | None:
        self.asks["wake_up_in"] += 1
        return await super().wake_up_in()


class BusyLane:
    """Runs until it is let go, and gives itself back."""

    def __init__(self, store: MemoryStore, claim: Claim, *, park: bool) -> None:
        self.claim = claim
        self.parked = False
        self.let_go = asyncio.Event()
        self._store = store
        self._park = park

    def arrived(self, row: Waiting) -> None:
        """Nothing is done about it here."""

    async def run(self) -> None:
        await self.let_go.wait()
        wake_at = self._store._now() if self._park else None
        await self._store.release(self.claim, wake_at=wake_at)
        self.parked = self._park


class OneNode:
    """A runner and its lanes."""

    def __init__(self, name: str, rows: Rows, clock: FakeClock, *, most: int, park: bool) -> None:
        self.store = CountingStore(clock, rows)
        self.lanes: list[BusyLane] = []
        self._park = park
        self._clock = clock
        self.runner = Runner(
            lanes=self.store,
            hints=self.store.hints(clock),
            make=self._make,
            name=name,
            lease=timedelta(seconds=15),
            clock=clock,
            observer=RecordingObserver(),
            polls=True,
            most=most,
        )

    def _make(self, claim: Claim) -> Lane:
        self.lanes.append(BusyLane(self.store, claim, park=self._park))
        return cast(Lane, self.lanes[-1])

    async def accept(self, chat: str) -> ConversationId:
        """As the intake does it: the row first, then the bell."""
        sender = Sender("7", "Ann")
        message = Message(Role.USER, (Text("hello"),), self._clock.now(), sender=sender)
        inbound = Inbound(f"e{chat}", Address("list", "me", chat), sender, message)
        accepted = await self.store.accept(inbound, Placement("default", "list", ""))
        self.runner.wake(
            accepted.conversation, Waiting(accepted.inbound, inbound, self._clock.now())
        )
        return accepted.conversation


@asynccontextmanager
async def two_nodes(*, most: int = 100, park: bool = False) -> AsyncIterator[list[OneNode]]:
    """Both have looked once and found nothing; the clock stands still."""
    rows, clock = Rows(), FakeClock()
    found = [OneNode(name, rows, clock, most=most, park=park) for name in ("a", "b")]
    for node in found:
        await node.runner.join()
    running = [asyncio.create_task(node.runner.run()) for node in found]
    await until(lambda: all(node.store.asks["wake_up_in"] for node in found))
    try:
        yield found
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def test_a_node_runs_what_it_accepts_and_calls_nobody() -> None:
    async with two_nodes() as (one, two):
        await one.accept("1")
        await until(lambda: one.runner.running == 1 and one.store.asks["wake_up_in"] == 2)
        assert (two.runner.running, two.store.asks["claim"]) == (0, 1)


async def test_what_a_full_node_has_no_room_for_is_run_by_another_at_once() -> None:
    async with two_nodes(most=2) as (one, two):
        for chat in "123":
            await one.accept(chat)
        await until(lambda: (one.runner.running, two.runner.running) == (2, 1))
        await one.accept("4")
        await until(lambda: two.runner.running == 2)


async def test_a_full_node_asks_nothing_until_one_of_its_lanes_ends() -> None:
    async with two_nodes(most=1) as (one, two):
        for node, chat in ((one, "1"), (two, "2")):
            await node.accept(chat)
        await until(lambda: one.runner.running == two.runner.running == 1)
        before = Counter(one.store.asks)
        await one.accept("3")
        one._clock.advance(10)
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(20)))
        assert one.store.asks == before
        one.lanes[0].let_go.set()
        await until(lambda: len(one.lanes) + len(two.lanes) == 3)


async def test_what_a_stopping_node_leaves_is_run_by_another_at_once() -> None:
    async with two_nodes(park=True) as (one, two):
        await one.accept("1")
        await until(lambda: one.runner.running == 1)
        stopping = asyncio.create_task(one.runner.drain(timedelta(seconds=5)))
        one.lanes[0].let_go.set()
        await until(lambda: two.runner.running == 1)
        assert await stopping


async def test_what_is_accepted_by_a_stopping_node_is_run_by_another_at_once() -> None:
    async with two_nodes() as (one, two):
        assert await one.runner.drain(timedelta(seconds=5))
        await one.accept("1")
        await until(lambda: two.runner.running == 1)
