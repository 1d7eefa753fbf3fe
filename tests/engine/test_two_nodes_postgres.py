"""Two nodes on one PostgreSQL, by its own clock: orders, watchers and open requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot import Address, Kind
from bot.clock import SystemClock
from bot.domain.records import OutboxState
from bot.store.postgres import PostgresStore
from tests.contracts.postgres_world import prepared
from tests.engine.house import RULES, Gate, House, ListPlatform, ScriptedModel, says
from tests.postgres import Server

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

ROOM = Address("list", "me", "room")
OPEN = timedelta(seconds=4.5)
UNSENT = (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.HELD, OutboxState.DEAD)


class Deployment:
    """Nodes over one database, with one model and one platform."""

    def __init__(self, url: str, stack: AsyncExitStack, model: ScriptedModel) -> None:
        self._url = url
        self._stack = stack
        self.model = model
        self.platform = ListPlatform()
        self._names = 0

    async def house(self, node: str) -> House:
        """A node that is built and does not run yet."""
        store = PostgresStore(self._url)
        await store.open()
        self._stack.push_async_callback(store.close)
        rules = replace(RULES, node=node, polls=True, lease=timedelta(seconds=2))
        house = House(
            self.model,
            clock=SystemClock(),  # type: ignore[arg-type]  # the database's own cannot be moved
            store=store,
            platform=self.platform,
            rules=rules,
            among_others=True,
        )
        self._names += 1000
        house._count = self._names  # its events have names of their own
        return house

    async def node(self, name: str) -> House:
        """A node that runs, and hears hints, until the end."""
        house = await self.house(name)
        await self._stack.enter_async_context(house.open())
        hinting = asyncio.ensure_future(house.engine.hints.run())
        self._stack.callback(hinting.cancel)
        return house


@asynccontextmanager
async def deployment(server: Server, *gates: Gate) -> AsyncIterator[Deployment]:
    url = await prepared(server)
    try:
        async with AsyncExitStack() as stack:
            yield Deployment(url, stack, ScriptedModel(*gates))
    finally:
        await server.drop(url)


async def test_a_stop_that_is_accepted_on_one_node_stops_the_turn_on_another(
    postgres_server: Server,
) -> None:
    gate = Gate("half of it")
    async with deployment(postgres_server, gate) as made:
        y, x = await made.node("y"), await made.node("x")
        await y.say("tell me")
        async with asyncio.timeout(5):
            await gate.reached.wait()
        async with asyncio.timeout(10):  # the turn does not end by itself
            await x.say("/stop", kind=Kind.COMMAND)
            await gate.closed.wait()
        (text,) = await y.has_sent(1)
        assert text.startswith("half of it")


async def test_a_request_that_comes_to_another_node_gets_the_answer_of_the_one_that_runs_it(
    postgres_server: Server,
) -> None:
    gate = Gate()
    async with deployment(postgres_server, gate) as made:
        y, x = await made.node("y"), await made.node("x")
        said = y.said("hello")
        await y.receive(said, OPEN)
        async with asyncio.timeout(5):
            await gate.reached.wait()
        repeat = await x.receive(said, OPEN)
        replying = asyncio.ensure_future(repeat.reply(timedelta(seconds=4)))
        gate.let_go.set()
        async with asyncio.timeout(4):
            piece = await replying
        assert piece is not None
        assert piece.text == "done"
        assert made.platform.sent == [], "nothing left by another door"
        assert len(made.model.requests) == 1


async def test_a_request_that_outlives_its_node_is_answered_by_the_next(
    postgres_server: Server,
) -> None:
    gate = Gate()
    async with deployment(postgres_server, gate) as made:
        made.model.scripts.append(says("after the restart"))
        y = await made.house("y")
        said = y.said("hello")
        async with y.open():
            await y.receive(said, OPEN)
            async with asyncio.timeout(5):
                await gate.reached.wait()
        again = await made.node("y")
        repeat = await again.receive(said, OPEN)
        assert not repeat.new
        piece = await repeat.reply(timedelta(seconds=4))
        assert piece is not None
        assert piece.text == "after the restart"
        assert made.platform.sent == []


async def test_who_watches_on_one_node_is_told_by_the_other(postgres_server: Server) -> None:
    async with deployment(postgres_server) as made:
        y, x = await made.node("y"), await made.node("x")
        assert x.signalling is not None
        assert y.signalling is not None
        here, there = x.signalling.elsewhere("default"), y.signalling.elsewhere("default")
        heard: list[str] = []
        came = asyncio.Event()

        def hear(word: str) -> None:
            heard.append(word)
            came.set()

        close = here.watch(ROOM, hear)
        async with asyncio.timeout(10):
            while not there.watched(ROOM):  # each look waits a moment only
                await there.look()
        there.grow(ROOM, "so far")
        async with asyncio.timeout(5):
            await came.wait()
        came.clear()
        there.grow(ROOM, None)
        there.say(ROOM, "the end")
        async with asyncio.timeout(5):
            await came.wait()
        assert heard == ["so far", "the end"]
        close()
        async with asyncio.timeout(10):
            while there.watched(ROOM):
                await there.look()
        assert await x.store.outbox_rows(UNSENT) == []
