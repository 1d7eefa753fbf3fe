"""The database did what it was asked, and its answer was lost: nothing is lost with it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot import Outbound, Permanent, Sender, Sent, Transient
from bot.domain.conversation import ConversationId, InboundId, Session, Turn
from bot.domain.records import Claim, Finish, Head, Node, OutboxRow
from bot.engine.outbox import AmbiguousPolicy
from bot.store.memory import MemoryStore
from tests.engine.house import RULES, Gate, House, ListPlatform, ScriptedModel, says
from tests.fakes import FakeClock, until


class ForgetfulStore(MemoryStore):
    """Does what it is asked; of what is named in `loses` the answer is lost, once each."""

    def __init__(self, clock: FakeClock, *loses: str) -> None:
        super().__init__(clock)
        self.loses = set(loses)

    def _lose(self, name: str) -> None:
        if name in self.loses:
            self.loses.discard(name)
            raise Transient("the answer was lost")

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        found = await super().claim(node, limit)
        if found:
            self._lose("claim")
        return found

    async def forget(
        self, claim: Claim, sender: Sender | None, *, order: InboundId | None = None
    ) -> None:
        await super().forget(claim, sender, order=order)
        self._lose("forget")

    async def take(self, claim: Claim, row: OutboxRow) -> OutboxRow:
        taken = await super().take(claim, row)
        self._lose("take")
        return taken

    async def finish(self, claim: Claim, finish: Finish) -> Sequence[OutboxRow]:
        rows = await super().finish(claim, finish)
        self._lose("finish")
        return rows


async def test_lanes_that_a_claim_took_without_telling_are_not_held_for_ever() -> None:
    clock = FakeClock()
    store = ForgetfulStore(clock, "claim")
    # As on a database that several nodes share: only there an answer can be lost.
    rules = replace(RULES, polls=True)
    async with House(ScriptedModel(), clock=clock, store=store, rules=rules).open() as house:
        await house.say("hello")
        await until(lambda: _says_after(clock, house, "you said: hello"))


@pytest.mark.parametrize("words", ["/forget", "忘记我"])
async def test_who_asked_to_be_forgotten_is_told_although_it_took_two_tries(words: str) -> None:
    clock = FakeClock()
    store = ForgetfulStore(clock, "forget")
    async with House(ScriptedModel(), clock=clock, store=store).open() as house:
        await house.say("my name is Ann")
        await house.has_sent(1)
        await house.say(words)
        await until(lambda: _says_after(clock, house, "is deleted"))


@pytest.mark.parametrize("policy", AmbiguousPolicy)
async def test_a_piece_that_was_taken_without_telling_is_in_no_doubt(
    policy: AmbiguousPolicy,
) -> None:
    clock = FakeClock()
    store = ForgetfulStore(clock, "take")
    platform = ListPlatform(limit=4)
    rules = replace(RULES, ambiguous=policy)
    model = ScriptedModel(says("abcdefgh"))
    house = House(model, clock=clock, store=store, platform=platform, rules=rules)
    async with house.open():
        await house.say("hello")
        await until(lambda: _says_after(clock, house, "efgh"))
        assert platform.texts == ["abcd", "efgh"]
        assert not house.observer.named("send_failed")


@pytest.mark.parametrize("policy", AmbiguousPolicy)
async def test_a_piece_that_was_put_back_and_then_taken_without_telling_is_in_no_doubt(
    policy: AmbiguousPolicy,
) -> None:
    clock = FakeClock()
    store = ForgetfulStore(clock)
    gate = Gate()
    model = ScriptedModel(says("first"), gate, says("second"))
    rules = replace(RULES, ambiguous=policy)
    house = House(model, clock=clock, store=store, rules=rules)
    house.platform.faults = [Transient("flood", retry_after=timedelta(seconds=5))]
    await house.say("one")
    await house.say("two", sender=Sender("u2", "Bob"))
    async with house.open():
        await gate.reached.wait()
        await until(lambda: house.observer.named("send_failed"))
        # Taken by the delivery that has put it back, while the next turn is thought about.
        store.loses.add("take")
        await until(lambda: _says_after(clock, house, "second"))
        assert house.platform.texts == ["first", "second"]
        assert [fact["outcome"] for fact in house.observer.named("send_failed")] == ["transient"]


async def test_a_draft_is_left_when_the_answer_to_the_end_of_its_turn_is_lost() -> None:
    clock = FakeClock()
    store, gate = ForgetfulStore(clock, "finish"), Gate("half", " and whole")
    platform = ListPlatform(drafts="fading")
    house = House(ScriptedModel(gate), clock=clock, store=store, platform=platform)
    async with house.open():
        await house.say("hello")
        await until(lambda: platform.drafts and platform.drafts[0].shown)
        gate.let_go.set()
        await until(lambda: _says_after(clock, house, "half and whole"))
        assert [draft.left for draft in platform.drafts] == [True]


class BrokenStore(MemoryStore):
    """Every look at a lane fails, and once giving one back, too, until it is mended."""

    broken = True
    refuses: BaseException | None = None

    async def head(self, claim: Claim) -> Head:
        if self.broken:
            raise Permanent("broken")
        return await super().head(claim)

    async def release(self, claim: Claim, *, wake_at: datetime | None = None) -> bool:
        if (error := self.refuses) is not None:
            self.refuses = None
            raise error
        return await super().release(claim, wake_at=wake_at)


@pytest.mark.parametrize("error", [Transient("away"), asyncio.CancelledError()])
async def test_a_lane_that_could_not_even_be_given_back_is_taken_up_again(
    error: BaseException,
) -> None:
    clock = FakeClock()
    store = BrokenStore(clock)
    store.refuses = error
    rules = replace(RULES, polls=True)
    async with House(ScriptedModel(), clock=clock, store=store, rules=rules).open() as house:
        await house.say("hello")
        await until(lambda: _gave_up_after(clock, store, house))
        store.broken = False
        await until(lambda: _says_after(clock, house, "you said: hello"))


class AwayStore(MemoryStore):
    """A store whose database can be away."""

    away = False

    async def start(self, claim: Claim, turn: Turn, session: Session) -> None:
        if self.away:
            raise Transient("away")
        await super().start(claim, turn, session)

    async def head(self, claim: Claim) -> Head:
        if self.away:
            raise Transient("away")
        return await super().head(claim)


async def test_a_server_that_is_told_to_stop_stops_although_the_database_is_away() -> None:
    clock = FakeClock()
    store, gate = AwayStore(clock), Gate()
    house = House(ScriptedModel(gate), clock=clock, store=store)
    await house.engine.runner.join()
    running = asyncio.ensure_future(house.engine.runner.run())
    await house.say("hello")
    await gate.reached.wait()
    store.away = True
    assert not await house.engine.runner.drain(timedelta(0))
    running.cancel()
    await until(lambda: _done_after(clock, running))


class TimedStore(MemoryStore):
    """Its fences are times, as PostgreSQL's are; its database can be away."""

    away = False

    def _take_lane(self, node: Node, conversation: ConversationId) -> Claim:
        claim = super()._take_lane(node, conversation)
        self._rows.lanes[conversation].fence += 1000
        return replace(claim, fence=claim.fence + 1000)

    async def renew(self, node: Node, lease: timedelta) -> bool:
        self._be_there()
        return await super().renew(node, lease)

    async def rejoin(self, node: Node, lease: timedelta) -> Node | None:
        self._be_there()
        return await super().rejoin(node, lease)

    async def sent(self, claim: Claim, row: OutboxRow, sent: Sent) -> None:
        self._be_there()
        await super().sent(claim, row, sent)

    async def finish(self, claim: Claim, finish: Finish) -> Sequence[OutboxRow]:
        self._be_there()
        return await super().finish(claim, finish)

    def _be_there(self) -> None:
        if self.away:
            raise Transient("away")


