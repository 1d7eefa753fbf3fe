"""One holder for each lane, proved by a fence; nothing that waits is slept through."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.address import Address
from bot.domain.conversation import ConversationId, Ending, Step, StepKind
from bot.domain.message import Kind, Sent
from bot.domain.records import MOST_WAITING, Claim
from bot.errors import Fenced
from bot.ports import Store
from tests.contracts.worlds import ANN, CHAT, LEASE, OTHER_CHAT, WEEK, World


async def test_two_claimers_never_hold_the_same_lane(world: World) -> None:
    await world.accept()
    await world.accept(world.inbound(address=OTHER_CHAT))
    other = await world.another()
    one, two = await world.node("one"), await other.join("two", LEASE)
    first = await world.store.claim(one, 1)
    second = await other.claim(two, 10)
    third = await world.store.claim(one, 10)
    assert len(first) == len(second) == 1
    assert first[0].conversation != second[0].conversation
    assert not third
    assert await other.claim_one(two, first[0].conversation) is None


async def test_lanes_are_claimed_oldest_first(world: World) -> None:
    old = await world.accept()
    await world.age(5)
    new = await world.accept(world.inbound(address=OTHER_CHAT))
    # What arrives later does not push a lane behind those that waited less.
    await world.age(5)
    await world.accept()
    claims = await world.store.claim(await world.node(), 10)
    assert [claim.conversation for claim in claims] == [old.conversation, new.conversation]


async def test_a_lane_without_work_is_not_claimed(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim)
    assert await world.store.release(claim)
    node = await world.node("two")
    assert await world.store.claim_one(node, claim.conversation) is None
    assert not await world.store.claim(node, 10)
    assert await world.store.wake_up_in() is None


async def test_the_lanes_of_a_dead_node_are_free_and_its_writes_refused(world: World) -> None:
    claim = await world.claimed(await world.node("one"))
    head = await world.store.head(claim)
    turn, session = world.turn(head), world.session(head)
    await world.store.start(claim, turn, session)
    two = await world.node("two")
    assert await world.store.claim_one(two, claim.conversation) is None
    await world.age(LEASE.total_seconds() + 1)
    three = await world.node("three")
    (taken,) = await world.store.claim(three, 10)
    assert taken.fence > claim.fence
    again = await world.store.head(taken)
    assert again.turn is not None
    assert (again.turn.id, again.turn.inbounds) == (turn.id, turn.inbounds)
    assert [row.id for row in again.waiting] == [row.id for row in head.waiting]
    with pytest.raises(Fenced):
        await world.store.finish(claim, world.finish(head, turn))
    assert await world.said(claim.conversation) == []


async def test_a_restart_frees_what_the_former_epoch_held(world: World) -> None:
    claim = await world.claimed(await world.node("one"))
    reborn = await world.node("one")
    assert reborn.epoch > claim.node.epoch
    assert not await world.store.renew(claim.node, LEASE)
    (taken,) = await world.store.claim(reborn, 10)
    assert taken.conversation == claim.conversation


async def test_a_node_that_leaves_frees_its_lanes_at_once(world: World) -> None:
    claim = await world.claimed(await world.node("one"))
    await world.store.leave(claim.node)
    assert await world.store.claim_one(await world.node("two"), claim.conversation) is not None


async def test_a_node_lets_go_of_lanes_that_it_does_not_know_of(world: World) -> None:
    """A claim whose answer was lost has taken them."""
    known, unknown = await world.accept(), await world.accept(world.inbound(address=OTHER_CHAT))
    node, other = await world.node("one"), await world.node("two")
    held = await world.store.claim_one(node, known.conversation)
    lost = await world.store.claim_one(node, unknown.conversation)
    assert held is not None
    assert lost is not None
    assert not await world.store.claim(other, 10)
    assert await world.store.let_go(other, ()) == 0
    assert await world.store.let_go(node, {known.conversation}) == 1
    await world.answered(held)
    with pytest.raises(Fenced):
        await world.store.release(lost)
    (again,) = await world.store.claim(other, 10)
    assert again.conversation == unknown.conversation
    assert again.fence > lost.fence


async def test_a_lease_is_renewed_while_it_lasts_and_not_after(world: World) -> None:
    node = await world.node()
    await world.age(10)
    assert await world.store.renew(node, LEASE)
    await world.age(10)
    assert await world.store.renew(node, LEASE)
    await world.age(16)
    assert not await world.store.renew(node, LEASE)
    await world.accept()
    assert not await world.store.claim(node, 10)


async def test_a_node_whose_lease_ran_out_goes_on_under_its_next_epoch(world: World) -> None:
    claim = await world.claimed(await world.node("one"))
    await world.age(LEASE.total_seconds() + 1)
    again = await world.store.rejoin(claim.node, LEASE)
    assert again is not None
    assert again.name == "one"
    assert again.epoch > claim.node.epoch
    assert await world.store.renew(again, LEASE)
    (taken,) = await world.store.claim(again, 10)
    assert taken.conversation == claim.conversation
    assert taken.fence > claim.fence


async def test_a_node_whose_name_was_taken_by_another_does_not_take_it_back(world: World) -> None:
    first = await world.node("one")
    second = await world.node("one")
    assert await world.store.rejoin(first, LEASE) is None
    assert await world.store.renew(second, LEASE)


async def test_every_write_of_a_former_holder_is_refused(world: World) -> None:
    claim = await world.claimed(await world.node("one"))
    head = await world.store.head(claim)
    turn, session = world.turn(head), world.session(head)
    rows = await world.answered(claim)
    await world.node("one")
    taken = await world.store.claim_one(await world.node("two"), claim.conversation)
    assert taken is not None
    row, store, at = rows[0], world.store, head.now
    step = Step(1, StepKind.TOOL, "k", "{}")
    writes: list[Callable[[], Awaitable[object]]] = [
        lambda: store.head(claim),
        lambda: store.step(claim, turn.id, step, durable=True),
        lambda: store.draft(claim, turn.id, Sent("1")),
        lambda: store.finish(claim, world.finish(head, turn)),
        lambda: store.skip(claim, [turn.inbounds[0]]),
        lambda: store.take(claim, row),
        lambda: store.sent(claim, row, Sent("1")),
        lambda: store.put_back(claim, row, due_at=at, error="e"),
        lambda: store.hold(claim, row, until=None, lasts=WEEK),
        lambda: store.prolong(claim, row, lasts=WEEK),
        lambda: store.bury(claim, row, error="e"),
        lambda: store.end_session(claim, session, Ending.COMMAND),
        lambda: store.forget(claim, ANN),
        lambda: store.release(claim),
    ]
    for write in writes:
        with pytest.raises(Fenced):
            await write()
    assert (await store.head(taken)).outbox == (row,)


async def test_a_claim_is_over_although_the_same_node_has_taken_the_lane_again(
    world: World,
) -> None:
    node = await world.node()
    first = await world.claimed(node)
    (row,) = await world.answered(first)
    assert await world.store.release(first)
    await world.accept()
    (second,) = await world.store.claim(node, 10)
    assert await world.store.release(second)
    await world.accept()
    third = await world.store.claim_one(node, first.conversation)
    assert third is not None
    assert first.fence < second.fence < third.fence
    for over in (first, second):
        with pytest.raises(Fenced):
            await world.store.take(over, row)
    assert (await world.store.head(third)).outbox == (row,)


async def test_a_claim_tells_which_one_it_follows(world: World) -> None:
    """Who finds his own knows that nobody else has held the lane since."""
    first = await world.claimed(await world.node("one"))
    again = await world.store.claim_one(await world.node("one"), first.conversation)
    assert again is not None
    assert again.before == first.fence
    (third,) = await world.store.claim(await world.node("one"), 10)
    assert third.before == again.fence
    assert third.fence > third.before > first.fence


async def test_what_is_not_waited_for_is_refused_by_the_next_write_that_is(world: World) -> None:
    claim = await world.claimed(await world.node("one"))
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.node("one")
    taken = await world.store.claim_one(await world.node("two"), claim.conversation)
    assert taken is not None
    with pytest.raises(Fenced):
        await _begin_and_finish(world, claim)
    again = await world.store.head(taken)
    assert again.turn is None
    assert [row.id for row in again.waiting] == list(turn.inbounds)


async def _begin_and_finish(world: World, claim: Claim) -> None:
    head = await world.store.head(claim)
    await world.store.start(claim, world.turn(head), world.session(head))
    await world.store.finish(claim, world.finish(head, world.turn(head)))


async def test_a_lane_that_got_a_message_while_held_is_not_given_back(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim)
    late = await world.accept(world.inbound("one more"))
    assert not await world.store.release(claim)
    head = await world.store.head(claim)
    assert [row.id for row in head.waiting] == [late.inbound]
    await world.answered(claim)
    assert await world.store.release(claim)


async def test_a_repeat_does_not_wake_a_lane(world: World) -> None:
    inbound = world.inbound()
    accepted = await world.accept(inbound)
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    await world.accept(inbound)
    assert await world.store.release(claim)


async def test_a_parked_lane_wakes_at_its_time_or_when_something_is_accepted(
    world: World,
) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    await world.answered(claim)
    now = (await world.store.head(claim)).now
    assert await world.store.release(claim, wake_at=now + timedelta(seconds=10))
    left = await world.store.wake_up_in()
    assert left is not None
    assert 9 < left <= 10
    assert await world.store.claim_one(node, claim.conversation) is None
    await world.accept()
    assert await world.store.wake_up_in() == 0
    again = await world.store.claim_one(node, claim.conversation)
    assert again is not None
    await world.answered(again)
    assert await world.store.release(again, wake_at=now + timedelta(seconds=10))
    await world.age(11)
    fresh = await world.node("two")
    assert [found.conversation for found in await world.store.claim(fresh, 10)] == [
        claim.conversation
    ]


async def test_a_lane_that_is_given_back_takes_no_more_writes(world: World) -> None:
    claim = await world.claimed()
    rows = await world.answered(claim)
    assert await world.store.release(claim)
    with pytest.raises(Fenced):
        await world.store.take(claim, rows[0])


async def test_a_lane_that_sleeps_on_work_is_woken_by_repair(world: World) -> None:
    claim = await world.claimed()
    assert await world.store.release(claim)
    assert await world.store.wake_up_in() is None
    assert await world.store.repair() == 1
    assert await world.store.wake_up_in() == 0
    assert await world.store.repair() == 0


async def test_what_waits_behind_a_held_piece_sleeps_until_the_person_writes(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    first, _ = await world.answered(claim, pieces=2, sending_first=True)
    await world.store.hold(claim, first, until=None, lasts=WEEK)
    assert await world.store.release(claim)
    assert await world.store.repair() == 0
    assert await world.store.wake_up_in() is None
    await world.age(WEEK.total_seconds())
    assert [row.piece for row in await world.store.expire_outbox(WEEK)] == [0]
    assert await world.store.wake_up_in() == 0, "nothing holds up the second one any longer"
    assert await world.store.repair() == 0


async def test_the_newest_of_what_waits_is_found_behind_more_than_a_head_shows(
    world: World,
) -> None:
    claim = await world.claimed(await world.node("one"))
    shown = {row.id for row in (await world.store.head(claim)).waiting}
    await asyncio.gather(*(world.accept() for _ in range(2 * MOST_WAITING)))
    order = await world.accept(world.inbound("/stop", kind=Kind.COMMAND))
    shown |= {row.id for row in (await world.store.head(claim)).waiting}
    assert order.inbound not in shown
    found = [row.id for row in await world.store.newest(claim)]
    assert found == sorted(found)
    assert found[-1] == order.inbound
    assert len(found) == len(shown)
    await world.node("one")
    assert await world.store.claim_one(await world.node("two"), claim.conversation) is not None
    assert not await world.store.newest(claim)


async def test_the_head_tells_the_conversation_and_the_next_sequence_number(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    assert head.conversation.address == CHAT
    assert head.conversation.tenant == "default"
    assert head.session is None
    assert head.next_message == 1
    await world.answered(claim)
    head = await world.store.head(claim)
    assert head.next_message == 3
    assert head.session is not None
    assert head.session.n == 1
    assert head.turn is None
    assert head.waiting == ()


async def test_two_claimers_under_backlog_answer_everything_once_and_in_order(
    world: World,
) -> None:
    """The regression test of reading the head in the statement that claims: it repeats answers."""
    places = [Address("telegram", "1001", f"chat{n}") for n in range(12)]
    accepted: dict[ConversationId, list[int]] = {}
    for _ in range(4):
        for place in places:
            row = await world.accept(world.inbound(address=place))
            accepted.setdefault(row.conversation, []).append(row.inbound)
    answered: dict[ConversationId, list[int]] = {}
    stores = [world.store, await world.another(), world.store, await world.another()]

    async def drain(store: Store, name: str) -> None:
        node = await store.join(name, LEASE)
        while claims := await store.claim(node, 3):
            for claim in claims:
                await _answer_one_by_one(world, store, claim, answered)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for n, store in enumerate(stores):
            group.create_task(drain(store, f"node{n}"))
    assert answered == accepted


async def _answer_one_by_one(
    world: World, store: Store, claim: Claim, answered: dict[ConversationId, list[int]]
) -> None:
    while True:
        head = await store.head(claim)
        if not head.waiting and await store.release(claim):
            return
        for row in head.waiting[:1]:
            alone = replace(head, waiting=(row,))
            turn = world.turn(alone)
            await store.start(claim, turn, world.session(alone))
            await store.finish(claim, replace(world.finish(alone, turn), pieces=()))
            answered.setdefault(claim.conversation, []).append(row.id)
