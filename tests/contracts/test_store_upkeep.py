"""What the schedule does, what an operator asks, and what is forgotten."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, Ending
from bot.domain.message import Kind, Sent, Text
from bot.domain.records import Claim, Node, OutboxState, Retention, UsageRow
from bot.engine.lane import BROKEN
from bot.errors import Fenced
from tests.contracts.worlds import ANN, BOB, CHAT, LEASE, OTHER_CHAT, WEEK, World

DAY = 86400.0
RULES = Retention(journal_seconds=7 * DAY, retain_seconds=90 * DAY)


async def _quiet(world: World) -> int:
    """A conversation whose answer has been sent."""
    claim = await world.claimed()
    (row,) = await world.answered(claim, sending_first=True)
    await world.store.sent(claim, row, Sent("1"))
    assert await world.store.release(claim)
    return claim.conversation


async def test_bodies_go_first_then_lines_and_keys_last(world: World) -> None:
    inbound = world.inbound(key="e1")
    await world.accept(inbound)
    claim = (await world.store.claim(await world.node(), 1))[0]
    (row,) = await world.answered(claim, sending_first=True)
    await world.store.sent(claim, row, Sent("1"))
    assert await world.store.release(claim)
    assert not any((await world.store.retain(RULES)).values())
    await world.age(8 * DAY)
    counts = await world.store.retain(RULES)
    assert (counts["inbox"], counts["outbox"], counts["messages"]) == (1, 1, 0)
    assert not (await world.accept(inbound)).new
    assert await world.said(claim.conversation) == ["hello", "an answer"]
    await world.age(30 * DAY)
    assert (await world.store.retain(RULES))["keys"] == 2
    await world.age(60 * DAY)
    counts = await world.store.retain(RULES)
    assert (counts["messages"], counts["turns"]) == (2, 1)
    assert await world.said(claim.conversation) == []


async def test_what_was_used_goes_with_its_turn_but_not_while_somebody_may_ask_for_it(
    world: World,
) -> None:
    conversation = ConversationId(await _quiet(world))
    soon = replace(RULES, retain_seconds=3 * DAY)
    await world.age(4 * DAY)
    counts = await world.store.retain(soon)
    assert (counts["messages"], counts["turns"], counts["usage"]) == (2, 1, 0)
    assert not any((await world.store.retain(soon)).values())
    assert (await _used(world, conversation)).input == 100
    await world.age(27 * DAY)
    counts = await world.store.retain(soon)
    assert (counts["messages"], counts["turns"], counts["usage"]) == (0, 1, 1)
    assert await _used(world, conversation) == UsageRow()


async def test_what_was_used_is_known_as_long_as_what_was_said(world: World) -> None:
    conversation = ConversationId(await _quiet(world))
    await world.age(89 * DAY)
    assert (await world.store.retain(RULES))["usage"] == 0
    assert (await _used(world, conversation)).output == 20
    await world.age(2 * DAY)
    assert (await world.store.retain(RULES))["usage"] == 1
    assert await _used(world, conversation) == UsageRow()


async def test_sessions_that_ended_long_ago_go_but_for_the_newest(world: World) -> None:
    claim = await world.claimed()
    for n in range(1, 4):
        head = await world.store.head(claim)
        session = world.session(head, n)
        turn = replace(world.turn(head), session=n)
        await world.store.start(claim, turn, session)
        finish = replace(world.finish(head, turn), session=session, pieces=())
        await world.store.finish(claim, finish)
        await world.store.end_session(claim, session, Ending.COMMAND)
        await world.accept()
    await world.age(89 * DAY)
    assert (await world.store.retain(RULES))["sessions"] == 0
    head = await world.store.head(claim)
    await world.store.start(claim, world.turn(head), world.session(head, 3))
    await world.age(2 * DAY)
    # A turn that is not finished will write to its session.
    assert (await world.store.retain(RULES))["sessions"] == 0
    finish = world.finish(head, world.turn(head))
    await world.store.finish(claim, replace(finish, pieces=()))
    assert (await world.store.retain(RULES))["sessions"] == 2
    assert (await world.store.retain(RULES))["sessions"] == 0
    newest = (await world.store.head(claim)).session
    assert newest is not None
    assert newest.n == 3


async def test_nodes_that_are_long_gone_are_forgotten_unless_something_names_them(
    world: World,
) -> None:
    alive = await world.node("alive")
    gone, left, holds = [await world.node(name) for name in ("gone", "left", "holds")]
    listens, ticks = await world.node("listens"), await world.node("ticks")
    claim = await world.claimed(holds)
    assert await world.store.listeners(lambda: listens, "default").hold("telegram") == 0
    assert await world.store.claim_tick("sweep", world.now() + timedelta(days=30), ticks)
    await world.store.leave(left)
    assert (await world.store.retain(RULES))["nodes"] == 1
    await world.age(6 * DAY)
    alive = await world.node("alive")
    assert (await world.store.retain(RULES))["nodes"] == 0
    await world.age(2 * DAY)
    assert (await world.store.retain(RULES))["nodes"] == 1
    # Whoever finds a lane of theirs finds it by the row of the node.
    (found,) = await world.store.claim(await world.node("next"), 10)
    assert found.conversation == claim.conversation
    assert (await world.store.retain(RULES))["nodes"] == 1
    # It is not taken for what it was, should that come back.
    again = await world.node("gone")
    assert again.epoch > gone.epoch
    assert not await world.store.renew(gone, LEASE)
    assert await world.store.rejoin(gone, LEASE) is None
    assert (await world.node("left")).epoch > left.epoch
    assert (await world.node("alive")).epoch == alive.epoch + 1


async def test_a_node_that_was_forgotten_while_it_stood_still_has_still_its_name(
    world: World,
) -> None:
    still = await world.node("still")
    await world.age(8 * DAY)
    other = await world.another()
    await other.join("other", LEASE)
    assert (await other.retain(RULES))["nodes"] == 1
    again = await world.store.rejoin(still, LEASE)
    assert again is not None
    assert again.epoch > still.epoch
    assert await world.store.renew(again, LEASE)
    assert not await world.store.renew(still, LEASE)
    await world.accept()
    assert await world.store.claim(again, 10)


async def _used(world: World, conversation: ConversationId) -> UsageRow:
    long_ago = world.now() - timedelta(days=1000)
    return await world.store.usage(conversation=conversation, sender=None, since=long_ago)


async def test_sequence_numbers_are_not_used_again_after_retention(world: World) -> None:
    await _quiet(world)
    await world.age(91 * DAY)
    await world.store.retain(RULES)
    accepted = await world.accept()
    claim = await world.store.claim_one(await world.node("two"), accepted.conversation)
    assert claim is not None
    assert (await world.store.head(claim)).next_message == 3


async def test_retention_works_in_batches(world: World) -> None:
    for _ in range(3):
        await _quiet(world)
    await world.age(8 * DAY)
    rules = replace(RULES, batch=2)
    assert (await world.store.retain(rules))["inbox"] == 2
    assert (await world.store.retain(rules))["inbox"] == 1
    assert (await world.store.retain(rules))["inbox"] == 0


async def test_what_waits_is_not_retained_away(world: World) -> None:
    accepted = await world.accept()
    await world.age(100 * DAY)
    await world.store.retain(RULES)
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    assert len((await world.store.head(claim)).waiting) == 1


async def test_forgetting_a_conversation_leaves_no_line_of_it(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim)
    await world.accept(world.inbound("not begun"))
    order = await world.accept(world.inbound("/forget", kind=Kind.COMMAND))
    await world.store.forget(claim, None)
    head = await world.store.head(claim)
    assert [row.inbound.text for row in head.waiting] == ["", "/forget"]
    assert head.waiting[1].id == order.inbound
    assert head.outbox == ()
    assert head.next_message == 3
    assert await world.said(claim.conversation) == []
    assert await world.store.said_by("default", "telegram:1001:7") == [
        entry
        for entry in await world.store.page("default", CHAT, before=None, limit=10)
        if entry.waiting
    ]
    assert (
        await world.store.usage(
            conversation=claim.conversation, sender=None, since=head.now - timedelta(days=1)
        )
    ).turns == 1
    rows = await world.answered(claim, "forgotten")
    assert [row.outbound.text for row in rows] == ["forgotten"]


async def test_the_order_to_forget_keeps_its_words_until_it_is_answered(world: World) -> None:
    """Only its words tell what it is, and it may have to be obeyed once more."""
    accepted = await world.accept(world.inbound("forget this"))
    order = await world.accept(world.inbound("忘记我"))
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    await world.store.forget(claim, None, order=order.inbound)
    await world.store.forget(claim, ANN, order=order.inbound)
    head = await world.store.head(claim)
    assert [row.inbound.text for row in head.waiting] == ["", "忘记我"]


@pytest.mark.parametrize("whose", [ANN, None])
async def test_what_is_said_after_the_order_to_forget_waits_for_its_answer(
    world: World, whose: Sender | None
) -> None:
    claim = await world.claimed()
    order = await world.accept(world.inbound("/forget", kind=Kind.COMMAND))
    await world.accept(world.inbound("a question"))
    await world.store.forget(claim, whose, order=order.inbound)
    await world.accept(world.inbound("written while nobody was there"))
    # Obeyed once more: whoever did it has died before they could say so.
    await world.store.forget(claim, whose, order=order.inbound)
    assert [row.inbound.text for row in (await world.store.head(claim)).waiting] == [
        "",
        "/forget",
        "a question",
        "written while nobody was there",
    ]


async def test_forgetting_one_sender_leaves_the_others(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim, "for Ann")
    await world.accept(world.inbound("his", sender=BOB))
    await world.answered(claim, "for Bob")
    await world.store.forget(claim, ANN)
    assert await world.said(claim.conversation) == ["his", "for Bob"]
    outbox = (await world.store.head(claim)).outbox
    assert [row.outbound.text for row in outbox] == ["for Bob"]
    assert await world.store.said_by("default", "telegram:1001:7") == []


@pytest.mark.parametrize("whose", [ANN, None])
async def test_what_was_said_at_the_new_address_before_the_move_was_told_is_forgotten_too(
    world: World, whose: Sender | None
) -> None:
    """The chat's first message there may overtake the notice: it founds another conversation."""
    node = await world.node()
    await world.accept(world.inbound("before"))
    early = await world.accept(world.inbound("early", address=OTHER_CHAT))
    claim = await world.store.claim_one(node, early.conversation)
    assert claim is not None
    await world.answered(claim)
    assert await world.store.release(claim)
    await world.accept(world.inbound("not begun", address=OTHER_CHAT))
    await world.store.move("default", CHAT, OTHER_CHAT)
    order = await world.accept(world.inbound("/forget", kind=Kind.COMMAND, address=OTHER_CHAT))
    assert order.conversation != early.conversation
    claim = await world.store.claim_one(node, order.conversation)
    assert claim is not None
    await world.store.forget(claim, whose, order=order.inbound)
    entries = await world.store.said_by("default", "telegram:1001:7")
    assert [entry.message.text for entry in entries if entry.message.text] == ["/forget"]
    assert await world.said(early.conversation) == []


