"""What may cut a turn that runs: never what gets no answer itself, nor what lies before it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import Inbound, Kind, Patience, Sender, Transient, tool
from bot.domain.message import Image, Text
from bot.domain.records import Accepted
from bot.store.memory import MemoryStore
from tests.engine.house import RULES, Gate, House, ScriptedModel, calls
from tests.engine.test_crashes import passing
from tests.engine.test_lane import begun
from tests.engine.test_overload import Patiently
from tests.engine.test_two_nodes import nodes
from tests.fakes import FakeClock

INTERRUPTS = replace(RULES, interrupts=True)


def picture(house: House) -> Inbound:
    """A message that no model can make anything of."""
    said = house.said("")
    return replace(said, message=replace(said.message, parts=(Image("file-1"),)))


def long_text(house: House) -> Inbound:
    return house.said("x" * 101)


@pytest.mark.parametrize(
    ("second", "told"),
    [(picture, "I cannot read"), (long_text, "too long for me")],
    ids=["unreadable", "too_long"],
)
async def test_what_gets_no_turn_of_its_own_does_not_cut_the_one_before_it(
    second: Callable[[House], Inbound], told: str
) -> None:
    gate = Gate(after="it costs nothing")
    rules = replace(INTERRUPTS, max_characters=100)
    async with House(ScriptedModel(gate), rules=rules).open() as house:
        await house.say("What does it cost?")
        await gate.reached.wait()
        await house.receive(second(house))
        gate.let_go.set()
        first, then = await house.has_sent(2)
        assert first == "it costs nothing"
        assert told in then


async def test_what_is_taken_only_to_be_told_that_much_is_waiting_does_not_cut_a_turn() -> None:
    gate = Gate(after="it costs nothing")
    platform = Patiently(Patience.FEW_REFUSALS)
    rules = replace(INTERRUPTS, node_limit=1)
    async with House(ScriptedModel(gate), rules=rules, platform=platform).open() as house:
        await house.say("What does it cost?")
        await gate.reached.wait()
        await house.say("And this?", kind=Kind.BUTTON)  # it comes once, and cannot be refused
        gate.let_go.set()
        first, then = await house.has_sent(2)
        assert first == "it costs nothing"
        assert "too much waiting" in then


async def test_what_gets_no_turn_does_not_cut_one_on_another_node_either() -> None:
    gate = Gate(after="it costs nothing")
    async with nodes(gate, interrupts=True) as both:
        await both.y.say("What does it cost?")
        await gate.reached.wait()
        await both.x.receive(picture(both.x))
        await both.until(lambda: both.clock.monotonic() > 3, within=4)
        gate.let_go.set()
        await both.until(lambda: len(both.y.platform.sent) == 2, within=2)
        assert both.y.platform.texts[0] == "it costs nothing"


async def test_a_picture_that_says_something_cuts_a_turn_as_a_text_does() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate), rules=INTERRUPTS).open() as house:
        await house.say("What does it cost?")
        await gate.reached.wait()
        said = house.said("this one")
        parts = (Image("file-1"), Text("this one"))
        await house.receive(replace(said, message=replace(said.message, parts=parts)))
        await gate.closed.wait()
        assert await house.has_sent(1) == ["you said: this one"]


async def test_who_takes_back_what_cut_an_answer_is_told_that_it_was_cut() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate), rules=INTERRUPTS).open() as house:
        await house.say("What does it cost?")
        await gate.reached.wait()
        await house.say("And this?", platform_id="q", album="a")  # waits for its other pictures
        await gate.closed.wait()
        await house.say("", platform_id="q", kind=Kind.RECALLED)
        (told,) = await house.has_sent(1)
        assert told.startswith("I stopped when your next message came")
        await house.at_rest()
        assert len(house.platform.sent) == 1


async def test_what_is_taken_back_while_another_message_waits_needs_no_word_of_it() -> None:
    gates = [Gate(), Gate(after="both")]
    async with House(ScriptedModel(*gates), rules=INTERRUPTS).open() as house:
        await house.say("What does it cost?")
        await gates[0].reached.wait()
        await house.say("And this?", album="a")
        await gates[0].closed.wait()
        await house.say("Or that?", platform_id="q", album="a")
        await house.say("", platform_id="q", kind=Kind.RECALLED)
        await begun(gates[1], house.clock)
        gates[1].let_go.set()
        assert await house.has_sent(1) == ["both"]
        await house.at_rest()
        assert len(house.platform.sent) == 1


async def test_who_takes_back_a_later_message_is_not_told_of_the_cut_once_more() -> None:
    gate = Gate()
    rules = replace(INTERRUPTS, limits=replace(RULES.limits, gather=timedelta(seconds=5)))
    async with House(ScriptedModel(gate), rules=rules).open() as house:
        await house.say("What does it cost?")
        await begun(gate, house.clock)
        await house.say("And this?", platform_id="b")
        await gate.closed.wait()
        await house.say("", platform_id="b", kind=Kind.RECALLED)
        (told,) = await house.has_sent(1)
        assert told.startswith("I stopped when your next message came")
        await house.at_rest()
        await house.say("Never mind", platform_id="c")
        await house.say("", platform_id="c", kind=Kind.RECALLED)
        await house.at_rest()
        await house.say("Hello")
        await passing(house, lambda: len(house.platform.sent) > 1)
        assert house.platform.texts[1:] == ["you said: Hello"]
        known = [message.text for message in house.model.requests[-1].messages[1:]]
        assert known == ["What does it cost?", told, "Hello"]


BOB = Sender("u2", "Bob")


async def test_in_a_group_who_was_cut_is_told_although_somebody_else_waits() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate), rules=INTERRUPTS).open() as house:
        await house.say("What does it cost?", direct=False)
        await gate.reached.wait()
        await house.say("And this?", platform_id="q", album="a", direct=False)
        await gate.closed.wait()
        await house.say("What about me?", sender=BOB, direct=False)
        await house.say("", platform_id="q", kind=Kind.RECALLED, direct=False)
        await passing(house, lambda: len(house.platform.sent) > 1)
        told, answer = house.platform.texts
        assert told.startswith("I stopped when your next message came")
        assert "What about me?" in answer


async def test_in_a_group_who_was_not_cut_is_not_told_so() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate), rules=INTERRUPTS).open() as house:
        await house.say("What does it cost?", direct=False)
        await gate.reached.wait()
        await house.say("And this?", album="a", direct=False)
        await gate.closed.wait()
        await house.say("What about me?", platform_id="q", sender=BOB, direct=False)
        await house.say("", platform_id="q", kind=Kind.RECALLED, sender=BOB, direct=False)
        await passing(house, lambda: house.platform.sent)
        assert "And this?" in house.platform.texts[0]


async def test_who_was_cut_while_a_function_gave_its_result_is_told_so_as_well() -> None:
    @tool
    async def price() -> str:
        """Say what it costs."""
        return "nothing"

    gate = Gate()
    model = ScriptedModel(calls(("price", "{}")), gate)
    async with House(model, rules=INTERRUPTS, tools=[price]).open() as house:
        await house.say("What does it cost?")
        await gate.reached.wait()
        await house.say("And this?", platform_id="q", album="a")
        await gate.closed.wait()
        await house.say("", platform_id="q", kind=Kind.RECALLED)
        (told,) = await house.has_sent(1)
        assert told.startswith("I stopped when your next message came")


# ---- what is known to be accepted only after its turn has begun -------------------------------


class LateWord(MemoryStore):
    """Stores at once what contains `late`, and says so when a test lets it."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.late = "late"
        self.stored, self.heard_of = asyncio.Event(), asyncio.Event()

    async def accept(self, inbound: Inbound, *args: Any, **values: Any) -> Accepted:
        accepted = await super().accept(inbound, *args, **values)
        if self.late in inbound.text:
            self.stored.set()
            await self.heard_of.wait()
        return accepted


