"""Tools inside a turn: side by side, bounded, admitted at the place where they run."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from bot import Kind, Sender, ToolContext, ToolFailed, tool
from bot.domain.message import ToolResult
from tests.engine.house import RULES, Gate, House, ScriptedModel, calls, says


def results(house: House) -> list[ToolResult]:
    """What the last request told the model about its calls."""
    found = house.model.requests[-1].messages
    return [part for m in found for part in m.parts if isinstance(part, ToolResult)]


async def test_calls_of_one_reply_run_side_by_side_and_keep_their_order() -> None:
    started = asyncio.Event()

    @tool
    async def slow() -> str:
        """Wait for the other."""
        await started.wait()
        return "slow"

    @tool
    async def quick() -> str:
        """Let the other go."""
        started.set()
        return "quick"

    model = ScriptedModel(calls(("slow", "{}"), ("quick", "{}")), says("both"))
    async with House(model, tools=[slow, quick]).open() as house:
        await house.say("both please")
        assert await house.has_sent(1) == ["both"]
        assert [result.text for result in results(house)] == ["slow", "quick"]


async def test_a_tool_that_raises_hangs_or_floods_does_not_end_the_turn() -> None:
    @tool
    async def raises() -> str:
        """Break."""
        raise RuntimeError("secret canary")

    @tool(timeout=0.01)
    async def hangs() -> str:
        """Never come back."""
        await asyncio.Event().wait()
        return "never"

    @tool
    async def floods() -> str:
        """Too much."""
        return "x" * 1_000_000

    @tool
    async def fails() -> str:
        """Say why not."""
        raise ToolFailed("the shop is closed")

    wanted = [(name, "{}") for name in ("raises", "hangs", "floods", "fails")]
    model = ScriptedModel(calls(*wanted), says("I tried."))
    async with House(model, tools=[raises, hangs, floods, fails]).open() as house:
        await house.say("go")
        assert await house.has_sent(1) == ["I tried."]
        raised, hung, flooded, failed = results(house)
        assert "canary" not in raised.text
        assert "no answer within" in hung.text
        assert len(flooded.text) < 20_000
        assert failed.text == "the shop is closed"
        assert [fact["place"] for fact in house.observer.named("failed")] == ["tool raises"]


async def test_a_tool_is_refused_where_it_is_run_whatever_the_model_says() -> None:
    ran: list[str] = []

    @tool(roles={"operator"})
    async def close_shop(ctx: ToolContext) -> str:
        """Close the shop.

        Args:
            ctx: Who asks.
        """
        ran.append(ctx.sender.id)
        return "closed"

    rules = replace(RULES, roles={("list", "boss"): frozenset({"operator"})})
    model = ScriptedModel(
        calls(("close_shop", "{}")), says("no"), calls(("close_shop", "{}")), says("yes")
    )
    async with House(model, tools=[close_shop], rules=rules).open() as house:
        await house.say("close it", direct=False, sender=Sender("eve"))
        await house.has_sent(1)
        assert ran == []
        assert house.model.requests[0].tools == ()
        assert house.observer.named("tool_ended")[0]["outcome"] == "refused"
        await house.say("close it", direct=False, sender=Sender("boss"))
        await house.has_sent(2)
        assert ran == ["boss"]


async def test_a_function_that_does_not_exist_is_told_to_the_model() -> None:
    model = ScriptedModel(calls(("rm_rf", "{}")), says("sorry"))
    async with House(model).open() as house:
        await house.say("go")
        assert await house.has_sent(1) == ["sorry"]
        assert results(house)[0].failed
        assert house.observer.named("tool_ended")[0]["tool"] == "unknown"


async def test_a_model_that_never_stops_calling_is_stopped() -> None:
    @tool
    async def again() -> str:
        """Once more."""
        return "again"

    model = ScriptedModel(*[calls(("again", "{}")) for _ in range(9)])
    async with House(model, tools=[again], audience={"max_steps": 3}).open() as house:
        await house.say("go")
        assert "did not come to an end" in (await house.has_sent(1))[0]
        assert len(house.model.requests) == 3


async def test_a_turn_that_takes_too_long_says_so() -> None:
    gate = Gate()
    audience = {"deadline": timedelta(seconds=0.02)}
    async with House(ScriptedModel(gate), audience=audience).open() as house:
        await house.say("go")
        assert "longer than I am allowed" in (await house.has_sent(1))[0]
        assert gate.closed.is_set()


async def test_a_call_that_may_happen_once_and_was_begun_is_not_repeated_after_a_crash() -> None:
    begun, release = asyncio.Event(), asyncio.Event()
    runs: list[str] = []

    @tool(effect="once")
    async def pay(ctx: ToolContext) -> str:
        """Pay.

        Args:
            ctx: Who asks.
        """
        runs.append(ctx.key)
        begun.set()
        await release.wait()
        return "paid"

    model = ScriptedModel(calls(("pay", "{}")), says("I am not sure."))
    house = House(model, tools=[pay])
    async with house.open():
        await house.say("pay")
        await begun.wait()
        # a crash, as the store sees it: a new process with the next epoch takes the lane over
        again = House(model, clock=house.clock, store=house.store, tools=[pay])
        async with again.open():
            text = (await again.has_sent(1))[0]
        release.set()
    assert "cannot tell whether it was done" in text
    assert len(runs) == 1


async def test_stop_cancels_a_tool() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    @tool
    async def ponder() -> str:
        """Think for ever."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return "never"

    async with House(ScriptedModel(calls(("ponder", "{}"))), tools=[ponder]).open() as house:
        await house.say("ponder")
        await begun.wait()
        await house.say("/stop", kind=Kind.COMMAND)
        assert await house.has_sent(1) == ["Stopped."]
        assert cancelled.is_set()
        await house.say("hello?")
        await house.has_sent(2)
        roles = [message.role.value for message in house.model.requests[-1].messages]
        assert "tool" not in roles


async def test_with_interrupt_a_new_message_cancels_and_joins() -> None:
    gate = Gate(before="The first")
    rules = replace(RULES, interrupts=True)
    async with House(ScriptedModel(gate), rules=rules).open() as house:
        await house.say("one")
        await gate.reached.wait()
        await house.say("and two")
        texts = await house.has_sent(2)
        assert texts == ["The first\n\n(interrupted)", "you said: and two"]
        said = [message.text for message in house.model.requests[-1].messages[1:]]
        assert said == ["one", "The first\n\n(interrupted)", "and two"]
