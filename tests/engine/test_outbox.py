"""Pieces leave in order, each by one door, and what does not leave is never lost in silence."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import Address, Ambiguous, Doubtful, Held, Outbound, Permanent, Sent, Transient, TurnId
from bot.domain.conversation import Conversation, ConversationId
from bot.domain.records import Claim, Node, OutboxRow, OutboxState
from bot.engine.outbox import NEVER, AmbiguousPolicy, Delivering, Delivery
from tests.engine.house import ListPlatform
from tests.fakes import EPOCH, FakeClock, RecordingObserver, at_once

WEEK = timedelta(days=7)
PLACE = Address("list", "me", "room")
CLAIM = Claim(ConversationId(1), Node("n", 1), 1)
CONVERSATION = Conversation(ConversationId(1), "default", PLACE, "list", "")


class Written:
    """An outbox that keeps what was written about its rows, as (what, piece) in order."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.held_until: list[Any] = []

    async def take(self, claim: Claim, row: OutboxRow) -> OutboxRow:
        self.log.append(("take", row.piece))
        return replace(row, state=OutboxState.SENDING, attempts=row.attempts + 1)

    async def sent(self, claim: Claim, row: OutboxRow, sent: Sent) -> None:
        self.log.append(("sent", row.piece))

    async def put_back(self, claim: Claim, row: OutboxRow, **values: Any) -> None:
        kinds = [kind for kind in ("repeat", "alone") if values.get(kind)]
        self.log.append((kinds[0] if kinds else "later", row.piece))

    async def hold(self, claim: Claim, row: OutboxRow, *, until: Any, lasts: timedelta) -> None:
        self.log.append(("hold", row.piece))
        self.held_until.append(until)

    async def prolong(self, claim: Claim, row: OutboxRow, *, lasts: timedelta) -> None:
        self.log.append(("prolong", row.piece))

    async def bury(self, claim: Claim, row: OutboxRow, *, error: str) -> None:
        self.log.append((f"bury {error}", row.piece))


class Counter:
    """A delivery and everything around it, by name."""

    def __init__(
        self,
        *rows: OutboxRow,
        policy: AmbiguousPolicy = AmbiguousPolicy.REPEAT,
        drafts: str = "off",
        parked: float | None = None,
        platform: ListPlatform | None = None,
        certain: Callable[[], Awaitable[None]] = at_once,
    ) -> None:
        self.clock = FakeClock()
        self.platform = platform or ListPlatform(drafts=drafts)
        self.observer = RecordingObserver()
        self.written = Written()
        self.shared = Delivering(
            *(self.written, {"list": self.platform}, self.clock, self.observer, policy, "en"),
            hold=WEEK,
            certain=certain,
        )
        due = None if parked is None else EPOCH + timedelta(seconds=parked)
        self.delivery = Delivery(self.shared, CLAIM, CONVERSATION, rows, parked_until=due)

    @property
    def outcomes(self) -> Sequence[str]:
        return [fact["outcome"] for fact in self.observer.named("send_failed")]


def piece(
    n: int, text: str = "", state: OutboxState = OutboxState.QUEUED, **values: Any
) -> OutboxRow:
    outbound = Outbound(f"7/{n}", PLACE, text or f"piece {n}", values.pop("expires_at", None))
    due_at = values.pop("due_at", EPOCH)
    return OutboxRow(ConversationId(1), TurnId(7), n, outbound, state, due_at, EPOCH, **values)


async def test_pieces_leave_in_order_and_each_is_marked_before_the_wire_is_touched() -> None:
    counter = Counter(piece(0), piece(1))
    assert await counter.delivery.drain() is None
    assert counter.platform.texts == ["piece 0", "piece 1"]
    assert counter.written.log == [("take", 0), ("sent", 0), ("take", 1), ("sent", 1)]
    assert counter.delivery.empty


async def test_a_piece_marked_by_this_holder_is_simply_sent() -> None:
    counter = Counter()
    counter.delivery.add([piece(0, state=OutboxState.SENDING)])
    await counter.delivery.drain()
    assert counter.platform.texts == ["piece 0"]
    assert counter.written.log == [("sent", 0)]


async def test_a_piece_found_in_the_middle_of_sending_may_have_been_shown() -> None:
    counter = Counter(piece(0, state=OutboxState.SENDING), piece(1))
    await counter.delivery.drain()
    assert counter.platform.texts == ["(sent again) piece 0", "piece 1"]
    assert counter.outcomes == ["repeated"]
    reporting = Counter(piece(0, state=OutboxState.SENDING), policy=AmbiguousPolicy.REPORT)
    await reporting.delivery.drain()
    assert reporting.platform.texts == []
    assert reporting.outcomes == ["ambiguous"]


