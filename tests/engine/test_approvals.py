"""A call that needs its person's yes: asked as it will be run, and run as it was asked."""

from collections.abc import Sequence

from bot import Address, Sender, Tool, ToolContext, tool
from bot.engine.calling import drawn
from tests.engine.house import House, ScriptedModel, calls, says


def transfer(done: list[str]) -> Sequence[Tool]:
    @tool(effect="once", needs_approval=True)
    async def pay(ctx: ToolContext, amount: str) -> str:
        """Send money.

        Args:
            ctx: Who asks.
            amount: How much.
        """
        done.append(amount)
        return f"paid {amount}"

    return [pay]


async def test_a_yes_that_comes_too_late_allows_nothing() -> None:
    done: list[str] = []
    model = ScriptedModel(calls(("pay", '{"amount": "5"}')))
    house = House(model, tools=transfer(done))
    async with house.open():
        await house.say("pay 5")
        await house.has_sent(1)
        await house.at_rest()
    house.clock.advance(301)
    again = House(model, clock=house.clock, store=house.store, tools=transfer(done))
    async with again.open():
        await again.say("yes", event_key="late")
        assert await again.has_sent(1) == ["you said: yes"]
    assert done == []


async def test_anything_else_that_its_person_says_takes_the_question_back() -> None:
    done: list[str] = []
    model = ScriptedModel(calls(("pay", '{"amount": "5"}')))
    async with House(model, tools=transfer(done)).open() as house:
        await house.say("pay 5")
        await house.has_sent(1)
        await house.at_rest()
        await house.say("/help")
        await house.has_sent(2)
        await house.at_rest()
        await house.say("yes")
        assert (await house.has_sent(3))[2] == "you said: yes"
        assert done == []


async def test_a_yes_in_another_conversation_allows_nothing() -> None:
    done: list[str] = []
    model = ScriptedModel(calls(("pay", '{"amount": "5"}')))
    async with House(model, tools=transfer(done)).open() as house:
        await house.say("pay 5")
        await house.has_sent(1)
        await house.at_rest()
        await house.say("yes", address=Address("list", "me", "elsewhere"))
        await house.has_sent(2)
        assert done == []


async def test_a_reply_with_several_calls_runs_none_of_them_before_the_yes() -> None:
    done: list[str] = []
    wanted = [("pay", '{"amount": "5"}'), ("pay", '{"amount": "6"}')]
    model = ScriptedModel(calls(*wanted), says("Paid 5."))
    async with House(model, tools=transfer(done)).open() as house:
        await house.say("pay 5 and 6")
        assert '"5"' in (await house.has_sent(1))[0]
        assert done == []
        await house.at_rest()
        await house.say("yes", sender=Sender("u1", "Ann"))
        assert (await house.has_sent(2))[1] == "Paid 5."
        assert done == ["5"]
        roles = [message.role.value for message in model.requests[-1].messages]
        assert roles == ["system", "user", "assistant", "user", "assistant", "tool"]


async def test_a_call_that_nobody_can_read_is_refused_and_not_asked_about() -> None:
    done: list[str] = []
    model = ScriptedModel(calls(("pay", '{"amount": "5"')), says("I could not."))
    async with House(model, tools=transfer(done)).open() as house:
        await house.say("pay 5")
        assert await house.has_sent(1) == ["I could not."]
        assert done == []


def test_arguments_are_drawn_on_one_line_with_everything_that_hides_written_out() -> None:
    assert drawn("") == "{}"
    assert drawn('{"a":\n"x\\n```\\nall fine"}') == '{"a": "x\\n```\\nall fine"}'
    assert drawn('{"a": 5, "a": 500}') == '{"a": 500}'
    assert drawn('{"to": "安娜\u202eecila"}') == '{"to": "安娜\\u202eecila"}'
    assert drawn('{"a": "\U000e0041"}') == '{"a": "\\udb40\\udc41"}'
    assert drawn("[" * 100_000) is None
    assert drawn("not json") is None
