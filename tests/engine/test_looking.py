"""What a former life was sending is looked for where one can look, before anybody wonders."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from bot import Address, Ambiguous, Held, Outbound, Permanent, Sent, Transient, TurnId
from bot.domain.records import OutboxState
from bot.engine.drafting import Drafting
from bot.engine.looking import LOOKS
from bot.engine.outbox import AmbiguousPolicy, Delivering, Delivery
from bot.errors import Fenced
from bot.recent import Recent
from tests.engine.house import ListPlatform
from tests.engine.test_outbox import CLAIM, CONVERSATION, PLACE, Written, piece
from tests.fakes import EPOCH, FakeClock, RecordingObserver, at_once, until


class ReadablePlatform(ListPlatform):
    """Looks what it is told to have: `answers` in order, the last one for ever."""

    def __init__(self, *answers: Sent | Exception | None) -> None:
        super().__init__(drafts="message")
        self.answers = list(answers)
        self.looked: list[tuple[object, datetime]] = []

    async def find(self, piece: Outbound, since: datetime) -> Sent | None:
        return self._look(piece.key, since)

    async def find_draft(self, address: Address, turn: TurnId, since: datetime) -> Sent | None:
        return self._look(turn, since)

    def _look(self, what: object, since: datetime) -> Sent | None:
        self.looked.append((what, since))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class HastyClock(FakeClock):
    """Sleeping takes no time."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


class Desk:
    """A delivery that takes over two pieces; the first was being sent when its sender died."""

    def __init__(self, *answers: Sent | Exception | None) -> None:
        self.platform = ReadablePlatform(*answers)
        self.clock = HastyClock()
        self.observer = RecordingObserver()
        self.written = Written()
        shared = Delivering(
            self.written,
            {"list": self.platform},
            self.clock,
            self.observer,
            AmbiguousPolicy.REPEAT,
            "en",
            hold=timedelta(days=7),
            certain=at_once,
        )
        rows = (piece(0, state=OutboxState.SENDING), piece(1))
        self.delivery = Delivery(shared, CLAIM, CONVERSATION, rows)

    async def drain(self) -> list[str]:
        """What is sent until everything has left."""
        while (due := await self.delivery.drain()) is not None:
            self.clock.advance((due - self.clock.now()).total_seconds())
        return self.platform.texts

    @property
    def outcomes(self) -> Sequence[str]:
        return [fact["outcome"] for fact in self.observer.named("send_failed")]


async def test_what_is_found_was_sent_and_is_not_sent_again() -> None:
    desk = Desk(Sent("m7"))
    assert await desk.drain() == ["piece 1"]
    assert desk.platform.looked == [("7/0", EPOCH)]
    assert desk.written.log[0] == ("sent", 0)
    assert desk.outcomes == []


async def test_what_is_not_found_is_sent_without_a_mark_and_in_its_place() -> None:
    desk = Desk(None)
    assert await desk.drain() == ["piece 0", "piece 1"]
    assert desk.outcomes == ["transient"]


async def test_where_looking_fails_for_a_while_it_is_looked_again() -> None:
    desk = Desk(Transient("away"), TimeoutError(), Sent("m7"))
    assert await desk.drain() == ["piece 1"]
    assert len(desk.platform.looked) == LOOKS


@pytest.mark.parametrize("error", [Transient("away"), Permanent("private"), Held(), Ambiguous("?")])
async def test_where_nobody_can_tell_it_is_repeated_with_its_mark(error: Exception) -> None:
    desk = Desk(error)
    assert await desk.drain() == ["(sent again) piece 0", "piece 1"]
    assert desk.outcomes == ["repeated"]


async def test_a_bug_of_the_look_is_reported_and_counts_as_not_knowing() -> None:
    desk = Desk(KeyError("bug"))
    assert await desk.drain() == ["(sent again) piece 0", "piece 1"]
    assert [fact["place"] for fact in desk.observer.named("failed")] == ["look"]


class Easel:
    """The drafting of a turn that an earlier life had begun; where it stood is not written."""

    def __init__(self, *answers: Sent | Exception | None, since: datetime | None = EPOCH) -> None:
        self.platform = ReadablePlatform(*answers)
        self.observer = RecordingObserver()
        self.recorded: list[Sent] = []
        self.drafting = Drafting(
            platform=self.platform,
            name="list",
            address=PLACE,
            turn=TurnId(7),
            reply_to=None,
            resume=None,
            lost_since=since,
            unrecorded=Recent(),
            gate=self._open,
            record=self._record,
            clock=HastyClock(),
            observer=self.observer,
        )

    async def _open(self) -> None:
        return

    async def _record(self, sent: Sent) -> None:
        self.recorded.append(sent)

    async def shows(self, text: str) -> Sent | None:
        """Where the text is seen."""
        async with asyncio.TaskGroup() as group:
            self.drafting.start(group)
            self.drafting.show(text, ())
            await until(lambda: self.platform.drafts and self.platform.drafts[-1].shown)
            await self.drafting.close()
        return self.platform.drafts[-1].sent


async def test_a_draft_that_was_opened_and_not_written_down_grows_on() -> None:
    easel = Easel(Sent("d6"))
    assert await easel.shows("Hel") == Sent("d6")
    assert easel.recorded == [Sent("d6")]
    assert easel.platform.looked == [(TurnId(7), EPOCH)]
    assert len(easel.platform.drafts) == 1


async def test_a_draft_that_was_never_opened_is_opened() -> None:
    easel = Easel(None)
    assert await easel.shows("Hel") == Sent("d7")
    assert easel.recorded == [Sent("d7")]
    assert easel.observer.facts == []


async def test_where_nobody_can_tell_another_draft_is_opened() -> None:
    easel = Easel(Permanent("private"))
    assert await easel.shows("Hel") == Sent("d7")
    assert easel.observer.named("draft_failed") == [
        {"adapter": "list", "turn": TurnId(7), "reason": "not found"}
    ]


async def test_a_first_run_looks_for_nothing() -> None:
    easel = Easel(Sent("d6"), since=None)
    assert await easel.shows("Hel") == Sent("d7")
    assert easel.platform.looked == []


async def test_a_turn_that_says_nothing_more_takes_up_what_stands_there_all_the_same() -> None:
    easel = Easel(Sent("d6"))
    async with asyncio.TaskGroup() as group:
        easel.drafting.start(group)
        await until(lambda: easel.platform.looked)
        draft = await easel.drafting.close()
    assert draft is not None
    assert draft.sent == Sent("d6")


async def test_a_lost_lane_opens_nothing_beside_the_draft_that_its_new_holder_goes_on_in() -> None:
    class Fences(Easel):
        async def _record(self, sent: Sent) -> None:
            await super()._record(sent)
            raise Fenced

    easel = Fences(Sent("d6"))
    async with asyncio.TaskGroup() as group:
        easel.drafting.start(group)
        easel.drafting.show("Hel", ())
        await until(lambda: easel.recorded)
        await until(lambda: easel.drafting._task is not None and easel.drafting._task.done())
    assert easel.platform.drafts == []
