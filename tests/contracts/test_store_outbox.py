"""Pieces leave in order, each marked before the wire is touched; slots take theirs."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.message import Choice, Citation, Image, Outbound, Sent
from bot.domain.records import Accepted, OutboxRow, OutboxState
from bot.errors import Gone
from tests.contracts.worlds import CHAT, HERE, WEEK, World


async def test_a_piece_is_taken_sent_and_gone_from_the_head(world: World) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim)
    taken = await world.store.take(claim, row)
    assert (taken.state, taken.attempts) == (OutboxState.SENDING, 1)
    assert (await world.store.head(claim)).outbox == (taken,)
    await world.store.sent(claim, taken, Sent("m9", (("thread", "1"),)))
    assert (await world.store.head(claim)).outbox == ()


async def test_pieces_wait_oldest_turn_first(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim, "one", pieces=2)
    await world.accept()
    await world.answered(claim, "two")
    rows = (await world.store.head(claim)).outbox
    assert [(row.outbound.text, row.piece) for row in rows] == [("one", 0), ("one", 1), ("two", 0)]


async def test_a_piece_comes_back_as_it_was_written(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    piece = Outbound(
        "key",
        CHAT,
        "**bold** é",
        expires_at=head.now + timedelta(hours=1),
        reply_to="m1",
        attachments=(Image("ref", caption="a cat"),),
        choices=(Choice("Yes", "yes"),),
        citations=(Citation("Page", "u"),),
    )
    await world.store.finish(claim, replace(world.finish(head, world.turn(head)), pieces=(piece,)))
    assert [row.outbound for row in (await world.store.head(claim)).outbox] == [piece]


async def test_a_piece_that_could_not_be_sent_is_put_back_for_later(world: World) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim, sending_first=True)
    due = row.due_at + timedelta(seconds=30)
    await world.store.put_back(claim, row, due_at=due, error="429")
    (found,) = (await world.store.head(claim)).outbox
    assert (found.state, found.due_at, found.error) == (OutboxState.QUEUED, due, "429")
    assert (found.attempts, found.repeats) == (1, 0)
    taken = await world.store.take(claim, found)
    await world.store.put_back(claim, taken, due_at=due, error="ambiguous", repeat=True)
    (found,) = (await world.store.head(claim)).outbox
    assert (found.attempts, found.repeats) == (2, 1)


async def test_a_piece_that_is_put_back_twice_in_one_breath_was_repeated_once(world: World) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim, sending_first=True)
    for _ in range(2):  # the answer to the first was lost
        await world.store.put_back(claim, row, due_at=row.due_at, error="doubt", repeat=True)
    (found,) = (await world.store.head(claim)).outbox
    assert found.repeats == 1


async def test_a_piece_that_its_draft_cannot_hold_is_put_back_without_it(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = replace(world.turn(head), draft=Sent("d7"))
    rows = await world.store.finish(claim, replace(world.finish(head, turn), sending_first=True))
    assert rows[0].draft == Sent("d7")
    await world.store.put_back(claim, rows[0], due_at=world.now(), error="later")
    assert (await world.store.head(claim)).outbox[0].draft == Sent("d7")
    await world.store.put_back(claim, rows[0], due_at=world.now(), error="gone", alone=True)
    found = (await world.store.head(claim)).outbox[0]
    assert (found.state, found.draft, found.repeats) == (OutboxState.QUEUED, None, 0)


async def test_a_held_piece_stays_in_the_head_and_can_be_taken(world: World) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim, sending_first=True)
    await world.store.hold(claim, row, until=None, lasts=WEEK)
    (found,) = (await world.store.head(claim)).outbox
    assert found.state is OutboxState.HELD
    assert found.due_at.year == 9999
    until = row.due_at + timedelta(hours=1)
    await world.store.hold(claim, found, until=until, lasts=WEEK)
    (found,) = (await world.store.head(claim)).outbox
    assert found.due_at == until
    taken = await world.store.take(claim, found)
    assert taken.state is OutboxState.SENDING


async def test_what_was_given_up_is_a_dead_letter_that_can_be_replayed(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    past = (await world.store.head(claim)).now - timedelta(seconds=1)
    (row,) = await world.answered(claim, sending_first=True, expires_at=past)
    await world.store.bury(claim, row, error="chat not found")
    assert (await world.store.head(claim)).outbox == ()
    (dead,) = await world.store.outbox_rows([OutboxState.DEAD])
    assert (dead.error, dead.outbound.text) == ("chat not found", "an answer")
    assert await world.store.release(claim)
    assert await world.store.outbox_retry(row.conversation, row.turn, row.piece)
    assert not await world.store.outbox_retry(row.conversation, row.turn, row.piece)
    again = await world.store.claim_one(node, row.conversation)
    assert again is not None
    (found,) = (await world.store.head(again)).outbox
    assert (found.state, found.outbound.expires_at) == (OutboxState.QUEUED, None)


@pytest.mark.parametrize(("error", "repeats"), [("ambiguous", 1), ("chat not found", 0)])
async def test_what_may_have_been_shown_is_marked_when_an_operator_has_it_sent_again(
    world: World, error: str, repeats: int
) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim)
    taken = await world.store.take(claim, row)
    await world.store.bury(claim, taken, error=error)
    assert await world.store.outbox_retry(row.conversation, row.turn, row.piece)
    (found,) = (await world.store.head(claim)).outbox
    assert (found.state, found.repeats) == (OutboxState.QUEUED, repeats)


async def test_what_was_sent_once_more_is_listed_and_nothing_else_that_was_sent(
    world: World,
) -> None:
    claim = await world.claimed()
    rows = await world.answered(claim, pieces=3)
    for number, row in enumerate(rows):
        taken = await world.store.take(claim, row)
        if number != 1:
            due, error = world.now(), "ambiguous"
            await world.store.put_back(claim, taken, due_at=due, error=error, repeat=True)
            taken = await world.store.take(claim, row)
        await world.store.sent(claim, taken, Sent("1"))
    found = await world.store.outbox_repeated()
    assert [(row.piece, row.repeats) for row in found] == [(2, 1), (0, 1)]
    assert [row.piece for row in await world.store.outbox_repeated(1)] == [2]


async def test_what_waited_behind_a_piece_that_is_dropped_waits_no_longer(world: World) -> None:
    claim = await world.claimed()
    first, second = await world.answered(claim, pieces=2)
    later = world.now() + timedelta(hours=3)
    taken = await world.store.take(claim, first)
    await world.store.put_back(claim, taken, due_at=later, error="flood")
    assert await world.store.release(claim, wake_at=later)
    assert await world.store.outbox_drop(first.conversation, first.turn, first.piece)
    again = await world.store.claim_one(claim.node, claim.conversation)
    assert again is not None
    assert [row.piece for row in (await world.store.head(again)).outbox] == [second.piece]


async def test_a_dead_letter_can_be_dropped_but_not_one_that_is_on_its_way(world: World) -> None:
    claim = await world.claimed()
    first, second = await world.answered(claim, pieces=2, sending_first=True)
    assert not await world.store.outbox_drop(first.conversation, first.turn, 0)
    await world.store.bury(claim, second, error="x")
    assert await world.store.outbox_drop(second.conversation, second.turn, 1)
    assert not await world.store.outbox_drop(second.conversation, second.turn, 1)
    assert await world.store.outbox_rows([OutboxState.DEAD]) == []


async def test_a_piece_that_is_gone_is_not_taken_and_its_lane_stays_held(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    (row,) = await world.answered(claim)
    assert await world.store.outbox_drop(row.conversation, row.turn, row.piece)
    with pytest.raises(Gone):
        await world.store.take(claim, row)
    assert (await world.store.head(claim)).outbox == ()
    assert await world.store.claim_one(node, claim.conversation) is None


async def test_what_was_sent_stays_sent(world: World) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim, sending_first=True)
    await world.store.sent(claim, row, Sent("1"))
    await world.store.put_back(claim, row, due_at=row.due_at, error="late")
    await world.store.hold(claim, row, until=None, lasts=WEEK)
    await world.store.bury(claim, row, error="late")
    assert (await world.store.head(claim)).outbox == ()
    assert await world.store.outbox_rows([OutboxState.DEAD, OutboxState.HELD]) == []


async def test_queued_pieces_expire_and_held_ones_after_their_own_time(world: World) -> None:
    claim = await world.claimed()
    minute = world.now() + timedelta(minutes=1)
    first, second, third = await world.answered(claim, pieces=3, expires_at=minute)
    await world.store.hold(claim, third, until=None, lasts=WEEK)
    assert await world.store.expire_outbox(WEEK) == []
    await world.age(120)
    expired = await world.store.expire_outbox(WEEK)
    assert [row.piece for row in expired] == [first.piece, second.piece]
    assert {row.state for row in expired} == {OutboxState.DEAD}
    assert await world.store.expire_outbox(WEEK) == []
    await world.age(WEEK.total_seconds())
    (expired_late,) = await world.store.expire_outbox(WEEK)
    assert (expired_late.piece, expired_late.state) == (third.piece, OutboxState.DEAD)


async def test_what_waits_behind_a_held_piece_lasts_as_long_as_that(world: World) -> None:
    claim = await world.claimed()
    minute = world.now() + timedelta(minutes=1)
    held, _ = await world.answered(claim, pieces=2, sending_first=True, expires_at=minute)
    await world.accept()
    await world.answered(claim, "the next answer", expires_at=minute)
    await world.store.hold(claim, held, until=None, lasts=WEEK)
    await world.age(120)
    assert await world.store.expire_outbox(WEEK) == []
    now = world.now()
    ends = [row.outbound.expires_at for row in (await world.store.head(claim)).outbox]
    assert [end is not None and end > now + timedelta(days=6) for end in ends] == [True] * 3
    await world.age(WEEK.total_seconds())
    assert len(await world.store.expire_outbox(WEEK)) == 3


async def test_what_comes_to_stand_behind_a_held_piece_is_prolonged_and_nothing_else_is(
    world: World,
) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    minute = world.now() + timedelta(minutes=1)
    older, held = await world.answered(claim, pieces=2, expires_at=minute)
    await world.store.hold(claim, held, until=None, lasts=WEEK)
    open_for = timedelta(seconds=5)
    accepted = await world.store.accept(world.inbound(), HERE, open_for=open_for, node=node)
    assert accepted.slot is not None
    await world.answered(claim, "the next answer", expires_at=minute)
    closes_at = (await world.store.head(claim)).slot_closes_at
    assert closes_at is not None
    taken = await took(world, accepted, closes_at, 2)
    await world.store.prolong(claim, held, lasts=WEEK)
    rows = (await world.store.head(claim)).outbox
    assert [row.state.value for row in rows] == ["sending", "sending", "queued"]
    assert [row.outbound.expires_at == minute for row in rows] == [True, False, False]
    # An open request that has a piece still has it.
    await world.store.slot_replied(taken[1], accepted.slot, Sent())
    assert [row.piece for row in (await world.store.head(claim)).outbox] == [older.piece, 0]


async def test_what_has_longer_than_what_is_held_or_never_expires_keeps_its_time(
    world: World,
) -> None:
    claim = await world.claimed()
    month = world.now() + timedelta(days=30)
    held, long = await world.answered(claim, pieces=2, expires_at=month)
    await world.accept()
    (never,) = await world.answered(claim)
    await world.store.hold(claim, held, until=None, lasts=WEEK)
    rows = (await world.store.head(claim)).outbox
    assert [row.outbound.expires_at for row in rows] == [
        row.outbound.expires_at for row in (held, long, never)
    ]


async def test_a_held_piece_that_leaves_that_state_again_has_as_long_to_live(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    minute = world.now() + timedelta(minutes=1)
    (row,) = await world.answered(claim, sending_first=True, expires_at=minute)
    await world.store.hold(claim, row, until=None, lasts=WEEK)
    await world.age(120)
    open_for = timedelta(seconds=5)
    accepted = await world.store.accept(world.inbound(), HERE, open_for=open_for, node=node)
    assert accepted.slot is not None
    closes_at = (await world.store.head(claim)).slot_closes_at
    assert closes_at is not None
    taken = await world.store.take_for_slot(accepted.conversation, accepted.slot, closes_at)
    assert taken is not None
    await world.store.slot_unused(taken, accepted.slot)
    assert await world.store.expire_outbox(WEEK) == []
    (found,) = (await world.store.head(claim)).outbox
    again = await world.store.take(claim, found)
    await world.store.put_back(claim, again, due_at=world.now(), error="lost", repeat=True)
    assert await world.store.expire_outbox(WEEK) == []
    (found,) = (await world.store.head(claim)).outbox
    assert found.state is OutboxState.QUEUED
    assert found.outbound.expires_at is not None
    assert found.outbound.expires_at > world.now()


async def test_what_is_sent_or_given_up_is_not_held_and_gives_nobody_time(world: World) -> None:
    claim = await world.claimed()
    minute = world.now() + timedelta(minutes=1)
    first, _ = await world.answered(claim, pieces=2, sending_first=True, expires_at=minute)
    await world.store.sent(claim, first, Sent("1"))
    await world.store.hold(claim, first, until=None, lasts=WEEK)
    await world.age(120)
    assert [row.piece for row in await world.store.expire_outbox(WEEK)] == [1]


async def test_a_slot_takes_the_oldest_piece_and_reports_it(world: World) -> None:
    node = await world.node()
    accepted = await world.store.accept(
        world.inbound(), HERE, open_for=timedelta(seconds=5), node=node
    )
    assert accepted.slot is not None
    claim = await world.store.claim_one(node, accepted.conversation)
    assert claim is not None
    await world.answered(claim, pieces=2)
    head = await world.store.head(claim)
    closes_at = head.slot_closes_at
    assert closes_at is not None
    row = await world.store.take_for_slot(accepted.conversation, accepted.slot, closes_at)
    assert row is not None
    assert (row.piece, row.state) == (0, OutboxState.SENDING)
    # The second may not overtake the first while nobody knows what became of it.
    again = await world.store.accept(world.inbound(), HERE, open_for=timedelta(seconds=5))
    assert again.slot is not None
    assert await world.store.take_for_slot(accepted.conversation, again.slot, closes_at) is None
    # It may still come back to whoever waits for it; whoever took it waits for nothing.
    assert [
        await world.store.settled(accepted.conversation, accepted.inbound, slot)
        for slot in (accepted.slot, again.slot)
    ] == [True, False]
    await world.store.slot_replied(row, accepted.slot, Sent("r1"))
    second = await world.store.take_for_slot(accepted.conversation, again.slot, closes_at)
    assert second is not None
    assert second.piece == 1
    assert await world.store.settled(accepted.conversation, accepted.inbound, again.slot)
    await world.store.close_slot(again.slot)
    await world.store.close_slot(accepted.slot)
    parked = (await world.store.head(claim)).slot_closes_at
    assert parked is not None
    assert parked > closes_at


async def took(
    world: World, accepted: Accepted, closes_at: datetime, pieces: int
) -> list[OutboxRow]:
    """So many pieces that a slot has taken one after the other."""
    taken: list[OutboxRow] = []
    for _ in range(pieces):
        row = await world.store.take_for_slot(
            accepted.conversation,
            accepted.slot or 0,
            closes_at,
            behind=taken[-1] if taken else None,
        )
        assert row is not None
        taken.append(row)
    return taken


async def test_a_slot_whose_answer_was_lost_hands_out_the_same_piece_once_more(
    world: World,
) -> None:
    node = await world.node()
    accepted = await world.store.accept(
        world.inbound(), HERE, open_for=timedelta(seconds=5), node=node
    )
    claim = await world.store.claim_one(node, accepted.conversation)
    assert claim is not None
    await world.answered(claim, pieces=2)
    closes_at = (await world.store.head(claim)).slot_closes_at
    assert closes_at is not None
    (lost,) = await took(world, accepted, closes_at, 1)
    first, second = await took(world, accepted, closes_at, 2)
    assert (lost.piece, first.piece, second.piece) == (0, 0, 1)
    assert (lost.attempts, first.attempts) == (1, 1), "it was taken once"
    (again,) = await took(world, accepted, closes_at, 1)
    assert again.piece == 0


async def test_one_slot_takes_several_pieces_in_order_and_gives_back_what_it_did_not_use(
    world: World,
) -> None:
    node = await world.node()
    accepted = await world.store.accept(
        world.inbound(), HERE, open_for=timedelta(seconds=5), node=node
    )
    assert accepted.slot is not None
    assert not await world.store.settled(accepted.conversation, accepted.inbound, accepted.slot)
    claim = await world.store.claim_one(node, accepted.conversation)
    assert claim is not None
    await world.answered(claim, pieces=3)
    assert await world.store.settled(accepted.conversation, accepted.inbound, accepted.slot)
    closes_at = (await world.store.head(claim)).slot_closes_at
    assert closes_at is not None
    taken = await took(world, accepted, closes_at, 3)
    assert [row.piece for row in taken] == [0, 1, 2]
    await world.store.slot_replied(taken[0], accepted.slot, Sent())
    await world.store.slot_unused(taken[1], accepted.slot)
    await world.store.slot_unused(taken[2], accepted.slot)
    await world.store.slot_unused(taken[2], accepted.slot)
    await world.store.close_slot(accepted.slot)
    head = await world.store.head(claim)
    assert [(row.piece, row.state, row.attempts) for row in head.outbox] == [
        (1, OutboxState.QUEUED, 0),
        (2, OutboxState.QUEUED, 0),
    ]
    assert head.slot_closes_at is None


async def test_a_slot_that_does_not_know_leaves_the_piece_to_the_lane(world: World) -> None:
    node = await world.node()
    accepted = await world.store.accept(
        world.inbound(), HERE, open_for=timedelta(seconds=5), node=node
    )
    assert accepted.slot is not None
    claim = await world.store.claim_one(node, accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    closes_at = (await world.store.head(claim)).slot_closes_at
    assert closes_at is not None
    assert await world.store.release(claim, wake_at=closes_at)
    row = await world.store.take_for_slot(accepted.conversation, accepted.slot, closes_at)
    assert row is not None
    await world.store.slot_replied(row, accepted.slot, None)
    await world.store.close_slot(accepted.slot)
    again = await world.store.claim_one(node, accepted.conversation)
    assert again is not None
    head = await world.store.head(again)
    assert [found.state for found in head.outbox] == [OutboxState.SENDING]
    assert head.slot_closes_at is None


async def test_a_closed_slot_takes_nothing_and_wakes_the_lane(world: World) -> None:
    node = await world.node()
    accepted = await world.store.accept(
        world.inbound(), HERE, open_for=timedelta(seconds=5), node=node
    )
    assert accepted.slot is not None
    claim = await world.store.claim_one(node, accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    closes_at = (await world.store.head(claim)).slot_closes_at
    assert closes_at is not None
    assert await world.store.release(claim, wake_at=closes_at)
    await world.store.close_slot(accepted.slot)
    assert await world.store.wake_up_in() == 0
    assert await world.store.take_for_slot(accepted.conversation, accepted.slot, closes_at) is None


async def test_an_answer_that_has_expired_is_put_into_no_open_request(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    await world.answered(claim, "too late", expires_at=world.now() + timedelta(minutes=1))
    await world.age(120)
    open_for = timedelta(seconds=5)
    accepted = await world.store.accept(world.inbound(), HERE, open_for=open_for, node=node)
    assert accepted.slot is not None
    await world.answered(claim, "in time")
    closes_at = (await world.store.head(claim)).slot_closes_at
    assert closes_at is not None
    assert await world.store.take_for_slot(accepted.conversation, accepted.slot, closes_at) is None
    assert len(await world.store.expire_outbox(WEEK)) == 1
    (row,) = await took(world, accepted, closes_at, 1)
    assert row.outbound.text == "in time"


async def test_a_slot_whose_time_is_over_takes_nothing(world: World) -> None:
    node = await world.node()
    accepted = await world.store.accept(
        world.inbound(), HERE, open_for=timedelta(seconds=5), node=node
    )
    assert accepted.slot is not None
    claim = await world.store.claim_one(node, accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    closes_at = (await world.store.head(claim)).slot_closes_at
    assert closes_at is not None
    await world.age(6)
    assert await world.store.take_for_slot(accepted.conversation, accepted.slot, closes_at) is None
    assert (await world.store.head(claim)).slot_closes_at is None
