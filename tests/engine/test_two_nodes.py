"""Two nodes over the same rows: what acts at once does so wherever the turn runs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from bot import Address, Elsewhere, Kind, Sender, Tool
from bot.domain.model import Delta, Finished, Reason, Request, TextDelta, ToolCallDelta
from bot.domain.sentences import sentence
from bot.store.memory import MemoryStore
from bot.store.memory_rows import Rows
from tests.engine.house import RULES, Gate, House, ListPlatform, Script, ScriptedModel
from tests.engine.test_runner import LEASE, AwayStore
from tests.fakes import FakeClock, until

SECOND = timedelta(seconds=1)
ROOM = Address("list", "me", "room")


@dataclass
class Nodes:
    """`y` runs what is accepted there; `x` is the other one. Time is theirs alike."""

    x: House
    y: House
    clock: FakeClock

    async def until(self, condition: Callable[[], object], within: float) -> float:
        """Let time pass until it holds; how many seconds that took."""
        began = self.clock.monotonic()
        while not condition():
            assert self.clock.monotonic() - began < within, "it did not come true in time"
            for _ in range(30):
                await asyncio.sleep(0)
            self.clock.advance(0.05)
        return self.clock.monotonic() - began


@asynccontextmanager
async def nodes(
    *scripts: Script,
    interrupts: bool = False,
    platform: ListPlatform | None = None,
    kind: type[MemoryStore] = MemoryStore,
    tools: Sequence[Tool] = (),
) -> AsyncIterator[Nodes]:
    clock, rows = FakeClock(), Rows()
    model, platform = ScriptedModel(*scripts), platform or ListPlatform()

    def house(node: str) -> House:
        rules = replace(RULES, node=node, polls=True, interrupts=interrupts)
        store = kind(clock, rows)
        return House(
            model,
            clock=clock,
            store=store,
            platform=platform,
            tools=tools,
            rules=rules,
            among_others=True,
        )

    async with house("x:1").open() as x, house("y:1").open() as y:
        x._count = 1000  # its events have names of their own
        for _ in range(50):
            await asyncio.sleep(0)  # until both have looked and rest: who accepts now, runs it
        yield Nodes(x, y, clock)


async def test_a_stop_that_is_accepted_on_one_node_stops_the_turn_on_another() -> None:
    gate = Gate("half of it")
    async with nodes(gate) as both:
        await both.y.say("tell me")
        await gate.reached.wait()
        await both.x.say("/stop", kind=Kind.COMMAND)
        assert await both.until(gate.closed.is_set, within=1.0) < 1.0
        (text,) = await both.y.has_sent(1)
        assert text.startswith("half of it")
        assert "stopped" in text.lower()
        await both.until(lambda: not both.y.engine.runner.running, within=2)
        assert len(both.y.platform.sent) == 1


async def test_a_stop_reaches_another_node_past_more_messages_than_a_look_shows() -> None:
    gate = Gate("half of it")
    async with nodes(gate) as both:
        await both.y.say("tell me")
        await gate.reached.wait()
        for n in range(450):
            await both.x.say(f"and {n}", sender=Sender("u2"))
        await both.x.say("/stop", kind=Kind.COMMAND)
        await both.until(gate.closed.is_set, within=1.0)
        (text, *_) = await both.y.has_sent(1)
        assert text == "half of it\n\n(stopped)"


async def test_a_stranger_stops_nothing_on_another_node_either() -> None:
    gate = Gate()
    async with nodes(gate) as both:
        await both.y.say("tell me", direct=False)
        await gate.reached.wait()
        await both.x.say("/stop", kind=Kind.COMMAND, direct=False, sender=Sender("u2"))
        await both.until(lambda: both.clock.monotonic() > 3, within=4)
        assert not gate.closed.is_set()
        gate.let_go.set()
        first, second = await both.y.has_sent(2)
        assert first == "done"
        assert second == sentence("stop_not_yours", "en")


async def test_with_interrupt_a_message_on_one_node_cuts_the_turn_on_another() -> None:
    gate = Gate("half of it")
    async with nodes(gate, interrupts=True) as both:
        await both.y.say("tell me")
        await gate.reached.wait()
        await both.x.say("no, this instead")
        await both.until(gate.closed.is_set, within=1.0)
        await both.until(lambda: len(both.y.platform.sent) == 2, within=2)
        assert both.y.platform.texts[-1] == "you said: no, this instead"


async def test_turns_that_others_let_go_while_the_database_was_away_did_not_crash_there() -> None:
    gates = [Gate("I think ") for _ in range(4)]
    async with nodes(*gates, kind=AwayStore) as both, _third(both) as z:
        await both.y.say("hello")
        three = (both.y, both.x, z)
        for n, gate in enumerate(gates):
            await both.until(gate.reached.is_set, within=3 * LEASE)
            _set_away(*three, away=False)
            await both.until(lambda: all(one.engine.runner.sure for one in three), within=LEASE)
            _set_away(*three, away=True)
            await both.until(gate.closed.is_set, within=LEASE)
            # One of the others finds it again first, and takes over what was let go.
            _set_away(three[(n + 1) % 3], away=False)
        await both.until(lambda: both.x.platform.sent, within=3 * LEASE)
        assert both.x.platform.texts == ["you said: hello"]


@asynccontextmanager
async def _third(both: Nodes) -> AsyncIterator[House]:
    assert isinstance(both.x.store, MemoryStore)
    house = House(
        both.x.model,
        clock=both.clock,
        store=AwayStore(both.clock, both.x.store._rows),
        platform=both.x.platform,
        rules=replace(RULES, node="z:1", polls=True),
        among_others=True,
    )
    async with house.open():
        yield house


def _set_away(*houses: House, away: bool) -> None:
    for house in houses:
        assert isinstance(house.store, AwayStore)
        house.store.away = away


async def test_an_answer_is_put_into_its_open_request_at_once_where_its_turn_ran() -> None:
    async with nodes() as both:
        receipt = await both.y.receive(both.y.said("hello"), timedelta(seconds=5))
        at = both.clock.monotonic()
        async with asyncio.timeout(5):
            piece = await receipt.reply(4 * SECOND)
        assert piece is not None
        assert piece.text == "you said: hello"
        assert both.clock.monotonic() == at, "nobody had to look again"


async def test_an_answer_is_put_into_the_request_that_came_to_another_node() -> None:
    gate = Gate()
    async with nodes(gate) as both:
        said = both.y.said("hello")
        await both.y.receive(said, timedelta(seconds=5))
        await gate.reached.wait()
        repeat = await both.x.receive(said, timedelta(seconds=5))
        assert not repeat.new
        replying = asyncio.ensure_future(repeat.reply(4 * SECOND))
        gate.let_go.set()
        assert await both.until(replying.done, within=1.0) <= 0.3
        piece = await replying
        assert piece is not None
        assert piece.text == "done"
        assert both.y.platform.sent == []


class SeenElsewhere(ListPlatform):
    """Shows growing texts to those who look on another node."""

    elsewhere: Elsewhere | None = None

    def watched(self, address: Address) -> bool:
        return self.elsewhere is not None and self.elsewhere.watched(address)


@asynccontextmanager
async def seen_from_x(*scripts: Script) -> AsyncIterator[tuple[Nodes, SeenElsewhere]]:
    platform = SeenElsewhere(drafts="fading")
    async with nodes(*scripts, platform=platform) as both:
        assert both.y.signalling is not None
        platform.elsewhere = both.y.signalling.elsewhere("default")
        yield both, platform


async def somebody_looks(both: Nodes) -> None:
    """From now on and on `x`; `y` knows."""
    assert both.x.signalling is not None
    assert both.y.signalling is not None
    both.x.signalling.elsewhere("default").watch(ROOM, lambda _: None)
    there = both.y.signalling.elsewhere("default")
    await both.until(lambda: there.watched(ROOM), within=1.0)


async def test_who_comes_to_look_after_the_turn_has_begun_is_shown_its_text() -> None:
    reached, go_on, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        yield TextDelta("half")
        reached.set()
        await go_on.wait()
        yield TextDelta(" of it")
        await end.wait()
        yield TextDelta(", and all")
        yield Finished(Reason.STOP, "main")

    async with seen_from_x(script) as (both, platform):
        await both.y.say("tell me")
        await reached.wait()
        await somebody_looks(both)
        assert platform.drafts == [], "nobody looked when it began"
        go_on.set()
        await until(lambda: platform.drafts and platform.drafts[0].shown == ["half of it"])
        end.set()
        assert await both.y.has_sent(1) == ["half of it, and all"]
        assert len(platform.drafts) == 1


async def test_the_model_is_told_at_each_call_whether_somebody_looks_by_then() -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        reached.set()
        await go_on.wait()
        yield ToolCallDelta("call", "nothing", "{}")
        yield Finished(Reason.TOOLS, "main")

    async with seen_from_x(script) as (both, _):
        await both.y.say("tell me")
        await reached.wait()
        await somebody_looks(both)
        go_on.set()
        await both.y.has_sent(1)
        assert [request.watched for request in both.y.model.requests] == [False, True]
