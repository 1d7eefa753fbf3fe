"""A growing answer is decoration: it never fails a turn, and where it stands is never lost."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from bot import Activity, Address, Ambiguous, Draft, Outbound, Permanent, Sent, Transient, TurnId
from bot.domain.model import Delta, Request, TextDelta
from bot.engine.drafting import Drafting
from bot.errors import Fenced
from bot.recent import Recent
from tests.engine.house import Gate, House, ListDraft, ListPlatform, ScriptedModel
from tests.engine.test_crashes import faulty
from tests.fakes import FakeClock, RecordingObserver, until

PLACE = Address("list", "me", "room")


class Easel:
    """One drafting and everything around it, by name."""

    def __init__(
        self,
        platform: ListPlatform | None = None,
        resume: Sent | None = None,
        *,
        after: "Easel | None" = None,
    ) -> None:
        self.platform = platform or ListPlatform(drafts="message")
        self.clock = FakeClock()
        self.observer = RecordingObserver()
        self.recorded: list[Sent] = []
        self.errors: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_sure = True
        self.unrecorded: Recent[TurnId, Sent] = after.unrecorded if after else Recent()
        self.drafting = Drafting(
            platform=self.platform,
            name="list",
            address=PLACE,
            turn=TurnId(7),
            reply_to=None,
            resume=resume,
            lost_since=self.clock.now() if after else None,
            gate=self._wait,
            sure=lambda: self.is_sure,
            record=self._record,
            unrecorded=self.unrecorded,
            clock=self.clock,
            observer=self.observer,
        )

    async def _wait(self) -> None:
        await self.gate.wait()

    async def _record(self, sent: Sent) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.recorded.append(sent)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Easel", None]:
        async with asyncio.TaskGroup() as group:
            self.drafting.start(group)
            yield self
            await self.drafting.close()

    @property
    def draft(self) -> ListDraft:
        return self.platform.drafts[-1]


class Refusing(ListPlatform):
    """A platform that opens no draft."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(drafts="message")
        self.fault = fault

    async def draft(self, address: Address, **values: Any) -> ListDraft:
        raise self.fault


class Findable(ListPlatform):
    """A platform that another node can look at, and find there what this one has opened."""

    async def find(self, piece: Outbound, since: datetime) -> Sent | None:
        return None

    async def find_draft(self, address: Address, turn: TurnId, since: datetime) -> Sent | None:
        return Sent(f"d{turn}")


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_a_lane_that_is_being_cut_begins_no_draft_and_fails_nothing() -> None:
    easel, begun = Easel(), asyncio.Event()

    async def at_work(group: asyncio.TaskGroup) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            easel.drafting.start(group)
            easel.drafting.show("Hel", ())
            raise

    async def lane() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(at_work(group))

    cut = asyncio.ensure_future(lane())
    await begun.wait()
    cut.cancel()
    await asyncio.wait([cut])
    assert cut.cancelled()
    assert await easel.drafting.close() is None
    assert easel.platform.drafts == []


async def test_where_a_draft_stands_is_written_down_before_its_first_text_shows() -> None:
    shown_when_recorded: list[list[str]] = []

    class Looking(Easel):
        async def _record(self, sent: Sent) -> None:
            shown_when_recorded.append(list(self.draft.shown))
            await super()._record(sent)

    easel = Looking()
    async with easel.open():
        easel.drafting.show("Hel", ())
        await until(lambda: easel.platform.drafts and easel.draft.shown)
    assert shown_when_recorded == [[]]
    assert easel.recorded == [Sent("d7")]


async def test_a_draft_that_could_not_be_written_down_goes_away_and_another_is_opened() -> None:
    easel = Easel()
    easel.errors = [Transient("away")]
    async with easel.open():
        easel.drafting.show("Hel", ())
        await until(lambda: easel.observer.named("draft_failed"))
        assert easel.draft.abandoned
        assert easel.draft.shown == []
        await settle()
        easel.clock.advance(1)
        await until(lambda: easel.draft.shown == ["Hel"])
    assert easel.recorded == [Sent("d7")]


async def test_a_draft_of_a_lane_that_is_lost_goes_away_in_silence() -> None:
    easel = Easel()
    easel.errors = [Fenced()]
    async with easel.open():
        easel.drafting.show("Hel", ())
        await until(lambda: easel.platform.drafts and easel.draft.abandoned)
        await settle()
        assert await easel.drafting.close() is None
    assert easel.draft.shown == []
    assert easel.observer.facts == []


async def test_a_draft_of_a_lost_lane_is_left_where_its_new_holder_may_have_answered_in_it() -> (
    None
):
    easel = Easel(Findable(drafts="message"))
    easel.errors = [Fenced()]
    async with easel.open():
        easel.drafting.show("Hel", ())
        await until(lambda: not easel.errors)
        await settle()
        assert await easel.drafting.close() is None
    assert not easel.draft.abandoned
    assert len(easel.platform.drafts) == 1


