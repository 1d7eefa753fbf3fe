"""A step of the journal that cannot be read ends its turn at most, and not the conversation."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.store.memory import MemoryStore
from tests.engine.house import Gate, House, ScriptedModel, says
from tests.engine.test_journal import PAY, Till, told


@asynccontextmanager
async def taken_over(dead: House, till: Till, *illegible: int) -> AsyncGenerator[House, None]:
    """The house that goes on with a dead one's turn; these of its steps cannot be read."""
    assert isinstance(dead.store, MemoryStore)
    (steps,) = dead.store._rows.steps.values()
    steps |= {n: replace(steps[n], body="no json") for n in illegible}
    house = House(dead.model, clock=dead.clock, store=dead.store, tools=till.tools)
    async with house.open():
        yield house


async def test_a_reply_that_cannot_be_read_ends_its_turn_and_the_next_message_is_answered() -> None:
    till, gate = Till(), Gate()
    till.release.set()
    house = House(ScriptedModel(PAY, gate), tools=till.tools)
    async with house.open():
        await house.say("pay")
        await gate.reached.wait()
    async with taken_over(house, till, 1) as again:
        (text,) = await again.has_sent(1)
        assert "went wrong" in text
        assert "had done this already: pay" in text
        await again.say("and now?", event_key="next")
        assert (await again.has_sent(2))[1] == "you said: and now?"
    assert len(till.keys) == 1


async def test_who_asked_is_told_of_a_call_that_was_begun_by_a_reply_that_cannot_be_read() -> None:
    till = Till()
    house = House(ScriptedModel(PAY), tools=till.tools)
    async with house.open():
        await house.say("pay")
        await till.begun.wait()
        async with taken_over(house, till, 1) as again:
            (text,) = await again.has_sent(1)
            assert "cannot tell whether it was done" in text
            await again.at_rest()
        till.release.set()
    assert [one.key for one in await house.store.unsure_calls()] == till.keys


async def test_a_call_whose_result_cannot_be_read_is_asked_about_and_not_made_again() -> None:
    async def lookup(key: str) -> str:
        return f"paid under {key}"

    till, gate = Till(lookup), Gate()
    till.release.set()
    house = House(ScriptedModel(PAY, gate, says("Paid.")), tools=till.tools)
    async with house.open():
        await house.say("pay")
        await gate.reached.wait()
    async with taken_over(house, till, 2) as again:
        assert await again.has_sent(1) == ["Paid."]
        assert told(again) == f"paid under {till.keys[0]}"
    assert len(till.keys) == 1
