"""One request may carry several pieces, and what it does not use goes back."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from bot import Ambiguous, Held, Outbound, Receipt, Sent, Transient
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.records import OutboxRow, OutboxState
from bot.store.memory import MemoryStore
from tests.engine.house import Gate, House, ScriptedModel, says
from tests.fakes import FakeClock, until


async def replied(receipt: Receipt, clock: FakeClock, within: float = 4.0) -> Outbound | None:
    """What `reply` gives, while time passes."""
    waiting = asyncio.ensure_future(receipt.reply(timedelta(seconds=within)))
    async with asyncio.timeout(5):
        while not waiting.done():
            for _ in range(20):
                await asyncio.sleep(0)
            clock.advance(0.2)
    return await waiting


async def test_what_was_held_back_and_the_new_answer_leave_in_one_request() -> None:
    house = House(ScriptedModel(says("the old answer"), says("the new answer")))
    house.platform.faults = [Held("it may not"), Held("it may not")]
    async with house.open():
        await house.say("first")
        await until(lambda: house.observer.named("send_failed"))
        receipt = await house.receive(house.said("second"), timedelta(seconds=5))
        old = await replied(receipt, house.clock)
        new = await replied(receipt, house.clock)
        assert [piece and piece.text for piece in (old, new)] == [
            "the old answer",
            "the new answer",
        ]
        before = house.clock.monotonic()
        assert await replied(receipt, house.clock) is None
        assert house.clock.monotonic() - before < 1, "nothing more can come, so nobody waits"
        await receipt.replied(Sent())
        await receipt.replied(Sent())
        assert await house.store.outbox_rows(list(OutboxState)[:2]) == []
        assert house.platform.sent == []


async def test_what_may_have_been_shown_is_marked_in_a_later_request_as_well() -> None:
    house = House(ScriptedModel(says("the old answer")))
    house.platform.faults = [Ambiguous("lost"), Held("it may not")]
    async with house.open():
        await house.say("first")
        await until(lambda: len(house.observer.named("send_failed")) == 2)
        receipt = await house.receive(house.said("second"), timedelta(seconds=5))
        old = await replied(receipt, house.clock)
        assert old is not None
        assert old.text == "(sent again) the old answer"
        await receipt.replied(Sent())


async def test_a_piece_that_was_not_used_waits_for_the_next_request_unmarked() -> None:
    gate = Gate(after="the new answer")
    house = House(ScriptedModel(says("the old answer"), gate))
    house.platform.faults = [Held("it may not") for _ in range(9)]
    async with house.open():
        await house.say("first")
        await until(lambda: house.observer.named("send_failed"))
        second = house.said("second")
        receipt = await house.receive(second, timedelta(seconds=5))
        old = await replied(receipt, house.clock)
        assert await replied(receipt, house.clock, 1.0) is None
        await receipt.replied(Held("not used"))
        repeat = await house.receive(second, timedelta(seconds=5))
        assert not repeat.new
        gate.let_go.set()
        texts = [piece and piece.text for piece in (old, await replied(repeat, house.clock))]
        assert texts == ["the old answer", "the old answer"]
        new = await replied(repeat, house.clock)
        assert new is not None
        assert new.text == "the new answer"
        await repeat.replied(Sent())
        await repeat.replied(Sent())
        assert house.observer.named("send_failed")[-1]["outcome"] == "held"


async def test_an_answered_request_holds_nothing_back_any_longer() -> None:
    house = House(ScriptedModel(says("x" * 15)))
    house.platform.limit = 10
    async with house.open():
        receipt = await house.receive(house.said("hello"), timedelta(seconds=60))
        assert await replied(receipt, house.clock) is not None
        at = house.clock.monotonic()
        await receipt.replied(Sent())
        assert await house.has_sent(1) == ["x" * 5]
        assert house.clock.monotonic() == at, "the second piece waits for no slot"


async def test_a_repeat_of_what_is_answered_already_is_not_kept_waiting() -> None:
    house = House(ScriptedModel())
    async with house.open():
        said = house.said("hello")
        await house.receive(said)
        await house.has_sent(1)
        await house.at_rest()
        again = await house.receive(said, timedelta(seconds=5))
        at = house.clock.monotonic()
        assert await again.reply(timedelta(seconds=4)) is None
        assert house.clock.monotonic() == at


async def test_a_held_answer_that_died_in_a_request_keeps_nothing_behind_it_for_ever() -> None:
    first = House(ScriptedModel(says("one"), says("two")))
    first.platform.faults = [Held("it may not")]
    async with first.open():
        await first.say("first")
        await until(lambda: first.observer.named("send_failed"))
        await first.at_rest()
        receipt = await first.receive(first.said("second"), timedelta(seconds=5))
        assert await replied(receipt, first.clock) is not None
    # Nobody says what became of it: the process is gone, and the request with it.
    again = House(first.model, clock=first.clock, store=first.store, platform=first.platform)
    async with again.open():
        async with asyncio.timeout(5):
            while len(again.platform.sent) < 2:
                first.clock.advance(0.5)
                for _ in range(20):
                    await asyncio.sleep(0)
        assert again.platform.texts == ["(sent again) one", "two"]


class Forgetful(MemoryStore):
    """A store whose database is away when a reply is to be written down."""

    away = 0
    loses = 0

    async def slot_replied(self, row: OutboxRow, slot: int, outcome: Sent | None) -> None:
        if self.away:
            self.away -= 1
            raise Transient("away")
        await super().slot_replied(row, slot, outcome)

    async def close_slot(self, slot: int) -> None:
        if self.away:
            raise Transient("away")
        await super().close_slot(slot)

    async def settled(self, conversation: ConversationId, inbound: InboundId, slot: int) -> bool:
        if self.away:
            self.away -= 1
            raise Transient("away")
        return await super().settled(conversation, inbound, slot)

    async def take_for_slot(
        self,
        conversation: ConversationId,
        slot: int,
        closes_at: datetime,
        *,
        behind: OutboxRow | None = None,
    ) -> OutboxRow | None:
        row = await super().take_for_slot(conversation, slot, closes_at, behind=behind)
        if row is not None and self.loses:
            self.loses -= 1
            raise Transient("the answer was lost")
        return row


@pytest.mark.parametrize(("away", "loses"), [(3, 0), (0, 1), (2, 2)])
async def test_a_database_that_is_away_for_a_moment_keeps_no_answer_out_of_a_request(
    away: int, loses: int
) -> None:
    clock = FakeClock()
    store = Forgetful(clock)
    model = ScriptedModel(says("one two"))
    async with House(model, clock=clock, store=store).open() as house:
        house.platform.limit = 4
        receipt = await house.receive(house.said("hello"), timedelta(seconds=4))
        store.away, store.loses = away, loses
        pieces = [await replied(receipt, clock) for _ in range(2)]
        assert [piece and piece.text for piece in pieces] == ["one ", "two"]
        await receipt.replied(Sent())
        await receipt.replied(Sent())
        assert house.platform.sent == []
        assert await house.store.outbox_rows(list(OutboxState)[:2]) == []


async def test_what_a_request_has_leaves_in_it_although_the_database_is_away() -> None:
    clock = FakeClock()
    store = Forgetful(clock)
    async with House(ScriptedModel(says("hello")), clock=clock, store=store).open() as house:
        receipt = await house.receive(house.said("hi"), timedelta(seconds=4))
        assert await replied(receipt, clock) is not None
        store.away = 10_000
        at = clock.monotonic()
        assert await receipt.reply(timedelta(seconds=4)) is None
        assert clock.monotonic() == at
        store.away = 0
        await receipt.replied(Sent())
        await house.say("and?")
        assert await house.has_sent(1) == ["you said: and?"]


@pytest.mark.parametrize(
    ("tries", "shown"),
    [(3, ["next"]), (10_000, ["(sent again) you said: hello", "next"])],
)
async def test_a_reply_is_written_down_as_soon_as_the_database_is_there_again(
    tries: int, shown: list[str]
) -> None:
    clock = FakeClock()
    store = Forgetful(clock)
    model = ScriptedModel(says("you said: hello"), says("next"))
    async with House(model, clock=clock, store=store).open() as house:
        receipt = await house.receive(house.said("hello"), timedelta(seconds=4))
        assert await replied(receipt, clock) is not None
        store.away = tries
        noting = asyncio.ensure_future(receipt.replied(Sent()))
        await until(lambda: _passes(clock, noting.done))
        await noting
        store.away = 0
        await house.say("and?")
        await until(lambda: _passes(clock, lambda: len(house.platform.texts) == len(shown)))
        assert house.platform.texts == shown


def _passes(clock: FakeClock, is_so: Callable[[], bool]) -> bool:
    clock.advance(0.1)
    return is_so()
