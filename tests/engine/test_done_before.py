"""Whatever stands in place of an answer, its person learns what the turn had done by then."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from bot import Kind, Permanent, ToolFailed, Transient, tool
from bot.domain.model import Delta, Reason, Request, TextDelta
from tests.engine.house import RULES, Gate, House, Script, ScriptedModel, calls, says
from tests.engine.test_journal import PAY, Till
from tests.engine.test_thinking import ends

DONE = "By then I had done this already: pay."


def paid(*, asks: bool = False) -> Till:
    """A tool that pays at once."""
    till = Till(needs_approval=asks)
    till.release.set()
    return till


def breaks(error: Exception) -> Script:
    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        if not request.messages:
            yield TextDelta("never")
        raise error

    return script


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (breaks(Transient("away")), "could not reach the language model"),
        (breaks(Permanent("no")), "would not take this request"),
        (breaks(TimeoutError()), "longer than I am allowed"),
        (breaks(RuntimeError("a bug of ours")), "something went wrong"),
        (ends("", Reason.FILTERED), "not able to answer that one"),
        (ends("", Reason.STOP), "I have no answer to that"),
        (ends("half", Reason.LENGTH), "half\n\n(the answer was cut off here)"),
    ],
)
async def test_a_turn_that_fails_behind_a_call_tells_person_and_model_that_it_was_done(
    script: Script, words: str
) -> None:
    till = paid()
    async with House(ScriptedModel(PAY, script), tools=till.tools).open() as house:
        await house.say("pay")
        (text,) = await house.has_sent(1)
        assert words in text
        assert text.endswith(f"\n\n{DONE}")
        assert text.count(DONE) == 1
        await house.say("did you?")
        await house.has_sent(2)
        assert house.model.requests[-1].messages[-2].text == text
    assert len(till.keys) == 1


async def test_a_turn_that_comes_to_no_end_tells_each_call_that_was_done() -> None:
    till = paid()
    house = House(ScriptedModel(PAY, PAY), tools=till.tools, audience={"max_steps": 2})
    async with house.open():
        await house.say("pay twice")
        (text,) = await house.has_sent(1)
        assert text.endswith("By then I had done this already: pay, pay.")


async def test_what_a_yes_has_allowed_is_told_as_well() -> None:
    till = paid(asks=True)
    model = ScriptedModel(PAY, breaks(Transient("away")))
    async with House(model, tools=till.tools).open() as house:
        await house.say("pay")
        await house.has_sent(1)
        await house.at_rest()
        await house.say("yes")
        assert (await house.has_sent(2))[1].endswith(DONE)
    assert len(till.keys) == 1


@pytest.mark.parametrize(("shown", "told"), [("", "Stopped."), ("so far", "so far\n\n(stopped)")])
async def test_who_stops_a_turn_is_told_what_it_had_done(shown: str, told: str) -> None:
    gate = Gate(before=shown)
    async with House(ScriptedModel(PAY, gate), tools=paid().tools).open() as house:
        await house.say("pay")
        await gate.reached.wait()
        await house.say("/stop", kind=Kind.COMMAND)
        assert await house.has_sent(1) == [f"{told}\n\n{DONE}"]


async def test_who_interrupts_a_turn_is_told_what_it_had_done() -> None:
    gate = Gate()
    rules = replace(RULES, interrupts=True)
    model = ScriptedModel(PAY, gate)
    async with House(model, tools=paid().tools, rules=rules).open() as house:
        await house.say("pay")
        await gate.reached.wait()
        await house.say("and now?")
        told = f"(interrupted)\n\n{DONE}"
        assert await house.has_sent(2) == [told, "you said: and now?"]


async def test_what_was_done_by_a_run_that_died_is_told_once_by_the_one_that_fails() -> None:
    gate, till = Gate(), paid()
    model = ScriptedModel(PAY, gate, breaks(Transient("away")))
    house = House(model, tools=till.tools)
    async with house.open():
        await house.say("pay")
        await gate.reached.wait()
    again = House(model, clock=house.clock, store=house.store, tools=till.tools)
    async with again.open():
        (text,) = await again.has_sent(1)
        assert text.startswith("I could not reach the language model")
        assert text.count(DONE) == 1
    assert len(till.keys) == 1


async def test_told_is_what_changed_something_and_neither_what_read_nor_what_failed() -> None:
    noted = asyncio.Event()

    @tool(effect="idempotent")
    async def note() -> str:
        """Write it down."""
        noted.set()
        return "noted"

    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    @tool(effect="once")
    async def refund() -> str:
        """Pay back."""
        raise ToolFailed("there is no such payment")

    @tool(effect="once")
    async def pay() -> str:
        """Pay, behind the note."""
        await noted.wait()
        return "paid"

    wanted = [(name, "{}") for name in ("pay", "look", "refund", "note", "made_up")]
    model = ScriptedModel(calls(*wanted), breaks(Transient("away")))
    async with House(model, tools=[note, look, refund, pay]).open() as house:
        await house.say("all of it")
        (text,) = await house.has_sent(1)
        assert text.endswith("By then I had done this already: pay, note.")


async def test_a_whole_answer_tells_what_was_done_in_its_own_words() -> None:
    async with House(ScriptedModel(PAY, says("Paid.")), tools=paid().tools).open() as house:
        await house.say("pay")
        assert await house.has_sent(1) == ["Paid."]