@pytest.mark.parametrize("platform", [ListPlatform, Findable])
async def test_a_draft_that_may_be_written_down_is_left_by_a_node_that_is_not_sure(
    platform: type[ListPlatform],
) -> None:
    class Drowsy(Easel):
        async def _record(self, sent: Sent) -> None:
            self.is_sure = False
            raise Transient("no answer")

    easel = Drowsy(platform(drafts="message"))
    async with easel.open():
        easel.drafting.show("Hel", ())
        await until(lambda: easel.observer.named("draft_failed"))
    assert not easel.draft.abandoned


async def test_a_draft_that_could_not_be_written_down_grows_on_when_its_turn_comes_back() -> None:
    class Drowsy(Easel):
        async def _record(self, sent: Sent) -> None:
            self.is_sure = False
            raise Transient("no room")

    first = Drowsy()
    async with first.open():
        first.drafting.show("Hel", ())
        await until(lambda: first.observer.named("draft_failed"))
    stands = first.draft.sent
    assert stands is not None
    in_vain = Easel(first.platform, after=first)
    in_vain.errors = [Transient("no room")]
    async with in_vain.open():
        await until(lambda: in_vain.observer.named("draft_failed"))
    again = Easel(first.platform, after=in_vain)
    async with again.open():
        again.drafting.show("Hello", ())
        await until(lambda: again.draft.shown)
    assert (again.recorded, again.draft.sent) == ([stands], stands)
    assert len({draft.sent for draft in again.platform.drafts}) == 1
    assert not again.unrecorded.items()


@pytest.mark.parametrize("sure", [True, False])
async def test_a_draft_that_may_be_written_down_is_left_by_a_lane_that_lost_its_lease(
    *, sure: bool
) -> None:
    writing, answer = asyncio.Event(), asyncio.Event()

    class Slow(Easel):
        async def _record(self, sent: Sent) -> None:
            writing.set()
            await answer.wait()
            raise Transient("no answer")

    easel = Slow()
    lane = asyncio.ensure_future(until_cancelled(easel))
    await writing.wait()
    easel.is_sure = sure
    lane.cancel()
    await settle()
    easel.is_sure = True  # of its next lanes
    answer.set()
    await asyncio.wait([lane])
    assert easel.draft.abandoned is sure


async def until_cancelled(easel: Easel) -> None:
    async with easel.open():
        easel.drafting.show("Hel", ())
        await asyncio.Event().wait()


async def test_the_draft_of_an_earlier_run_is_taken_up_and_not_written_down_again() -> None:
    easel = Easel(resume=Sent("d3"))
    async with easel.open():
        easel.drafting.show("Hel", ())
        await until(lambda: easel.platform.drafts and easel.draft.shown)
    assert easel.draft.sent == Sent("d3")
    assert easel.recorded == []


async def test_no_draft_shows_before_the_turn_before_has_left() -> None:
    easel = Easel()
    easel.gate.clear()
    async with easel.open():
        easel.drafting.show("Hel", ())
        await settle()
        assert easel.platform.drafts == []
        easel.drafting.show("Hello", ())
        easel.gate.set()
        await until(lambda: easel.platform.drafts and easel.draft.shown)
    assert easel.draft.shown == ["Hello"]


async def test_a_slow_platform_is_shown_only_the_newest_text() -> None:
    easel = Easel()
    async with easel.open():
        for text in ("H", "He", "Hel", "Hell", "Hello"):
            easel.drafting.show(text, ())
        await until(lambda: easel.platform.drafts and easel.draft.shown)
        await settle()
    assert easel.draft.shown == ["Hello"]


class Slow(ListPlatform):
    """Opens a draft only when a test lets it."""

    def __init__(self, *, drafts: str) -> None:
        super().__init__(drafts=drafts)
        self.opening, self.go_on = asyncio.Event(), asyncio.Event()

    async def draft(self, address: Address, **values: Any) -> ListDraft:
        self.opening.set()
        await self.go_on.wait()
        return await super().draft(address, **values)


async def test_a_cancel_while_a_draft_is_being_opened_waits_for_it_and_keeps_it() -> None:
    platform = Slow(drafts="message")
    easel = Easel(platform)
    async with easel.open():
        easel.drafting.show("Hel", ())
        await platform.opening.wait()
        closing = asyncio.ensure_future(easel.drafting.close())
        await settle()
        assert not closing.done()
        platform.go_on.set()
        found: Draft | None = await closing
    assert found is easel.draft
    assert easel.recorded == [Sent("d7")]


async def test_what_a_platform_refuses_ends_the_growing_and_is_told_once() -> None:
    refusals: list[tuple[Exception, str]] = [
        (Permanent("no"), "no more"),
        (Ambiguous("lost"), "no answer"),
        (RuntimeError("a bug"), ""),
    ]
    for error, reason in refusals:
        easel = Easel(Refusing(error))
        async with easel.open():
            easel.drafting.show("Hel", ())
            await until(partial(len, easel.observer.facts))
            easel.drafting.show("Hello", ())
            await settle()
            assert await easel.drafting.close() is None
        ((name, values),) = easel.observer.facts
        assert name == ("draft_failed" if reason else "failed")
        assert values.get("reason", "") == reason


