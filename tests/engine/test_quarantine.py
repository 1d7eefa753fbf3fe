"""Three crashes are the end of what caused them, not of what was in flight beside it."""

import asyncio

import pytest

from bot import Address, tool
from bot.engine.quarantine import FIRST_LOOK, LONGEST
from tests.engine.house import Gate, House, ListPlatform, ScriptedModel, calls
from tests.engine.test_lane import begun
from tests.fakes import until

OTHER = Address("list", "me", "another room")


class Deadly:
    """A call that is under way whenever the process ends."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

        @tool
        async def deadly() -> str:
            """End the process."""
            self.begun.set()
            await asyncio.Event().wait()
            return "never"

        self.tools = [deadly]


async def crash_twice(deadly: Deadly) -> House:
    """Two processes end with the deadly call and somebody else's turn in flight."""
    model = ScriptedModel(Gate(), calls(("deadly", "{}")), Gate())
    house = House(model, tools=deadly.tools, platform=ListPlatform())
    async with house.open():
        await house.say("be patient", address=OTHER)
        await until(lambda: model.open == 1)
        await house.say("be deadly")
        await deadly.begun.wait()
    deadly.begun.clear()
    house = again(house, deadly)
    async with house.open():
        await deadly.begun.wait()
        await until(lambda: model.open == 1)
    deadly.begun.clear()
    return again(house, deadly)


def again(house: House, deadly: Deadly) -> House:
    return House(
        house.model,
        tools=deadly.tools,
        clock=house.clock,
        store=house.store,
        platform=house.platform,
    )


def attempts(house: House) -> list[tuple[int, int]]:
    return [(fact["turn"], fact["attempt"]) for fact in house.observer.named("turn_started")]


async def test_what_had_a_call_under_way_runs_first_and_alone_is_counted_when_it_crashes() -> None:
    deadly = Deadly()
    house = await crash_twice(deadly)
    async with house.open():
        await deadly.begun.wait()
        house.clock.advance(FIRST_LOOK * 2)
        for _ in range(50):
            await asyncio.sleep(0)
        assert attempts(house) == [(2, 3)]
    last = again(house, deadly)
    gate = Gate(after="answered after all")
    last.model.scripts = [gate]
    async with last.open():
        assert "gave up" in (await last.has_sent(1))[0]
        await begun(gate, last.clock)
        gate.let_go.set()
        assert (await last.has_sent(2))[1] == "answered after all"
    assert [fact["messages"] for fact in last.observer.named("gave_up")] == [1]


@pytest.mark.parametrize("waited", [LONGEST + FIRST_LOOK])
async def test_nobody_waits_for_ever_for_a_call_that_only_takes_long(waited: float) -> None:
    deadly = Deadly()
    house = await crash_twice(deadly)
    gate = Gate(after="meanwhile")
    house.model.scripts = [gate]
    gate.let_go.set()
    async with house.open():
        await deadly.begun.wait()
        await begun(gate, house.clock)
        assert await house.has_sent(1) == ["meanwhile"]
        assert house.clock.monotonic() <= waited * 2