async def test_erasing_a_conversation_leaves_nothing_of_it(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim)
    kept = await world.accept(world.inbound("elsewhere", address=OTHER_CHAT))
    assert await world.store.erase("default", CHAT)
    assert not await world.store.erase("default", CHAT)
    assert await world.store.conversation("default", CHAT) is None
    assert await world.said(claim.conversation) == []
    with pytest.raises(Fenced):
        await world.store.head(claim)
    fresh = await world.accept(world.inbound("again"))
    assert fresh.new
    assert fresh.conversation not in {claim.conversation, kept.conversation}


async def test_a_lane_with_a_message_that_sleeps_for_longer_than_any_rests_is_woken(
    world: World,
) -> None:
    """The clock was set back since; on PostgreSQL it is the database's."""
    node, hour = await world.node(), timedelta(hours=1)
    rests = await world.claimed(node)
    head = await world.store.head(rests)
    assert await world.store.release(rests, wake_at=head.now + timedelta(seconds=BROKEN))
    # When an answer goes out, the platform may have said itself.
    sends = await _claimed_at(world, node, Address("telegram", "1001", "44"))
    await world.answered(sends)
    assert await world.store.release(sends, wake_at=head.now + hour)
    assert await world.store.repair() == 0
    sleeps = await _claimed_at(world, node, OTHER_CHAT)
    assert await world.store.release(sleeps, wake_at=head.now + hour)
    assert await world.store.claim(node, 10) == []
    assert await world.store.repair() == 1
    (found,) = await world.store.claim(node, 10)
    assert found.conversation == sleeps.conversation