async def test_a_turn_is_answered_on_a_platform_that_refuses_its_draft() -> None:
    gate = Gate(before="Hel", after="lo")
    platform = Refusing(Permanent("no"))
    async with House(ScriptedModel(gate), platform=platform).open() as house:
        await house.say("hi")
        await until(lambda: house.observer.named("draft_failed"))
        gate.let_go.set()
        assert await house.has_sent(1) == ["Hello"]


async def test_a_draft_is_not_shown_twice_when_the_answer_to_its_end_is_lost() -> None:
    platform = ListPlatform(drafts="message")
    gate = Gate(before="Hel", after="lo")
    async with House(ScriptedModel(gate), platform=platform).open() as house:
        await house.say("hi")
        await until(lambda: platform.drafts and platform.drafts[0].shown)
        platform.faults = [Transient("lost")]
        gate.let_go.set()
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        await settle()
        house.clock.advance(2)
        assert await house.has_sent(1) == ["Hello"]
        assert {draft.sent for draft in platform.drafts} == {Sent("d1")}
        assert house.observer.named("send_failed")[0]["outcome"] == "transient"


async def test_a_draft_is_told_when_its_turn_goes_on_without_this_node() -> None:
    ends, goes_on = Gate("half"), Gate("half")
    house = House(ScriptedModel(ends, goes_on), platform=ListPlatform(drafts="fading"))
    async with house.open():
        await house.say("one")
        await until(lambda: house.platform.drafts and house.platform.drafts[0].shown)
        ends.let_go.set()
        await house.has_sent(1)
        await house.say("two")
        await until(lambda: house.platform.drafts[1:] and house.platform.drafts[1].shown)
    assert [draft.left for draft in house.platform.drafts] == [False, True]


async def test_a_draft_is_left_when_another_node_has_its_turn_by_the_time_it_ends() -> None:
    gate, platform = Gate("half"), ListPlatform(drafts="fading")
    house, store = faulty(ScriptedModel(gate), platform=platform)
    store.faults["finish"] = [Fenced()]
    async with house.open():
        await house.say("hello")
        await until(lambda: platform.drafts and platform.drafts[0].shown)
        gate.let_go.set()
        await house.at_rest()
        assert platform.drafts[0].left


async def test_a_draft_is_left_when_its_answer_waits_longer_than_its_lane_is_held() -> None:
    gate, platform = Gate("half"), ListPlatform(drafts="fading")
    async with House(ScriptedModel(gate), platform=platform).open() as house:
        await house.say("hello")
        await until(lambda: platform.drafts and platform.drafts[0].shown)
        platform.faults = [Transient("flood", retry_after=timedelta(seconds=40))]
        gate.let_go.set()
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        assert platform.drafts[0].left


class Tiring(ListPlatform):
    """A platform that shows nothing more of an answer after its first text."""

    async def draft(self, *place: Any, **values: Any) -> ListDraft:
        opened = await super().draft(*place, **values)
        self.drafts[-1] = TiredDraft(self, opened.address, opened.turn, opened.sent)
        return self.drafts[-1]


class TiredDraft(ListDraft):
    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        if self.shown:
            raise Permanent("no more")
        await super().show(text, activities)


async def test_a_draft_that_grows_no_more_is_left_like_any_other() -> None:
    async def grows(request: Request) -> AsyncGenerator[Delta, None]:
        for word in ("one ", "two ", "three "):
            yield TextDelta(word)
            await settle()
        await asyncio.Event().wait()

    platform = Tiring(drafts="fading")
    house = House(ScriptedModel(grows), platform=platform)
    async with house.open():
        await house.say("hello")
        await until(lambda: house.observer.named("draft_failed"))
    assert [draft.left for draft in platform.drafts] == [True]


async def test_a_draft_that_is_being_opened_when_its_lane_is_lost_is_left_once_it_is() -> None:
    platform = Slow(drafts="fading")
    easel = Easel(platform)
    async with easel.open():
        easel.drafting.show("Hel", ())
        await platform.opening.wait()
        easel.drafting.leave()
        platform.go_on.set()
        await until(lambda: platform.drafts and easel.draft.left)


async def test_nothing_is_shown_while_another_node_may_have_the_turn() -> None:
    async with Easel().open() as easel:
        easel.drafting.show("first", ())
        await until(lambda: easel.platform.drafts and easel.draft.shown == ["first"])
        easel.is_sure = False
        easel.drafting.show("stale", ())
        await until(lambda: easel.clock.sleepers)
        assert easel.draft.shown == ["first"]
        easel.is_sure = True
        easel.clock.advance(1.0)
        await until(lambda: easel.draft.shown == ["first", "stale"])
