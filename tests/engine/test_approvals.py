"""A call that needs its person's yes: asked as it will be run, and run as it was asked."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta

import pytest
from pydantic import BaseModel, field_validator

from bot import Address, Ambiguous, Kind, Outbound, Sender, Tool, ToolContext, Transient, tool
from bot.domain.message import ToolResult
from bot.domain.model import Delta, Request, TextDelta
from bot.engine.calling import drawn
from tests.engine.house import Gate, House, ListPlatform, Script, ScriptedModel, calls, echo, says
from tests.engine.test_crashes import passing
from tests.fakes import until

PAY = ("pay", '{"amount": "5"}')


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


def thinks(gate: Gate, *wanted: tuple[str, str]) -> Script:
    """A reply that asks for functions once the gate is opened."""

    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        gate.reached.set()
        await gate.let_go.wait()
        async for delta in calls(*wanted)(request):
            yield delta

    return script


def told_of(*wanted: tuple[str, str]) -> Script:
    """A reply that says something before it asks for functions."""

    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        yield TextDelta("I would do this.")
        for _ in range(30):
            await asyncio.sleep(0)  # until it is on the screen
        async for delta in calls(*wanted)(request):
            yield delta

    return script


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


async def test_a_yes_from_before_the_question_allows_nothing_and_the_question_stays() -> None:
    done: list[str] = []
    gate = Gate()
    model = ScriptedModel(thinks(gate, PAY), echo, says("Paid 5."))
    async with House(model, tools=transfer(done)).open() as house:
        await house.say("pay 5")
        await gate.reached.wait()
        await house.say("yes")
        house.clock.advance(1)
        gate.let_go.set()
        question, answer = await house.has_sent(2)
        assert '"5"' in question
        assert answer == "you said: yes"
        await house.at_rest()
        assert done == []
        await house.say("yes")
        assert (await house.has_sent(3))[2] == "Paid 5."
        assert done == ["5"]


async def test_a_command_from_before_the_question_does_not_take_it_back() -> None:
    done: list[str] = []
    gate = Gate()
    model = ScriptedModel(thinks(gate, PAY), says("Paid 5."))
    async with House(model, tools=transfer(done)).open() as house:
        await house.say("pay 5")
        await gate.reached.wait()
        await house.say("/help")
        house.clock.advance(1)
        gate.let_go.set()
        await house.has_sent(2)
        await house.at_rest()
        await house.say("yes")
        assert (await house.has_sent(3))[2] == "Paid 5."
        assert done == ["5"]


async def test_a_yes_from_before_the_question_was_shown_allows_nothing() -> None:
    done: list[str] = []
    model = ScriptedModel(calls(PAY), echo, says("Paid 5."))
    house = House(model, tools=transfer(done))
    on_the_wire, let_go = asyncio.Event(), asyncio.Event()

    async def slowly(piece: Outbound) -> None:
        on_the_wire.set()
        await let_go.wait()

    house.platform.before_send = slowly
    async with house.open():
        await house.say("pay 5")
        await on_the_wire.wait()
        await house.say("yes")
        house.clock.advance(1)
        let_go.set()
        assert (await house.has_sent(2))[1] == "you said: yes"
        await house.at_rest()
        assert done == []
        await house.say("yes")
        assert (await house.has_sent(3))[2] == "Paid 5."
        assert done == ["5"]


async def test_the_questions_own_button_allows_the_call_before_we_know_that_it_was_shown() -> None:
    done: list[str] = []
    house = House(ScriptedModel(calls(PAY), says("Paid 5.")), tools=transfer(done))
    on_the_wire, let_go = asyncio.Event(), asyncio.Event()

    async def slowly(piece: Outbound) -> None:
        on_the_wire.set()
        await let_go.wait()

    house.platform.before_send = slowly
    async with house.open():
        await house.say("pay 5")
        await on_the_wire.wait()
        await house.say("Yes", kind=Kind.BUTTON, reply_to="m1")
        house.clock.advance(1)
        let_go.set()
        assert (await house.has_sent(2))[1] == "Paid 5."
        assert done == ["5"]


async def test_the_button_of_a_question_that_is_still_being_edited_allows_the_call() -> None:
    done: list[str] = []
    platform = ListPlatform(drafts="message")
    model = ScriptedModel(told_of(PAY), says("Paid 5."))
    house = House(model, tools=transfer(done), platform=platform)
    # The edit came through, and its answer did not: it is to be made again.
    platform.faults = [Transient("no answer", retry_after=timedelta(seconds=5))]
    async with house.open():
        await house.say("pay 5")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        (draft,) = platform.drafts
        assert draft.sent is not None
        await house.say("Yes", kind=Kind.BUTTON, reply_to=draft.sent.platform_id)
        await until(lambda: done)
        await passing(house, lambda: len(platform.sent) > 1)
        assert platform.texts[1] == "Paid 5."
        assert done == ["5"]


async def test_a_yes_that_waits_behind_something_older_is_an_answer_all_the_same() -> None:
    done: list[str] = []
    gate = Gate()
    model = ScriptedModel(thinks(gate, PAY), echo, says("Paid 5."))
    house = House(model, tools=transfer(done))
    async with house.open():
        await house.say("pay 5")
        await gate.reached.wait()
        await house.say("please hurry")
        house.clock.advance(1)
        draining = asyncio.ensure_future(house.engine.runner.drain(timedelta(seconds=5)))
        await until(lambda: house.engine.runner.draining)
        gate.let_go.set()
        assert await draining
    assert len(house.platform.texts) == 1
    again = House(model, clock=house.clock, store=house.store, tools=transfer(done))
    await again.say("yes", event_key="later")
    async with again.open():
        assert await again.has_sent(2) == ["you said: please hurry", "Paid 5."]
    assert done == ["5"]


async def test_a_button_answers_only_the_question_that_it_stands_under() -> None:
    done: list[str] = []
    pays = ("pay", '{"amount": "6"}')
    model = ScriptedModel(calls(PAY), says("As you like."), calls(pays), echo, says("Paid 6."))
    async with House(model, tools=transfer(done)).open() as house:
        for n, text in enumerate(("pay 5", "never mind", "pay 6"), 1):
            await house.say(text)
            await house.has_sent(n)
            await house.at_rest()
        await house.say("Yes", kind=Kind.BUTTON, reply_to="m1")
        assert (await house.has_sent(4))[3] == "you said: Yes"
        await house.at_rest()
        assert done == []
        await house.say("Yes", kind=Kind.BUTTON, reply_to="m3")
        assert (await house.has_sent(5))[4] == "Paid 6."
        assert done == ["6"]


async def test_a_button_under_a_copy_that_nobody_knows_of_answers_its_question() -> None:
    done: list[str] = []
    model = ScriptedModel(calls(PAY), says("Paid 5."))
    house = House(model, tools=transfer(done))
    house.platform.faults = [Ambiguous("lost")]
    async with house.open():
        await house.say("pay 5")
        await house.has_sent(1)
        await house.at_rest()
        await house.say("Yes", kind=Kind.BUTTON, reply_to="the lost one")
        assert (await house.has_sent(2))[1] == "Paid 5."
        assert done == ["5"]


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


def payments(done: list[tuple[str, float]], usual: float = 100.0) -> Sequence[Tool]:
    @tool(effect="once", needs_approval=True)
    async def pay(to: str, amount: float = usual) -> str:
        """Send money.

        Args:
            to: Who gets it.
            amount: How much.
        """
        done.append((to, amount))
        return f"paid {amount:g}"

    return [pay]


async def test_a_question_shows_what_the_model_left_to_a_default() -> None:
    done: list[tuple[str, float]] = []
    model = ScriptedModel(calls(("pay", '{"to": "Bob"}')), says("Paid."))
    house = House(model, tools=payments(done))
    async with house.open():
        await house.say("pay Bob")
        assert '{"to": "Bob", "amount": 100.0}' in (await house.has_sent(1))[0]
        await house.at_rest()
    # What was shown is what is paid, whatever the default has become since.
    tools = payments(done, usual=500.0)
    again = House(model, clock=house.clock, store=house.store, tools=tools)
    async with again.open():
        await again.say("yes", event_key="yes")
        assert await again.has_sent(1) == ["Paid."]
    assert done == [("Bob", 100.0)]


class OrderPatch(BaseModel):
    """What of an order is to change: what is not set stays."""

    address: str | None = None
    gift: bool = False


def patching(done: list[object]) -> Sequence[Tool]:
    """The same function twice: with a signature, and built from a model of parameters."""

    @tool(name="patch", effect="once", needs_approval=True)
    async def patch(patch: OrderPatch, order: str = "the last") -> str:
        """Change an order.

        Args:
            patch: What is new.
            order: Which one.
        """
        done.append(patch.model_dump(exclude_unset=True))
        return "changed"

    async def change(ctx: ToolContext, patch: OrderPatch) -> str:
        done.append(patch.model_dump(exclude_unset=True))
        return f"changed for {ctx.sender}"

    built = Tool.build(
        name="change",
        description="Change the last order.",
        parameters=OrderPatch,
        function=change,
        effect="once",
        needs_approval=True,
    )
    return [patch, built]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (
            ("patch", '{"patch": {"address": "here"}}'),
            '{"patch": {"address": "here", "gift": false}, "order": "the last"}',
        ),
        (("change", '{"address": "here"}'), '{"address": "here", "gift": false}'),
    ],
    ids=["nested", "built"],
)
async def test_a_question_shows_all_and_a_yes_sets_only_what_the_model_has_set(
    wanted: tuple[str, str], shown: str
) -> None:
    done: list[object] = []
    model = ScriptedModel(calls(wanted), says("Done."))
    async with House(model, tools=patching(done)).open() as house:
        await house.say("send it here")
        assert shown in (await house.has_sent(1))[0]
        await house.at_rest()
        await house.say("yes")
        assert (await house.has_sent(2))[1] == "Done."
    assert done == [{"address": "here"}]


async def test_arguments_that_the_function_would_not_take_go_back_to_the_model_unasked() -> None:
    done: list[tuple[str, float]] = []
    wrong, right = '{"to": "Bob", "amount": "much"}', '{"to": "Bob", "amount": "5"}'
    model = ScriptedModel(calls(("pay", wrong)), calls(("pay", right)), says("Paid."))
    async with House(model, tools=payments(done)).open() as house:
        await house.say("pay Bob")
        assert '{"to": "Bob", "amount": 5.0}' in (await house.has_sent(1))[0]
        (told,) = model.requests[-1].messages[-1].parts
        assert isinstance(told, ToolResult)
        assert told.failed
        assert told.text.startswith("amount: Input should be a valid number")
        await house.at_rest()
        await house.say("yes")
        assert (await house.has_sent(2))[1] == "Paid."
    assert done == [("Bob", 5.0)]


async def test_a_check_of_arguments_that_breaks_is_a_call_that_fails() -> None:
    class Account(BaseModel):
        number: str

        @field_validator("number")
        @classmethod
        def check(cls, number: str) -> str:
            raise RuntimeError(f"secret canary {number}")

    async def close(ctx: ToolContext, account: Account) -> str:
        raise AssertionError(f"{account} for {ctx.sender}")

    built = Tool.build(
        name="close",
        description="Close an account.",
        parameters=Account,
        function=close,
        effect="once",
        needs_approval=True,
    )
    model = ScriptedModel(calls(("close", '{"number": "1"}')), says("I could not."))
    async with House(model, tools=[built]).open() as house:
        await house.say("close it")
        assert await house.has_sent(1) == ["I could not."]
        (told,) = model.requests[-1].messages[-1].parts
        assert isinstance(told, ToolResult)
        assert told.text == "close failed; go on without it."
        assert {fact["place"] for fact in house.observer.named("failed")} == {"tool close"}


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