async def _claimed_at(world: World, node: Node, address: Address) -> Claim:
    accepted = await world.accept(world.inbound(address=address))
    claim = await world.store.claim_one(node, accepted.conversation)
    assert claim is not None
    return claim


async def test_one_node_listens_and_the_next_goes_on_from_its_offset(world: World) -> None:
    one, two = await world.node("one"), await world.node("two")
    first = world.store.listeners(lambda: one, "default")
    second = world.store.listeners(lambda: two, "default")
    assert await first.hold("telegram") == 0
    await first.advance("telegram", 2**40)
    assert await first.hold("telegram") == 2**40
    assert await second.hold("telegram") is None
    with pytest.raises(Fenced):
        await second.advance("telegram", 5)
    await first.let_go("telegram")
    assert await second.hold("telegram") == 2**40
    assert await first.hold("telegram") is None
    await world.store.leave(two)
    assert await first.hold("telegram") == 2**40
    elsewhere = world.store.listeners(lambda: two, "other")
    assert await elsewhere.hold("telegram") == 0


async def test_an_offset_goes_down_where_a_platform_counts_anew(world: World) -> None:
    node = await world.node()
    listeners = world.store.listeners(lambda: node, "default")
    assert await listeners.hold("telegram") == 0
    for offset in (2**40, 5):
        await listeners.advance("telegram", offset)
        assert await listeners.hold("telegram") == offset


