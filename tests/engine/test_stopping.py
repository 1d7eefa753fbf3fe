"""/stop and interruption, at every moment of a turn, and what a cut turn leaves behind."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from bot import Kind, Sender, ToolContext, Transient, Usage, tool
from bot.domain.message import ToolResult
from bot.domain.model import Delta, Finished, Reason, Request, TextDelta
from bot.store.memory import MemoryStore
from tests.engine.house import RULES, Gate, House, ListPlatform, ScriptedModel, calls, says
from tests.engine.test_lane import begun
from tests.fakes import FakeClock, until


async def test_a_stop_that_comes_while_its_turn_is_being_begun_stops_it() -> None:
    class Slow(MemoryStore):
        begins = asyncio.Event()
        go_on = asyncio.Event()

        async def start(self, *args: Any) -> None:
            await super().start(*args)
            self.begins.set()
            await self.go_on.wait()

    clock = FakeClock()
    store = Slow(clock)
    gate = Gate()
    async with House(ScriptedModel(gate), clock=clock, store=store).open() as house:
        await house.say("tell me")
        await store.begins.wait()
        await house.say("/stop", kind=Kind.COMMAND)
        store.go_on.set()
        assert await house.has_sent(1) == ["Stopped."]
        await house.at_rest()
        assert len(house.platform.sent) == 1


async def test_a_stop_that_a_crash_left_undone_stops_the_turn_that_is_taken_up_again() -> None:
    gate = Gate()
    house = House(ScriptedModel(gate, says("never")))
    async with house.open():
        await house.say("tell me")
        await gate.reached.wait()
    await house.say("/stop", kind=Kind.COMMAND)
    again = House(house.model, clock=house.clock, store=house.store)
    async with again.open():
        assert await again.has_sent(1) == ["Stopped."]
        await again.at_rest()
        assert len(again.platform.sent) == 1


async def test_a_stop_does_not_reach_the_turns_after_it() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("/stop", kind=Kind.COMMAND)
        await house.say("hello")
        assert await house.has_sent(2) == ["Nothing is running here.", "you said: hello"]


async def test_two_stops_of_one_turn_stop_it_once() -> None:
    gate = Gate(before="so far")
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("tell me")
        await gate.reached.wait()
        await house.say("/stop", kind=Kind.COMMAND)
        await house.say("/stop", kind=Kind.COMMAND)
        texts = await house.has_sent(2)
        assert texts == ["so far\n\n(stopped)", "Nothing is running here."]


async def test_an_edit_that_reads_stop_is_an_edit() -> None:
    gate = Gate(after="the answer")
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("tell me", platform_id="q")
        await gate.reached.wait()
        await house.say("/stop", kind=Kind.EDITED, platform_id="q")
        gate.let_go.set()
        assert await house.has_sent(1) == ["the answer"]


async def test_only_what_was_said_interrupts_a_turn() -> None:
    gate = Gate(after="whole")
    rules = replace(RULES, interrupts=True)
    async with House(ScriptedModel(gate), rules=rules).open() as house:
        await house.say("one")
        await gate.reached.wait()
        await house.say("+1", kind=Kind.FEEDBACK)
        await house.say("/usage", kind=Kind.COMMAND)
        gate.let_go.set()
        assert (await house.has_sent(1))[0] == "whole"


async def test_an_interrupted_turn_leaves_its_finished_tool_results_to_the_next_one() -> None:
    slow = asyncio.Event()

    @tool
    async def quick() -> str:
        """Answer at once."""
        return "42"

    @tool
    async def never() -> str:
        """Wait for ever."""
        slow.set()
        await asyncio.Event().wait()
        return "never"

    rules = replace(RULES, interrupts=True)
    model = ScriptedModel(calls(("quick", "{}"), ("never", "{}")))
    async with House(model, tools=[quick, never], rules=rules).open() as house:
        await house.say("both")
        await slow.wait()
        await until(lambda: house.observer.named("tool_ended"))
        for _ in range(20):
            await asyncio.sleep(0)
        await house.say("and this")
        await house.has_sent(1)
        parts = [part for message in model.requests[-1].messages for part in message.parts]
        results = [part for part in parts if isinstance(part, ToolResult)]
        assert [(result.text, result.failed) for result in results] == [
            ("42", False),
            ("never was cancelled before it came to an end.", True),
        ]


async def test_a_call_that_may_happen_once_is_awaited_and_recorded_when_its_turn_is_stopped() -> (
    None
):
    begun, release = asyncio.Event(), asyncio.Event()

    @tool(effect="once")
    async def pay(ctx: ToolContext) -> str:
        """Pay.

        Args:
            ctx: Who asks.
        """
        begun.set()
        await release.wait()
        return "paid 5"

    async with House(ScriptedModel(calls(("pay", "{}"))), tools=[pay]).open() as house:
        await house.say("pay")
        await begun.wait()
        await house.say("/stop", kind=Kind.COMMAND)
        for _ in range(20):
            await asyncio.sleep(0)
        assert house.platform.sent == []
        release.set()
        told = "Stopped.\n\nBy then I had done this already: pay."
        assert await house.has_sent(1) == [told]
        await house.say("did you?")
        await house.has_sent(2)
        parts = [part for m in house.model.requests[-1].messages for part in m.parts]
        assert [part.text for part in parts if isinstance(part, ToolResult)] == ["paid 5"]


async def test_a_tool_that_will_not_be_cancelled_does_not_hold_up_its_conversation() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    @tool(timeout=0.01)
    async def stubborn() -> str:
        """Ignore every wish."""
        begun.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    async with House(
        ScriptedModel(calls(("stubborn", "{}")), says("I gave it up.")), tools=[stubborn]
    ).open() as house:
        await house.say("go")
        assert await house.has_sent(1) == ["I gave it up."]
        release.set()
        await until(lambda: house.observer.named("late_result"))


# ---- what a turn has used ------------------------------------------------------------------


async def used(house: House) -> tuple[int, int]:
    await house.at_rest()
    found = await house.store.conversation("default", house.said("x").address)
    assert found is not None
    row = await house.store.usage(conversation=found.id, sender=None, since=house.clock.now())
    return row.input, row.output


def breaks_after(usage: Usage) -> Any:
    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        yield TextDelta("half")
        yield usage
        raise Transient("cut off")

    return script


async def test_tokens_of_a_stream_that_broke_are_counted() -> None:
    async with House(ScriptedModel(breaks_after(Usage(10, 3)))).open() as house:
        await house.say("hello")
        assert "I could not reach" in (await house.has_sent(1))[0]
        assert await used(house) == (10, 3)


async def test_tokens_of_a_stopped_turn_are_counted() -> None:
    reached = asyncio.Event()

    async def hangs(request: Request) -> AsyncGenerator[Delta, None]:
        yield Usage(10, 3)
        yield TextDelta("half")
        reached.set()
        await asyncio.Event().wait()
        yield Finished(Reason.STOP)

    async with House(ScriptedModel(hangs)).open() as house:
        await house.say("hello")
        await reached.wait()
        await house.say("/stop", kind=Kind.COMMAND)
        await house.has_sent(1)
        assert await used(house) == (10, 3)


async def test_tokens_of_a_run_that_died_are_counted_by_the_run_that_ends_its_turn() -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    async def counted(request: Request) -> AsyncGenerator[Delta, None]:
        yield Usage(10, 3)
        async for delta in calls(("look", "{}"))(request):
            yield delta

    gate = Gate()
    model = ScriptedModel(counted, gate, says("Seen.", usage=Usage(5, 2)))
    house = House(model, tools=[look])
    async with house.open():
        await house.say("look")
        await gate.reached.wait()
    again = House(model, tools=[look], store=house.store, clock=house.clock)
    async with again.open():
        assert await again.has_sent(1) == ["Seen."]
        assert await used(again) == (15, 5)


async def test_tokens_of_a_turn_that_failed_unexpectedly_and_of_one_given_up_are_counted() -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    def counted(request: Request) -> AsyncGenerator[Delta, None]:
        async def script() -> AsyncGenerator[Delta, None]:
            yield Usage(10, 3)
            async for delta in calls(("look", "{}"))(request):
                yield delta

        return script()

    async def breaks(request: Request) -> AsyncGenerator[Delta, None]:
        if not request.messages:
            yield TextDelta("never")
        raise RuntimeError("a bug of ours")

    async with House(ScriptedModel(counted, breaks), tools=[look]).open() as house:
        await house.say("hello")
        assert "went wrong" in (await house.has_sent(1))[0]
        assert await used(house) == (10, 3)

    gates = [Gate(), Gate(), Gate()]
    model = ScriptedModel(counted, *gates)
    house = House(model, tools=[look])
    for number, gate in enumerate(gates):
        house = House(model, tools=[look], store=house.store, clock=house.clock)
        async with house.open():
            if number == 0:
                await house.say("poison")
            await begun(gate, house.clock)
    house = House(model, tools=[look], store=house.store, clock=house.clock)
    async with house.open():
        assert "gave up" in (await house.has_sent(1))[0]
        assert await used(house) == (10, 3)


# ---- drafts of turns that end otherwise ----------------------------------------------------


async def test_a_draft_of_an_earlier_run_is_closed_when_its_turn_ends_without_an_answer() -> None:
    gate = Gate(before="so far")
    platform = ListPlatform(drafts="message")
    rules = replace(RULES, interrupts=True)
    house = House(ScriptedModel(gate, Gate()), platform=platform, rules=rules)
    async with house.open():
        await house.say("one")
        await gate.reached.wait()
        await until(lambda: platform.drafts and platform.drafts[0].shown)
    second = Gate()
    house.model.scripts = [second]
    again = House(house.model, clock=house.clock, store=house.store, platform=platform, rules=rules)
    async with again.open():
        await second.reached.wait()
        await again.say("two", event_key="later", sender=Sender("u1", "Ann"))
        assert await again.has_sent(1) == ["you said: two"]
        closed = [draft for draft in platform.drafts if draft.abandoned]
        assert [draft.sent for draft in closed] == [platform.drafts[0].sent]


async def test_an_answer_is_sent_plainly_when_its_draft_cannot_be_taken_up_again() -> None:
    gate = Gate(before="so far")
    platform = ListPlatform(drafts="message")
    house = House(ScriptedModel(gate, says("The end.")), platform=platform)
    async with house.open():
        await house.say("one")
        await gate.reached.wait()
        await until(lambda: platform.drafts and platform.drafts[0].shown)
    platform.drafts_mode = "off"
    again = House(house.model, clock=house.clock, store=house.store, platform=platform)
    async with again.open():
        assert await again.has_sent(1) == ["The end."]