@asynccontextmanager
async def late_words(
    *gates: Gate, late: str
) -> AsyncIterator[tuple[House, LateWord, Callable[[], "asyncio.Task[None]"]]]:
    """A house where one turn runs, its store, and what says the words that are accepted late."""
    clock = FakeClock()
    store = LateWord(clock)
    store.late = late
    house = House(ScriptedModel(*gates), clock=clock, store=store, rules=INTERRUPTS)
    async with house.open(), asyncio.TaskGroup() as group:
        await house.say("one")
        await gates[0].reached.wait()
        yield house, store, lambda: group.create_task(house.say(late))


async def test_a_message_does_not_cut_the_turn_that_answers_it() -> None:
    gates = [Gate(after="first"), Gate(after="second")]
    async with late_words(*gates, late="two") as (house, store, say):
        said = say()
        await store.stored.wait()
        gates[0].let_go.set()
        await gates[1].reached.wait()
        store.heard_of.set()
        await said
        gates[1].let_go.set()
        assert await house.has_sent(2) == ["first", "second"]


async def test_a_message_that_is_accepted_late_still_cuts_the_turn_before_it() -> None:
    gate = Gate()
    async with late_words(gate, late="two") as (house, store, say):
        said = say()
        await store.stored.wait()
        store.heard_of.set()
        await said
        await gate.closed.wait()
        assert await house.has_sent(1) == ["you said: two"]