async def test_a_piece_without_room_for_the_mark_has_it_before_it() -> None:
    counter = Counter(piece(0, "x" * 15, state=OutboxState.SENDING))
    counter.platform.limit = 20
    await counter.delivery.drain()
    assert counter.platform.texts == ["(sent again)", "x" * 15]
    assert counter.written.log[-1] == ("sent", 0)


async def test_the_end_of_the_mark_is_not_the_end_of_the_piece() -> None:
    counter = Counter(piece(0, "x" * 15, state=OutboxState.SENDING))
    counter.platform.limit = 20
    counter.platform.faults = [Ambiguous("hung up")]
    await counter.delivery.drain()
    assert counter.platform.texts == ["x" * 15]
    assert counter.written.log[-1] == ("sent", 0)


async def test_a_piece_that_is_refused_behind_its_mark_gets_no_second_one() -> None:
    counter = Counter(piece(0, "x" * 15, state=OutboxState.SENDING))
    counter.platform.limit = 20
    refusals = [Transient("HTTP 429")]

    async def refuse_once(outbound: Outbound) -> None:
        if outbound.text.startswith("x") and refusals:
            raise refusals.pop()

    counter.platform.before_send = refuse_once
    due = await counter.delivery.drain()
    assert due is not None
    counter.clock.advance((due - counter.clock.now()).total_seconds())
    await counter.delivery.drain()
    assert counter.platform.texts == ["(sent again)", "x" * 15]


class Shortening(ListPlatform):
    """What is too long for the one message that is left ends early."""

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        return [replace(outbound, text=outbound.text[: self.limit])]


async def test_a_piece_that_would_be_shortened_for_the_mark_has_it_before_it() -> None:
    row = piece(0, "x" * 15, state=OutboxState.SENDING)
    counter = Counter(row, platform=Shortening(limit=20))
    await counter.delivery.drain()
    assert counter.platform.texts == ["(sent again)", "x" * 15]


