"""Sessions end by idleness or by command, and nothing depends on whether the sweep came by."""

from datetime import timedelta

from bot import Kind, Sender
from tests.engine.house import Gate, House, ScriptedModel

HOUR = 3600.0


async def dialogue(*, sweeps: bool) -> list[list[str]]:
    """The prompts of one dialogue with pauses of different lengths."""
    model = ScriptedModel()
    house = House(model, audience={"idle": timedelta(hours=2)})
    for number, (pause, text) in enumerate(
        [(0.0, "one"), (HOUR, "two"), (2 * HOUR, "three"), (1.9 * HOUR, "four"), (9 * HOUR, "five")]
    ):
        house.clock.advance(pause / 2)
        if sweeps:
            await house.engine.sessions.sweep()
        house.clock.advance(pause / 2)
        if sweeps:
            await house.engine.sessions.sweep()
        # a long pause outlives the lease that a test's standing clock never renews
        again = House(model, clock=house.clock, store=house.store, platform=house.platform)
        again._count = number
        async with again.open():
            await again.say(text)
            await again.has_sent(number + 1)
            await again.at_rest()
    return [[message.text for message in request.messages] for request in model.requests]


async def test_the_same_dialogue_gives_the_same_prompts_with_the_schedule_and_without() -> None:
    with_sweeps, without = await dialogue(sweeps=True), await dialogue(sweeps=False)
    assert with_sweeps == without
    assert [len(prompt) for prompt in without] == [2, 4, 2, 4, 2]


async def test_the_sweep_ends_a_session_once_and_leaves_lanes_with_work_alone() -> None:
    house = House(ScriptedModel())
    async with house.open():
        await house.say("hello")
        await house.has_sent(1)
        await house.at_rest()
    await house.say("waiting for nobody", address=house.said("x").address)
    house.clock.advance(3 * HOUR)
    assert await house.engine.sessions.sweep() == 0
    again = House(house.model, clock=house.clock, store=house.store, platform=house.platform)
    async with again.open():
        await again.has_sent(2)
        await again.at_rest()
    house.clock.advance(3 * HOUR)
    assert await house.engine.sessions.sweep() == 1
    assert await house.engine.sessions.sweep() == 0


async def test_forget_deletes_what_was_said_and_says_so_afterwards() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("my secret is 42")
        await house.has_sent(1)
        await house.say("忘记我", sender=Sender("u1", locale="zh"))
        assert (await house.has_sent(2))[1].startswith("完成")
        await house.say("what was it?")
        await house.has_sent(3)
        prompt = [message.text for message in house.model.requests[-1].messages]
        assert not any("42" in text for text in prompt)


async def test_a_question_behind_the_order_to_forget_is_answered() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("my secret is 42")
        await gate.reached.wait()
        await house.say("/forget", kind=Kind.COMMAND)
        await house.say("what was it?")
        gate.let_go.set()
        first, done, answer = await house.has_sent(3)
        assert first == "done"
        assert done.startswith("Done")
        assert answer == "you said: what was it?"
        assert not any("42" in message.text for message in house.model.requests[-1].messages)


async def test_in_a_group_forget_takes_only_the_senders_own_lines() -> None:
    ann, bob = Sender("a", "Ann"), Sender("b", "Bob")
    async with House(ScriptedModel()).open() as house:
        await house.say("ann's secret", sender=ann, direct=False)
        await house.has_sent(1)
        await house.say("bob's words", sender=bob, direct=False)
        await house.has_sent(2)
        await house.say("/forget", sender=ann, direct=False, kind=Kind.COMMAND)
        await house.has_sent(3)
        await house.say("and?", sender=bob, direct=False)
        await house.has_sent(4)
        prompt = "\n".join(message.text for message in house.model.requests[-1].messages)
        assert "ann's secret" not in prompt
        assert "bob's words" in prompt


async def test_usage_and_help_are_answered_without_a_model() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("hi")
        await house.has_sent(1)
        await house.say("/usage", kind=Kind.COMMAND)
        assert "answers 1" in (await house.has_sent(2))[1]
        await house.say("帮助", sender=Sender("u1", locale="zh"))
        assert "/forget" in (await house.has_sent(3))[2]
        assert len(house.model.requests) == 1


async def test_only_an_operator_begins_a_new_conversation_in_a_group() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("/new", direct=False, kind=Kind.COMMAND)
        assert "only an operator" in (await house.has_sent(1))[0]
