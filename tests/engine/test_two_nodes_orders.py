"""Orders for a node that was idle, and for one whose turn runs elsewhere by now."""

import asyncio

import pytest

from bot import Clock, Kind, ToolContext, tool
from bot.ports import Hints
from bot.store.hints import NoHints
from bot.store.memory import MemoryStore
from tests.engine.house import Gate, calls
from tests.engine.test_runner import LEASE, AwayStore
from tests.engine.test_two_nodes import nodes
from tests.fakes import until


class WithoutHints(MemoryStore):
    """A database behind a pooler, with no way around it."""

    def hints(self, clock: Clock) -> Hints:
        return NoHints()


async def test_a_stop_reaches_a_turn_that_has_just_begun_on_a_node_that_rested() -> None:
    gate = Gate("half of it")
    async with nodes(gate, kind=WithoutHints) as both:
        await both.until(lambda: both.clock.monotonic() > 0.5, within=1)
        await both.y.say("tell me")
        await gate.reached.wait()
        await both.x.say("/stop", kind=Kind.COMMAND)
        assert await both.until(gate.closed.is_set, within=1.0) < 1.0


@pytest.mark.slow  # turns that do not stop are waited for five seconds
async def test_a_stop_goes_to_the_node_that_took_a_turn_over_while_its_call_still_lasts_here() -> (
    None
):
    begun, go_on = asyncio.Event(), asyncio.Event()

    @tool(effect="once", timeout=60)
    async def book(ctx: ToolContext) -> str:
        """Book."""
        begun.set()
        await go_on.wait()
        return "booked"

    gate = Gate("half of it")
    async with nodes(calls(("book", "{}")), gate, kind=AwayStore, tools=[book]) as both:
        store = both.y.store
        assert isinstance(store, AwayStore)
        first = both.y.engine.runner.node
        await both.y.say("book it")
        await begun.wait()
        store.away = True
        await both.until(gate.reached.is_set, within=3 * LEASE)
        store.away = False
        await until(lambda: both.y.engine.runner.node != first, seconds=20)
        assert both.y.engine.runner.running, "the call is still awaited"
        await both.y.say("/stop", kind=Kind.COMMAND)
        await both.until(gate.closed.is_set, within=1.0)
        go_on.set()
