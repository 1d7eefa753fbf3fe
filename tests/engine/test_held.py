"""What a platform holds back waits for the person, whole, and so does what stands behind it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from bot import Held, Kind, Transient
from bot.domain.records import Claim, OutboxRow, OutboxState
from bot.store.memory import MemoryStore
from tests.engine.house import Gate, House, ListPlatform, ScriptedModel, says
from tests.engine.test_slots import replied
from tests.fakes import FakeClock, until

WEEK = timedelta(days=7)
TWO_HOURS = 2 * 3600.0
"""More than `outbox.expires` in these tests, and much less than `outbox.hold`."""


class Stumbling(MemoryStore):
    """A store that loses its connection while it takes a piece; `lost` is set then."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.stumbles = False
        self.lost = asyncio.Event()
        self.takes: list[str] = []

    async def take(self, claim: Claim, row: OutboxRow) -> OutboxRow:
        self.takes.append(row.outbound.text)
        if self.stumbles:
            # Only when the answer to what the person has said stands behind this one.
            await until(lambda: len(self._rows.outbox) > 1)
            self.stumbles = False
            self.lost.set()
            raise Transient("connection terminated")
        return await super().take(claim, row)


async def passing(house: House, condition: Callable[[], object]) -> None:
    """Let time pass until it holds."""
    async with asyncio.timeout(5):
        while not condition():
            house.clock.advance(0.2)
            for _ in range(20):
                await asyncio.sleep(0)


async def held_back(house: House, text: str = "first", count: int = 1) -> None:
    """The person says this, and the platform does not let the answer through."""
    await house.say(text)
    await until(lambda: len(outcomes(house)) >= count)
    await house.at_rest()


def outcomes(house: House) -> list[str]:
    return [fact["outcome"] for fact in house.observer.named("send_failed")]


async def test_a_held_answer_that_a_request_did_not_take_along_waits_as_long_as_before() -> None:
    gate = Gate(after="the new answer")
    house = House(ScriptedModel(says("the old answer"), gate))
    house.platform.faults = [Held("it may not") for _ in range(2)]
    async with house.open():
        await held_back(house)
        house.clock.advance(TWO_HOURS)
        receipt = await house.receive(house.said("second"), timedelta(seconds=5))
        old = await replied(receipt, house.clock)
        assert old is not None
        assert await replied(receipt, house.clock, 1.0) is None
        await receipt.replied(Held("the call is over"))
        gate.let_go.set()
        await passing(house, lambda: len(outcomes(house)) == 2)
        assert outcomes(house) == ["held", "held"]
        await house.at_rest()
        await house.say("third")
        assert await house.has_sent(3) == ["the old answer", "the new answer", "you said: third"]


async def test_the_rest_of_a_held_answer_waits_as_long_as_its_beginning() -> None:
    platform = ListPlatform(limit=5)
    platform.faults = [Held("closed")]
    house = House(ScriptedModel(says("abcdefghijkl"), says("new")), platform=platform)
    async with house.open():
        await held_back(house)
        house.clock.advance(TWO_HOURS)
        assert await house.store.expire_outbox(WEEK) == []
        await house.say("second")
        assert await house.has_sent(4) == ["abcde", "fghij", "kl", "new"]


async def test_an_answer_behind_one_that_is_held_back_again_waits_as_long() -> None:
    gate = Gate(after="two")
    house = House(ScriptedModel(says("one"), gate, says("three")))
    house.platform.faults = [Held("closed"), Held("still closed")]
    async with house.open():
        await held_back(house)
        await house.say("second")
        await until(lambda: outcomes(house) == ["held", "held"])
        gate.let_go.set()
        await house.at_rest()
        house.clock.advance(TWO_HOURS)
        assert await house.store.expire_outbox(WEEK) == []
        await house.say("third")
        assert await house.has_sent(3) == ["one", "two", "three"]


async def test_a_held_answer_whose_turn_to_leave_was_lost_is_tried_once_more() -> None:
    clock = FakeClock()
    store = Stumbling(clock)
    house = House(ScriptedModel(says("first")), clock=clock, store=store)
    house.platform.faults = [Held("closed")]
    async with house.open():
        await held_back(house)
        store.stumbles = True
        await house.say("/help", kind=Kind.COMMAND)
        await store.lost.wait()
        await passing(house, lambda: len(house.platform.sent) == 2)
        assert house.platform.texts[0] == "first"


async def test_what_is_held_back_again_is_left_alone_until_the_person_writes() -> None:
    clock = FakeClock()
    store = Stumbling(clock)
    house = House(ScriptedModel(says("one"), says("two")), clock=clock, store=store)
    house.platform.faults = [Held("closed") for _ in range(9)]
    async with house.open():
        await held_back(house)
        await held_back(house, "second", count=2)
        assert store.takes == ["one"]
        assert await store.repair() == 0
        rows = await store.outbox_rows([OutboxState.HELD, OutboxState.QUEUED])
        assert [row.outbound.text for row in rows] == ["one", "two"]
