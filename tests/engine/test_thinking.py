"""From prompt to outcome: limits of a model, odd endings, and whose rules a turn follows."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot import ToolContext, tool
from bot.domain.message import ToolResult
from bot.domain.model import Delta, Finished, Reason, Request, TextDelta
from bot.errors import ContextTooLong
from bot.models.fallback import Fallback
from tests.engine.house import Gate, House, Script, ScriptedModel, calls, says
from tests.fakes import FakeClock


def ends(text: str, reason: Reason) -> Script:
    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        if text:
            yield TextDelta(text)
        yield Finished(reason, "main")

    return script


async def too_long(request: Request) -> AsyncGenerator[Delta, None]:
    if not request.messages:
        yield TextDelta("never")
    raise ContextTooLong("too many tokens")


async def test_the_window_is_halved_once_and_stays_so_for_the_steps_after_it() -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    scripts = [says("a"), says("b"), too_long, calls(("look", "{}")), says("done")]
    model = ScriptedModel(*scripts)
    async with House(model, tools=[look]).open() as house:
        for number, text in enumerate(("one", "two", "three"), start=1):
            await house.say(text)
            await house.has_sent(number)
        whole, halved, later = model.requests[2:]
        assert [m.text for m in whole.messages[1:]] == ["one", "a", "two", "b", "three"]
        assert [m.text for m in halved.messages[1:]] == ["two", "b", "three"]
        assert later.messages[: len(halved.messages)] == halved.messages
        assert [request.shortened for request in model.requests[2:]] == [False, True, True]


async def test_a_prompt_that_stays_too_long_is_answered_by_a_model_that_takes_more() -> None:
    main, spare = ScriptedModel(too_long, too_long), ScriptedModel(says("I took it."))
    rungs = Fallback({"main": main, "spare": spare}, FakeClock())
    async with House(ScriptedModel(rungs.stream, rungs.stream)).open() as house:
        await house.say("hello")
        assert await house.has_sent(1) == ["I took it."]
        assert (len(main.requests), len(spare.requests)) == (2, 1)


async def test_a_window_that_is_still_too_long_is_a_refusal_of_the_model() -> None:
    async with House(ScriptedModel(too_long, too_long)).open() as house:
        await house.say("hello")
        assert "would not take this request" in (await house.has_sent(1))[0]
        assert len(house.model.requests) == 2


async def test_an_answer_that_was_cut_off_or_filtered_says_so() -> None:
    expected = [
        ("half", Reason.LENGTH, "half\n\n(the answer was cut off here)"),
        ("", Reason.LENGTH, "(the answer was cut off here)"),
        ("half", Reason.FILTERED, "half\n\n(the answer was cut off here)"),
        ("", Reason.FILTERED, "I am not able to answer that one."),
        ("", Reason.STOP, "I have no answer to that."),
        (" \n", Reason.STOP, "I have no answer to that."),
    ]
    model = ScriptedModel(*[ends(text, reason) for text, reason, _ in expected])
    async with House(model).open() as house:
        for number, (_, _, answer) in enumerate(expected, start=1):
            await house.say("hello")
            assert (await house.has_sent(number))[-1] == answer


async def test_every_step_is_told_when_the_whole_turn_has_to_be_over() -> None:
    house = House(ScriptedModel())

    @tool
    async def wait(ctx: ToolContext) -> str:
        """Let time pass.

        Args:
            ctx: Who asks.
        """
        house.clock.advance(10)
        return "later"

    model = ScriptedModel(calls(("wait", "{}")), says("done"))
    house = House(model, tools=[wait], audience={"deadline": timedelta(seconds=60)})
    begun = house.clock.now()
    async with house.open():
        await house.say("go")
        await house.has_sent(1)
        assert {request.deadline for request in model.requests} == {begun + timedelta(seconds=60)}


async def test_a_call_that_was_let_through_before_a_crash_is_not_asked_about_after_a_deploy() -> (
    None
):
    @tool
    async def pay() -> str:
        """Pay."""
        return "paid"

    @tool(name="pay", needs_approval=True)
    async def asking() -> str:
        """Pay."""
        raise AssertionError("replayed, not run")

    gate = Gate()
    model = ScriptedModel(calls(("pay", "{}")), gate, says("All done."))
    house = House(model, tools=[pay])
    async with house.open():
        await house.say("pay")
        await gate.reached.wait()
    again = House(model, tools=[asking], store=house.store, clock=house.clock)
    async with again.open():
        assert await again.has_sent(1) == ["All done."]


async def test_an_audience_that_is_gone_from_the_configuration_gets_answers_and_no_tools() -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    house = House(ScriptedModel(says("hello")), tools=[look])
    house.receive._placement = replace(house.receive._placement, audience="gone")
    async with house.open():
        await house.say("hi")
        await house.has_sent(1)
        assert house.model.requests[0].tools == ()


async def test_a_prose_before_a_call_is_kept_in_the_answer_and_said_once_in_the_history() -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    async def speaks(request: Request) -> AsyncGenerator[Delta, None]:
        yield TextDelta("Let me look.")
        async for delta in calls(("look", "{}"))(request):
            yield delta

    async with House(ScriptedModel(speaks, says("I see it.")), tools=[look]).open() as house:
        await house.say("look")
        assert await house.has_sent(1) == ["Let me look.\n\nI see it."]
        await house.say("sure?")
        await house.has_sent(2)
        said = [message.text for message in house.model.requests[-1].messages[1:]]
        assert said == ["look", "Let me look.", "", "I see it.", "sure?"]


async def test_half_an_emoji_from_a_model_or_a_function_ends_no_turn() -> None:
    booked: list[str] = []

    @tool(effect="once")
    async def book(place: str) -> str:
        """Book.

        Args:
            place: Where.
        """
        booked.append(place)
        return f"{place} \ud83d booked"

    wrong, right = '{"place": "caf\\ud83d"}', '{"place": "cafe"}'
    model = ScriptedModel(calls(("book", wrong)), calls(("book", right)), says("done"))
    async with House(model, tools=[book]).open() as house:
        await house.say("book it")
        assert await house.has_sent(1) == ["done"]
        (told,) = model.requests[-1].messages[-1].parts
        assert isinstance(told, ToolResult)
        assert told.text == "cafe \ufffd booked"
        assert booked == ["cafe"]


async def test_arguments_nested_deeper_than_anyone_reads_are_the_models_mistake() -> None:
    @tool(effect="once")
    async def book(places: list[str]) -> str:
        """Book.

        Args:
            places: Where.
        """
        return f"{len(places)} booked"

    deep = '{"places": ' + "[" * 100_000 + "]" * 100_000 + "}"
    model = ScriptedModel(calls(("book", deep)), says("done"))
    async with House(model, tools=[book]).open() as house:
        await house.say("book it")
        assert await house.has_sent(1) == ["done"]
        (told,) = model.requests[-1].messages[-1].parts
        assert isinstance(told, ToolResult)
        assert told.failed


@pytest.mark.parametrize("messages", [2, 3, 5])
async def test_a_turn_of_more_calls_than_are_remembered_leaves_its_question_and_its_answer(
    messages: int,
) -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel(calls(("look", "{}")), calls(("look", "{}")), says("Twice seen."))
    house = House(model, tools=[look], audience={"window_messages": messages})
    async with house.open():
        await house.say("look twice")
        await house.has_sent(1)
        await house.say("sure?")
        await house.has_sent(2)
        said = [message.text for message in model.requests[-1].messages[1:]]
        assert said == ["look twice", "Twice seen.", "sure?"]