async def test_what_left_while_the_database_was_away_is_not_sent_again_under_the_next_lease() -> (
    None
):
    clock = FakeClock()
    store, platform = TimedStore(clock), ListPlatform()

    async def fall(piece: Outbound) -> None:
        store.away = True

    platform.before_send = fall
    house = House(ScriptedModel(), clock=clock, store=store, platform=platform)
    async with house.open():
        await house.say("hello")
        await house.has_sent(1)
        for _ in range(100):
            await until(lambda: clock.sleepers)
            clock.advance(0.2)
        store.away = False
        platform.before_send = None
        await until(lambda: _noted_after(clock, house))
        assert platform.texts == ["you said: hello"]


async def test_a_draft_is_left_when_the_lease_is_over_before_the_end_of_its_turn_is_written() -> (
    None
):
    clock = FakeClock()
    store, gate = TimedStore(clock), Gate("half", " and whole")
    platform = ListPlatform(drafts="fading")
    house = House(ScriptedModel(gate), clock=clock, store=store, platform=platform)
    async with house.open():
        await house.say("hello")
        await until(lambda: platform.drafts and platform.drafts[0].shown)
        store.away = True
        gate.let_go.set()
        await until(lambda: _left_after(clock, platform))


def _left_after(clock: FakeClock, platform: ListPlatform) -> bool:
    clock.advance(0.2)
    return platform.drafts[0].left


def _noted_after(clock: FakeClock, house: House) -> bool:
    clock.advance(0.2)
    return bool(house.observer.named("sent"))


def _gave_up_after(clock: FakeClock, store: BrokenStore, house: House) -> bool:
    clock.advance(0.2)
    return store.refuses is None and not house.engine.runner.running


def _says_after(clock: FakeClock, house: House, words: str) -> bool:
    clock.advance(0.2)
    return _says(house, words)


def _says(house: House, words: str) -> bool:
    return any(words in text for text in house.platform.texts)


def _done_after(clock: FakeClock, running: "asyncio.Future[None]") -> bool:
    clock.advance(0.2)
    return running.done()