class Doubting:
    """Certain of its lanes so many times, and then never again."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked = asyncio.Event()

    async def __call__(self) -> None:
        if self.times:
            self.times -= 1
            return
        self.asked.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("times", [0, 1])
async def test_what_was_not_sent_for_want_of_the_lease_leaves_unmarked_under_the_next(
    times: int,
) -> None:
    certain = Doubting(times)
    counter = Counter(piece(0), certain=certain)
    draining = asyncio.ensure_future(counter.delivery.drain())
    await certain.asked.wait()
    draining.cancel()
    await asyncio.wait([draining])
    # Another node that took over now would have to doubt what is marked as sending.
    assert counter.written.log == [("take", 0)][:times]
    row = piece(0, state=OutboxState.SENDING, attempts=1) if times else piece(0)
    certain.times = 9
    again = Delivery(counter.shared, replace(CLAIM, fence=2, before=1), CONVERSATION, [row])
    await again.drain()
    assert counter.platform.texts == ["piece 0"]
    assert counter.outcomes == []


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Transient("busy"), "piece 0"),
        (Held("closed"), "piece 0"),
        (Doubtful("HTTP 502"), "(sent again) piece 0"),
    ],
    ids=["busy", "held", "doubtful"],
)
async def test_what_ended_with_its_lane_leaves_with_a_mark_where_it_may_have_been_shown(
    fault: Exception, text: str
) -> None:
    counter = Counter(piece(0))
    reached, answered = asyncio.Event(), asyncio.Event()

    async def wire(piece: Outbound) -> None:
        reached.set()
        await answered.wait()

    counter.platform.before_send, counter.platform.faults = wire, [fault]
    draining = asyncio.ensure_future(counter.delivery.drain())
    await reached.wait()
    draining.cancel()
    answered.set()
    await asyncio.wait([draining])
    row = piece(0, state=OutboxState.SENDING, attempts=1)
    again = Delivery(counter.shared, replace(CLAIM, fence=2, before=1), CONVERSATION, [row])
    await again.drain()
    assert counter.platform.texts == [text]


async def test_a_piece_that_was_repeated_once_is_not_repeated_again() -> None:
    row = replace(piece(0, state=OutboxState.SENDING, repeats=1), error="ambiguous")
    counter = Counter(row)
    await counter.delivery.drain()
    assert counter.platform.texts == []
    assert counter.written.log == [("bury ambiguous", 0)]


async def test_a_draft_that_is_a_message_is_found_again_and_finished_without_a_mark() -> None:
    row = piece(0, state=OutboxState.SENDING, draft=Sent("d7"))
    counter = Counter(row, drafts="message")
    await counter.delivery.drain()
    assert counter.platform.texts == ["piece 0"]
    assert counter.platform.drafts[0].sent == Sent("d7")
    assert counter.outcomes == []


@pytest.mark.parametrize("attempts", [0, 3, 400])
async def test_the_pause_before_another_try_grows_and_has_an_end(attempts: int) -> None:
    counter = Counter(piece(0, attempts=attempts), piece(1))
    counter.platform.faults = [Transient("busy")]
    due = await counter.delivery.drain()
    assert due is not None
    assert 1 <= (due - EPOCH).total_seconds() <= 300
    assert counter.platform.texts == []
    assert counter.written.log == [("take", 0), ("later", 0)]


async def test_what_the_platform_says_about_when_to_come_back_is_obeyed_until_it_expires() -> None:
    counter = Counter(piece(0))
    counter.platform.faults = [Transient("flood", retry_after=timedelta(minutes=40))]
    assert await counter.delivery.drain() == EPOCH + timedelta(minutes=40)
    expiring = Counter(piece(0, expires_at=EPOCH + timedelta(minutes=10)))
    expiring.platform.faults = [Transient("flood", retry_after=timedelta(minutes=40))]
    assert await expiring.delivery.drain() == EPOCH + timedelta(minutes=10)


@pytest.mark.parametrize("state", [OutboxState.QUEUED, OutboxState.HELD])
async def test_a_platform_that_asks_for_longer_than_anyone_lives_is_asked_again_tomorrow(
    state: OutboxState,
) -> None:
    counter = Counter(piece(0, state=state))
    counter.platform.faults = [Transient("flood", retry_after=timedelta(days=10**8))]
    assert await counter.delivery.drain() == EPOCH + timedelta(days=1)


async def test_a_held_piece_keeps_its_place_until_the_person_writes() -> None:
    counter = Counter(piece(0), piece(1))
    counter.platform.faults = [Held("closed")]
    assert await counter.delivery.drain() == NEVER
    assert counter.platform.texts == []
    counter.delivery.wake_held()
    assert await counter.delivery.drain() is None
    assert counter.platform.texts == ["piece 0", "piece 1"]


async def test_a_held_piece_whose_sender_died_is_in_doubt_now_and_not_when_the_person_writes() -> (
    None
):
    counter = Counter(piece(0, state=OutboxState.SENDING, due_at=NEVER), piece(1))
    assert await counter.delivery.drain() is None
    assert counter.platform.texts == ["(sent again) piece 0", "piece 1"]


async def test_a_held_piece_that_fails_for_a_while_stays_held_and_does_not_expire() -> None:
    row = piece(0, state=OutboxState.HELD, expires_at=EPOCH - timedelta(hours=1))
    counter = Counter(row)
    counter.platform.faults = [Transient("busy")]
    due = await counter.delivery.drain()
    assert due is not None
    assert counter.written.held_until == [due]
    counter.clock.advance(400)
    assert await counter.delivery.drain() is None
    assert counter.platform.texts == ["piece 0"]


async def test_what_has_expired_is_given_up_and_what_stands_behind_it_leaves() -> None:
    counter = Counter(piece(0, expires_at=EPOCH), piece(1))
    await counter.delivery.drain()
    assert counter.platform.texts == ["piece 1"]
    assert counter.outcomes == ["expired"]


async def test_what_is_refused_for_ever_is_a_dead_letter_and_the_rest_leaves() -> None:
    counter = Counter(piece(0), piece(1))
    counter.platform.faults = [Permanent("blocked")]
    await counter.delivery.drain()
    assert counter.platform.texts == ["piece 1"]
    assert counter.outcomes == ["dead"]


async def test_a_bug_of_a_platform_counts_as_not_knowing() -> None:
    counter = Counter(piece(0))
    counter.platform.faults = [RuntimeError("a bug"), Ambiguous("lost")]
    await counter.delivery.drain()
    assert counter.outcomes == ["repeated", "ambiguous"]
    assert [fact["place"] for fact in counter.observer.named("failed")] == ["send list"]


async def test_nothing_is_sent_while_an_open_request_may_still_take_it() -> None:
    counter = Counter(piece(0), parked=4)
    assert counter.delivery.parked
    assert await counter.delivery.drain() == EPOCH + timedelta(seconds=4)
    counter.clock.advance(4)
    assert await counter.delivery.drain() is None
    assert counter.platform.texts == ["piece 0"]


async def test_the_gate_opens_when_everything_has_left_or_is_gone() -> None:
    counter = Counter(piece(0))
    assert not counter.delivery._left.is_set()
    await counter.delivery.drain()
    await counter.delivery.all_left()
    counter.delivery.add([piece(1)])
    assert not counter.delivery._left.is_set()
    counter.delivery.refresh(CONVERSATION, (), None)
    await counter.delivery.all_left()