async def test_who_is_refused_a_listener_learns_how_long_its_holder_has_it(world: World) -> None:
    one, two = await world.node("one"), await world.node("two")
    first = world.store.listeners(lambda: one, "default")
    second = world.store.listeners(lambda: two, "default")
    assert await first.hold("telegram") == 0
    assert first.free_in("telegram") is None
    assert second.free_in("telegram") is None
    assert await second.hold("telegram") is None
    lasts = second.free_in("telegram")
    assert lasts is not None
    assert 0 < lasts <= LEASE.total_seconds()
    await world.store.leave(one)
    assert await second.hold("telegram") == 0
    assert second.free_in("telegram") is None


async def test_a_firing_of_the_schedule_runs_on_one_node(world: World) -> None:
    one, two = await world.node("one"), await world.node("two")
    at = world.now()
    assert await world.store.claim_tick("sweep", at, one)
    assert not await world.store.claim_tick("sweep", at, two)
    assert await world.store.claim_tick("sweep", at + timedelta(minutes=1), two)
    await world.store.leave(one)
    assert await world.store.claim_tick("sweep", at, two)
    await world.store.tick_done("sweep", at)
    await world.store.leave(two)
    assert not await world.store.claim_tick("sweep", at, await world.node("three"))


async def test_a_firing_whose_time_comes_again_because_the_clock_was_set_back_runs_again(
    world: World,
) -> None:
    node, hour = await world.node(), timedelta(hours=1)
    at = world.now()
    assert await world.store.claim_tick("sweep", at, node)
    await world.store.tick_done("sweep", at)
    await world.age(-hour.total_seconds())
    assert await world.store.claim_tick("sweep", world.now() - hour, node)
    await world.age(hour.total_seconds())
    assert await world.store.claim_tick("sweep", at, node)


async def test_the_first_value_of_a_setting_stays(world: World) -> None:
    assert await world.store.get_setting("key") is None
    assert await world.store.put_setting("key", "one") == "one"
    assert await world.store.put_setting("key", "two") == "one"
    assert await world.store.get_setting("key") == "one"


async def test_health_counts_what_waits_and_what_is_stuck(world: World) -> None:
    claim = await world.claimed()
    first, second, third = await world.answered(claim, pieces=3, sending_first=True)
    await world.store.hold(claim, second, until=None, lasts=WEEK)
    await world.store.bury(claim, third, error="x")
    await world.accept()
    head = await world.store.head(claim)
    finish = replace(world.finish(head, world.turn(head)), done=(), dead=(head.waiting[0].id,))
    await world.store.finish(claim, replace(finish, pieces=()))
    await world.accept()
    health = await world.store.health()
    counts = dict(health.outbox)
    assert (health.waiting, health.dead) == (1, 1)
    assert (counts["sending"], counts["held"], counts["dead"]) == (1, 1, 1)
    assert await world.store.writable()
    rows = await world.store.outbox_rows([OutboxState.SENDING, OutboxState.HELD])
    assert [row.piece for row in rows] == [first.piece, second.piece]
    assert len(await world.store.outbox_rows(list(OutboxState), limit=2)) == 2
    assert timedelta(minutes=1) > LEASE


async def test_a_person_with_many_lines_is_told_the_newest(world: World) -> None:
    claim = await world.claimed()
    for n in range(4):
        if n:
            await world.accept(world.inbound(f"question {n}"))
        await world.answered(claim, f"answer {n}")
        await world.age(1)
    said = await world.store.said_by("default", "telegram:1001:7", limit=3)
    assert len(said) == 3
    assert [entry.message.parts for entry in said][-1] == (Text("answer 3"),)
