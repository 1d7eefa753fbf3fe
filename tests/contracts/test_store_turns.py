"""A turn is journaled while it runs and ends in one piece."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.address import Address
from bot.domain.conversation import Ending, Step, StepKind, Usage
from bot.domain.message import Message, Role, Sent, Text, ToolCall
from bot.domain.records import Approval, Asked, IdleRule, OutboxState, Spent
from bot.errors import ParleyError, Permanent
from tests.contracts.worlds import ANN, BOB, CHAT, LEASE, OTHER_CHAT, World

IDLE = IdleRule(idle_seconds=3600)


async def test_a_turn_that_was_begun_is_found_with_its_steps_and_its_draft(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = replace(
        world.turn(head),
        route="main",
        variant="b",
        usage=Usage(1, 2, 3, 4),
        approved=ToolCall("c1", "pay", "{}"),
    )
    steps = (
        Step(1, StepKind.MODEL, "calls", '{"text":"é"}', Usage(10, 5), "main"),
        Step(2, StepKind.TOOL, "key", None),
    )
    await world.store.start(claim, turn, world.session(head))
    await world.store.step(claim, turn.id, steps[0], durable=False)
    await world.store.step(claim, turn.id, steps[1], durable=True)
    await world.store.draft(claim, turn.id, Sent("d1", (("ts", "1.2"),)))
    found = await world.store.head(claim)
    assert found.turn == replace(turn, draft=Sent("d1", (("ts", "1.2"),)))
    assert found.steps == steps
    ended = replace(steps[1], body='{"result":1}')
    await world.store.step(claim, turn.id, ended, durable=True)
    assert (await world.store.head(claim)).steps == (steps[0], ended)


async def test_another_attempt_writes_the_turn_again_and_keeps_its_steps(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    step = Step(1, StepKind.MODEL, "stop", "{}")
    await world.store.step(claim, turn.id, step, durable=True)
    await world.store.start(claim, replace(turn, attempts=2), world.session(head))
    await world.store.step(claim, turn.id, replace(step, n=2), durable=True)
    found = await world.store.head(claim)
    assert found.turn == replace(turn, attempts=2)
    assert len(found.steps) == 2


async def test_the_end_of_a_turn_is_written_whole(world: World) -> None:
    claim = await world.claimed()
    rows = await world.answered(claim, "42", pieces=2)
    assert [(row.piece, row.state) for row in rows] == [
        (0, OutboxState.QUEUED),
        (1, OutboxState.QUEUED),
    ]
    head = await world.store.head(claim)
    assert head.turn is None
    assert head.steps == ()
    assert head.waiting == ()
    assert head.outbox == tuple(rows)
    assert await world.said(claim.conversation) == ["hello", "42"]


async def test_the_first_piece_can_be_marked_as_sending_by_the_finish(world: World) -> None:
    claim = await world.claimed()
    rows = await world.answered(claim, pieces=2, sending_first=True)
    assert [row.state for row in rows] == [OutboxState.SENDING, OutboxState.QUEUED]
    assert (await world.store.head(claim)).outbox == tuple(rows)


async def test_the_first_piece_knows_where_the_draft_stands(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = replace(world.turn(head), draft=Sent("d1"))
    await world.store.start(claim, turn, world.session(head))
    rows = await world.store.finish(claim, world.finish(head, turn, pieces=2))
    assert [row.draft for row in rows] == [Sent("d1"), None]
    assert [row.draft for row in (await world.store.head(claim)).outbox] == [Sent("d1"), None]


async def test_a_turn_cannot_end_twice(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    await world.store.finish(claim, world.finish(head, turn))
    with pytest.raises(ParleyError):
        await world.store.finish(claim, world.finish(head, turn, "another answer"))
    assert await world.said(claim.conversation) == ["hello", "an answer"]
    assert len((await world.store.head(claim)).outbox) == 1


async def test_a_turn_that_has_ended_does_not_end_again_behind_its_own_end(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.finish(claim, world.finish(head, turn))
    # As a run that knows of the first end by its lines only: no number and no piece is in the way.
    after = await world.store.head(claim)
    with pytest.raises(Permanent):
        await world.store.finish(claim, replace(world.finish(after, turn, "again"), pieces=()))
    assert await world.said(claim.conversation) == ["hello", "an answer"]


async def test_a_turn_can_end_without_having_been_started(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    await world.store.finish(claim, world.finish(head, world.turn(head)))
    found = await world.store.head(claim)
    assert found.turn is None
    assert found.session is not None


async def test_rows_that_need_no_turn_are_done_alone(world: World) -> None:
    claim = await world.claimed()
    later = await world.accept(world.inbound("later"))
    head = await world.store.head(claim)
    await world.store.skip(claim, [head.waiting[0].id])
    assert [row.id for row in (await world.store.head(claim)).waiting] == [later.inbound]
    assert await world.said(claim.conversation) == []


async def test_the_window_holds_the_newest_entries_of_the_session(world: World) -> None:
    claim = await world.claimed()
    for n in range(5):
        if n:
            await world.accept(world.inbound(f"question {n}"))
        await world.answered(claim, f"answer {n}")
    window = await world.store.window(claim.conversation, first=1, limit=4)
    assert [line.id for line in window] == [7, 8, 9, 10]
    assert [line.text for line in window[-2:]] == ["question 4", "answer 4"]
    window = await world.store.window(claim.conversation, first=9, limit=4)
    assert [line.id for line in window] == [9, 10]
    assert len(await world.store.window(claim.conversation, first=1, limit=50)) == 10
    assert await world.store.window(claim.conversation, first=11, limit=50) == []


@pytest.mark.parametrize("passes", range(1, 6))
async def test_an_end_that_was_cancelled_on_its_way_is_not_lacking_from_the_window(
    world: World, passes: int
) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    await world.answered(claim)
    assert len(await world.said(claim.conversation)) == 2
    await world.accept()
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    assert len(await world.said(claim.conversation)) == 2
    ending = asyncio.ensure_future(world.store.finish(claim, world.finish(head, turn)))
    for _ in range(passes):  # of the loop: the statement is on its way, or has been executed
        await asyncio.wait([ending], timeout=0)
    ending.cancel()
    await asyncio.wait([ending])
    again = await world.store.rejoin(node, LEASE)
    assert again is not None
    claimed = await world.store.claim_one(again, claim.conversation)
    assert claimed is not None
    has_ended = (await world.store.head(claimed)).turn is None
    assert len(await world.said(claim.conversation)) == (4 if has_ended else 2)


async def test_a_page_shows_what_was_said_and_last_what_still_waits(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim, "first answer")
    await world.accept(world.inbound("second", key="k2"))
    head = await world.store.head(claim)
    await world.answered(claim, "second answer")
    await world.accept(world.inbound("third", key="k3"))
    page = await world.store.page("default", CHAT, before=None, limit=3)
    assert [entry.message.text for entry in page] == [
        "first answer",
        "second",
        "second answer",
        "third",
    ]
    assert [entry.message.id for entry in page] == [2, 3, 4, 0]
    assert [entry.event_key for entry in page] == [None, "k2", None, "k3"]
    assert [entry.waiting for entry in page] == [False, False, False, True]
    assert page[2].turn == world.turn(head).id
    assert all(entry.address == CHAT for entry in page)
    older = await world.store.page("default", CHAT, before=2, limit=3)
    assert [entry.message.text for entry in older] == ["hello"]
    assert await world.store.page("other", CHAT, before=None, limit=3) == []


async def test_where_somebody_waits_for_an_answer_is_known_on_every_node(world: World) -> None:
    await world.accept(world.inbound("first"))
    await world.accept(world.inbound("later", address=OTHER_CHAT))
    await world.accept(world.inbound("of another", sender=BOB))
    awaited = await world.store.awaited("default", CHAT, ANN)
    assert awaited == [OTHER_CHAT, CHAT]
    node = await world.node()
    for claim in await world.store.claim(node, 10):
        if (await world.store.head(claim)).conversation.address == CHAT:
            await world.answered(claim)
    assert await world.store.awaited("default", CHAT, ANN) == [OTHER_CHAT]
    assert await world.store.awaited("other", CHAT, ANN) == []
    assert await world.store.awaited("default", Address("slack", "T1", "42"), ANN) == []


async def test_what_one_sender_said_and_was_told_is_found_over_all_conversations(
    world: World,
) -> None:
    node = await world.node()
    for address in (CHAT, OTHER_CHAT):
        accepted = await world.accept(world.inbound("mine", address=address))
        claim = await world.store.claim_one(node, accepted.conversation)
        assert claim is not None
        await world.answered(claim, "for Ann")
        await world.accept(world.inbound("his", address=address, sender=BOB))
        await world.answered(claim, "for Bob")
    await world.accept(world.inbound("waits"))
    said = await world.store.said_by("default", "telegram:1001:7")
    texts = [entry.message.text for entry in said]
    assert sorted(texts) == ["for Ann", "for Ann", "mine", "mine", "waits"]
    assert {entry.address for entry in said} == {CHAT, OTHER_CHAT}
    assert await world.store.said_by("other", "telegram:1001:7") == []


async def test_a_question_waits_for_its_persons_yes_and_for_nobody_elses(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    approval = Approval(
        claim.conversation, ANN.id, "pay", '{"a":1}', head.now + timedelta(minutes=5)
    )
    finish = replace(world.finish(head, turn), approval=approval)
    await world.store.finish(claim, finish)
    await world.accept(world.inbound("no", sender=BOB))
    await world.answered(claim)
    assert (await world.store.head(claim)).approval == approval
    await world.accept(world.inbound("yes"))
    assert (await world.store.head(claim)).approval == approval
    await world.answered(claim)
    assert (await world.store.head(claim)).approval is None


async def test_what_was_said_before_a_question_does_not_take_it_back(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    approval = Approval(claim.conversation, ANN.id, "pay", "{}", head.now + timedelta(minutes=5))
    finish = replace(world.finish(head, world.turn(head)), approval=approval)
    await world.store.finish(claim, finish)
    await world.accept(world.inbound("hurry"))
    head = await world.store.head(claim)
    turn = replace(world.turn(head), keeps_question=True)
    await world.store.start(claim, turn, world.session(head))
    await world.store.finish(claim, world.finish(head, turn))
    assert (await world.store.head(claim)).approval == approval


async def test_a_question_is_shown_when_the_last_of_its_pieces_has_left(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    approval = Approval(claim.conversation, ANN.id, "pay", "{}", head.now + timedelta(minutes=5))
    assert await world.store.asked(approval) is None
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    finish = world.finish(head, turn, pieces=2)
    ended = replace(finish.turn, asked_until=approval.expires_at)
    rows = await world.store.finish(claim, replace(finish, turn=ended, approval=approval))
    assert await world.store.asked(approval) == Asked(None)
    early = await world.accept(world.inbound("early"))
    for row, name in zip(rows, ("", "m7"), strict=True):
        await world.age(1)
        taken = await world.store.take(claim, row)
        await world.store.sent(claim, taken, Sent(name))
    asked = await world.store.asked(approval)
    assert asked is not None
    assert (asked.places, asked.repeated) == (frozenset({"m7"}), False)
    late = await world.accept(world.inbound("late"))
    at = {row.id: row.received_at for row in (await world.store.head(claim)).waiting}
    assert asked.shown_at is not None
    assert at[early.inbound] < asked.shown_at <= at[late.inbound]


async def test_a_question_stands_where_its_answer_grew_before_it_is_known_to_be_sent(
    world: World,
) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    approval = Approval(claim.conversation, ANN.id, "pay", "{}", head.now + timedelta(minutes=5))
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    await world.store.draft(claim, turn.id, Sent("d9"))
    finish = world.finish(head, replace(turn, draft=Sent("d9")), pieces=2)
    ended = replace(finish.turn, asked_until=approval.expires_at)
    await world.store.finish(claim, replace(finish, turn=ended, approval=approval))
    assert await world.store.asked(approval) == Asked(None, frozenset({"d9"}))


async def test_a_question_that_was_sent_twice_may_stand_where_nobody_knows(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    approval = Approval(claim.conversation, ANN.id, "pay", "{}", head.now + timedelta(minutes=5))
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    finish = world.finish(head, turn)
    ended = replace(finish.turn, asked_until=approval.expires_at)
    (row,) = await world.store.finish(claim, replace(finish, turn=ended, approval=approval))
    taken = await world.store.take(claim, row)
    await world.store.put_back(claim, taken, due_at=world.now(), error="lost", repeat=True)
    (row,) = (await world.store.head(claim)).outbox
    await world.store.sent(claim, await world.store.take(claim, row), Sent("m8"))
    asked = await world.store.asked(approval)
    assert asked is not None
    assert (asked.places, asked.repeated) == (frozenset({"m8"}), True)


async def test_a_question_expires(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    head = await world.store.head(claim)
    approval = Approval(claim.conversation, ANN.id, "pay", "{}", head.now + timedelta(minutes=5))
    finish = replace(world.finish(head, world.turn(head)), approval=approval)
    await world.store.finish(claim, finish)
    await world.age(301)
    assert (await world.store.head(claim)).approval is None


async def test_usage_is_counted_for_a_conversation_and_for_one_sender(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = world.turn(head)
    spent = (Spent("main", 100, 20, 10, 1), Spent("small", 7, 3, 0, 2))
    await world.store.finish(claim, replace(world.finish(head, turn), spent=spent))
    await world.accept(world.inbound(sender=BOB))
    await world.answered(claim)
    since = head.now - timedelta(hours=1)
    where = claim.conversation
    whole = await world.store.usage(conversation=where, sender=None, since=since)
    assert (whole.turns, whole.input, whole.output) == (2, 207, 43)
    mine = await world.store.usage(conversation=where, sender=ANN.id, since=since)
    assert (mine.turns, mine.input, mine.output) == (1, 107, 23)
    named = await world.store.usage(conversation=where, sender="telegram:1001:7", since=since)
    assert named == mine
    later = await world.store.usage(
        conversation=where, sender=None, since=head.now + timedelta(hours=1)
    )
    assert later.turns == 0


async def test_a_session_ends_once_by_command(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim)
    head = await world.store.head(claim)
    assert head.session is not None
    await world.store.end_session(claim, head.session, Ending.COMMAND)
    ended = (await world.store.head(claim)).session
    assert ended is not None
    assert ended.ended_by is Ending.COMMAND
    assert ended.ended_at is not None
    await world.store.end_session(claim, head.session, Ending.IDLE)
    assert (await world.store.head(claim)).session == ended


async def test_the_next_session_begins_where_the_last_one_ended(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim)
    await world.accept(world.inbound("again"))
    head = await world.store.head(claim)
    assert head.session is not None
    await world.store.end_session(claim, head.session, Ending.COMMAND)
    fresh = world.session(head, n=2)
    turn = replace(world.turn(head), session=2)
    await world.store.start(claim, turn, fresh)
    await world.store.finish(claim, replace(world.finish(head, turn), session=fresh))
    found = (await world.store.head(claim)).session
    assert found is not None
    assert (found.n, found.first, found.ended_at) == (2, 3, None)
    assert await world.said(claim.conversation, found.first) == ["again", "an answer"]


async def test_the_sweep_ends_idle_sessions_once_and_skips_lanes_with_work(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    rows = await world.answered(claim, sending_first=True)
    await world.store.sent(claim, rows[0], Sent("1"))
    assert await world.store.release(claim)
    busy = await world.accept(world.inbound(address=OTHER_CHAT))
    other = await world.store.claim_one(node, busy.conversation)
    assert other is not None
    await world.answered(other)
    assert await world.store.release(other)
    assert await world.store.sweep([IDLE]) == []
    await world.age(3601)
    (swept,) = await world.store.sweep([IDLE])
    assert (swept.conversation, swept.tenant, swept.session) == (claim.conversation, "default", 1)
    assert await world.store.sweep([IDLE]) == []
    await world.accept()
    again = await world.store.claim_one(await world.node("two"), claim.conversation)
    assert again is not None
    session = (await world.store.head(again)).session
    assert session is not None
    assert session.ended_by is Ending.IDLE


async def test_the_first_rule_that_matches_says_how_long_a_session_may_rest(
    world: World,
) -> None:
    claim = await world.claimed()
    rows = await world.answered(claim, sending_first=True)
    await world.store.sent(claim, rows[0], Sent("1"))
    assert await world.store.release(claim)
    await world.age(100)
    patient = [
        IdleRule(50, adapter="another"),
        IdleRule(200, adapter="support", audience="customers"),
        IdleRule(50),
    ]
    assert await world.store.sweep(patient) == []
    assert await world.store.sweep([IdleRule(50, audience="employees")]) == []
    hasty = [IdleRule(50, audience="customers"), IdleRule(200)]
    assert len(await world.store.sweep(hasty)) == 1


async def test_a_sent_piece_keeps_the_session_awake(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    rows = await world.answered(claim, pieces=2, sending_first=True)
    await world.store.sent(claim, rows[0], Sent("1"))
    await world.age(10)
    row = await world.store.take(claim, rows[1])
    await world.store.sent(claim, row, Sent("2"))
    assert await world.store.release(claim)
    await world.age(3595)
    assert await world.store.sweep([IDLE]) == []
    await world.age(6)
    assert len(await world.store.sweep([IDLE])) == 1


async def test_a_line_that_nobody_platform_names_keeps_its_event(world: World) -> None:
    inbound = world.inbound("nameless", key="k1")
    nameless = replace(inbound.message, platform_id=None)
    accepted = await world.accept(replace(inbound, message=nameless))
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    page = await world.store.page("default", CHAT, before=None, limit=10)
    assert [entry.event_key for entry in page] == ["k1", None]
    assert page[0].message == Message(
        Role.USER, (Text("nameless"),), inbound.message.sent_at, 1, ANN
    )


async def test_numbers_may_grow_beyond_32_bits(world: World) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = world.turn(head)
    large = 2**40
    finish = replace(world.finish(head, turn), spent=(Spent("main", large, large, large, large),))
    said = tuple(replace(message, id=large + message.id) for message in finish.messages)
    await world.store.finish(claim, replace(finish, messages=said))
    assert (await world.store.head(claim)).next_message == large + 3
    window = await world.store.window(claim.conversation, first=large, limit=5)
    assert [message.id for message in window] == [large + 1, large + 2]
    used = await world.store.usage(conversation=claim.conversation, sender=None, since=head.now)
    assert (used.input, used.output) == (large, large)
