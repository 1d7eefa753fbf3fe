"""More than a node can do: each platform is met with as much patience as it has itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot import Address, Kind, Patience, Sender, Transient
from bot.engine.lately import Refusals
from bot.policy.welcome import FEW, Lately
from tests.engine.house import RULES, Gate, House, ListPlatform, ScriptedModel
from tests.fakes import FakeClock

ONE = replace(RULES, node_limit=1)


class Patiently(ListPlatform):
    """A platform that says how patient it is."""

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self.patience = patience


def elsewhere(n: int = 1) -> dict[str, object]:
    """Somebody else, in a chat of their own."""
    return {"address": Address("list", "me", f"room{n}"), "sender": Sender(f"u{n}")}


async def busy(house: House, gate: Gate) -> None:
    """One conversation is answered, and that is enough."""
    await house.say("a long one")
    await gate.reached.wait()


async def test_a_platform_that_says_nothing_is_asked_to_keep_what_it_has() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate), rules=ONE).open() as house:
        await busy(house, gate)
        with pytest.raises(Transient) as refused:
            await house.say("me too", event_key="again", **elsewhere())
        assert refused.value.retry_after == timedelta(seconds=5)
        assert house.observer.named("rejected") == [
            {"adapter": "list", "why": "too much is waiting"}
        ]
        gate.let_go.set()
        await house.has_sent(1)
        await house.at_rest()
        await house.say("me too", event_key="again", **elsewhere())
        assert await house.has_sent(2) == ["done", "you said: me too"]


async def test_a_stop_makes_room_and_is_always_taken() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate), rules=ONE).open() as house:
        await busy(house, gate)
        await house.say("/stop", kind=Kind.COMMAND)
        await gate.closed.wait()
        await house.at_rest()


async def test_a_platform_that_loses_what_is_refused_is_answered_all_the_same() -> None:
    gate = Gate()
    platform = Patiently(Patience.NONE)
    async with House(ScriptedModel(gate), rules=ONE, platform=platform).open() as house:
        await busy(house, gate)
        await house.say("me too", **elsewhere())
        assert await house.has_sent(1) == ["you said: me too"]
        gate.let_go.set()
        assert await house.has_sent(2) == ["you said: me too", "done"]


async def test_one_that_minds_refusals_is_refused_first_and_then_told_that_we_are_busy() -> None:
    gate = Gate()
    platform = Patiently(Patience.FEW_REFUSALS)
    async with House(ScriptedModel(gate), rules=ONE, platform=platform).open() as house:
        await busy(house, gate)
        said = house.said("me too", **elsewhere())
        with pytest.raises(Transient):
            await house.receive(said)
        a_minute_ago = house.clock.now() - timedelta(minutes=1)
        later = replace(said, message=replace(said.message, sent_at=a_minute_ago))
        assert (await house.receive(later)).new
        assert (await house.has_sent(1))[0].startswith("I have too much waiting")
        assert len(house.model.requests) == 1


async def test_refusals_that_are_no_longer_few_become_a_sentence() -> None:
    gate = Gate()
    platform = Patiently(Patience.FEW_REFUSALS)
    async with House(ScriptedModel(gate), rules=ONE, platform=platform).open() as house:
        await busy(house, gate)
        for n in range(FEW):
            with pytest.raises(Transient):
                await house.say("me too", **elsewhere(n))
        await house.say("me too", **elsewhere())
        assert (await house.has_sent(1))[0].startswith("I have too much waiting")


def test_refusals_are_forgotten_after_an_hour() -> None:
    clock = FakeClock()
    refusals = Refusals(clock)
    for refused in (True, False, False):
        refusals.count(refused=refused)
        clock.advance(1)
    assert refusals.lately() == Lately(3, 1)
    clock.advance(1800)
    refusals.count(refused=True)
    clock.advance(1800)
    assert refusals.lately() == Lately(1, 1)
    clock.advance(1800)
    assert refusals.lately() == Lately()
