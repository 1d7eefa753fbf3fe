"""A run that ended because the database was away was no crash; one before it is not forgiven."""

from typing import Any

import pytest

from bot import Transient
from tests.engine.house import Gate, House, ScriptedModel, calls
from tests.engine.test_crashes import Faulty, faulty, passing
from tests.engine.test_lane import begun
from tests.engine.test_quarantine import Deadly, again
from tests.engine.test_runner import AwayStore
from tests.fakes import FakeClock, until

GAVE_UP = "something went wrong each time"


def next_process(house: House) -> House:
    return House(house.model, clock=house.clock, store=house.store, platform=house.platform)


async def crash(house: House, gate: Gate) -> House:
    """The process ends while this gate's turn runs; the one after it, not begun yet."""
    async with house.open():
        await begun(gate, house.clock)
    return next_process(house)


async def crashed(times: int) -> tuple[House, Faulty, Gate]:
    """A message that was in flight at so many crashes; the gate of its next run."""
    gates = [Gate() for _ in range(times + 1)]
    house, store = faulty(ScriptedModel(*gates))
    await house.say("poison")
    for gate in gates[:times]:
        house = await crash(house, gate)
    return house, store, gates[times]


@pytest.mark.parametrize("call", ["head", "start"])
async def test_a_database_that_fails_as_a_message_is_given_up_brings_it_no_further_run(
    call: str,
) -> None:
    deadly = Deadly()
    house, store = faulty(ScriptedModel(calls(("deadly", "{}"))), tools=deadly.tools)
    await house.say("be deadly")
    for _ in range(3):
        async with house.open():
            await deadly.begun.wait()
        deadly.begun.clear()
        house = again(house, deadly)
    store.faults[call] = [Transient("away")]
    async with house.open():
        await passing(house, lambda: house.platform.sent or deadly.begun.is_set())
        assert not deadly.begun.is_set()
        assert GAVE_UP in house.platform.texts[0]


async def test_a_run_whose_beginning_was_not_written_makes_no_crash_before_it_undone() -> None:
    house, store, gate = await crashed(2)
    store.faults["start"] = [Transient("away")]
    house = await crash(house, gate)
    async with house.open():
        await passing(house, lambda: house.platform.sent)
        assert GAVE_UP in house.platform.texts[0]


async def test_a_run_whose_beginning_was_written_unheard_is_no_crash_however_often() -> None:
    house, store = faulty(ScriptedModel())
    start = store.start

    async def lost(*args: Any) -> None:
        await start(*args)
        raise Transient("the answer was lost")

    store.stands_in["start"] = [lost] * 4
    async with house.open():
        await house.say("hello")
        await passing(house, lambda: house.platform.sent)
        assert house.platform.texts == ["you said: hello"]
        assert store.stands_in["start"] == []


async def test_a_third_run_that_only_the_database_ended_is_not_the_last_one() -> None:
    clock = FakeClock()
    store = AwayStore(clock)
    gates = [Gate(), Gate(), Gate()]
    house = House(ScriptedModel(*gates), clock=clock, store=store)
    await house.say("hello")
    for gate in gates[:2]:
        house = await crash(house, gate)
    async with house.open():
        await begun(gates[2], clock)
        store.away = True
        await passing(house, gates[2].closed.is_set)
        store.away = False
        await passing(house, lambda: house.platform.sent)
        assert house.platform.texts == ["you said: hello"]


async def test_a_run_that_breaks_of_itself_is_not_forgiven_because_the_next_look_fails() -> None:
    house, store, gate = await crashed(2)
    store.faults["finish"] = [RuntimeError("a bug")]
    store.faults["head"] = [None, None, Transient("away")]
    async with house.open():
        await begun(gate, house.clock)
        gate.let_go.set()
        await until(lambda: not store.faults["finish"])
        await passing(house, lambda: house.platform.sent)
        assert GAVE_UP in house.platform.texts[0]
        assert store.faults["head"] == []