async def test_a_stop_that_was_answered_already_stops_nothing_after_it() -> None:
    gates = [Gate(after="first"), Gate(after="third")]
    async with late_words(*gates, late="/stop") as (house, store, say):
        said = say()
        await store.stored.wait()
        gates[0].let_go.set()
        assert await house.has_sent(2) == ["first", "Nothing is running here."]
        await house.say("three")
        await gates[1].reached.wait()
        store.heard_of.set()
        await said
        gates[1].let_go.set()
        assert (await house.has_sent(3))[2] == "third"
        await house.at_rest()
        assert len(house.platform.sent) == 3


# ---- an order that has to be brought twice ----------------------------------------------------


class LostWord(MemoryStore):
    """Stores the first /stop, and its word that it did is lost."""

    lost = False

    async def accept(self, inbound: Inbound, *args: Any, **values: Any) -> Accepted:
        accepted = await super().accept(inbound, *args, **values)
        if inbound.text == "/stop" and not self.lost:
            self.lost = True
            raise Transient("the connection broke")
        return accepted


async def test_a_stop_whose_acceptance_was_never_heard_of_acts_when_it_comes_again() -> None:
    clock, gate = FakeClock(), Gate(before="so far")
    house = House(ScriptedModel(gate), clock=clock, store=LostWord(clock))
    async with house.open():
        await house.say("tell me")
        await gate.reached.wait()
        stop = house.said("/stop", kind=Kind.COMMAND)
        with pytest.raises(Transient):
            await house.receive(stop)
        again = await house.receive(stop)
        assert not again.new
        assert await house.has_sent(1) == ["so far\n\n(stopped)"]
        await house.at_rest()
        assert len(house.platform.sent) == 1


async def test_a_stop_that_comes_again_later_stops_nothing_after_it() -> None:
    gates = [Gate(before="so far"), Gate(after="the next one")]
    async with House(ScriptedModel(*gates)).open() as house:
        await house.say("tell me")
        await gates[0].reached.wait()
        stop = house.said("/stop", kind=Kind.COMMAND)
        await house.receive(stop)
        await house.has_sent(1)
        await house.say("something else")
        await gates[1].reached.wait()
        await house.receive(stop)
        gates[1].let_go.set()
        assert await house.has_sent(2) == ["so far\n\n(stopped)", "the next one"]
        await house.at_rest()
        assert len(house.platform.sent) == 2
