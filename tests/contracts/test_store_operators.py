"""What an operator sees of the inbox, and of calls that nobody knows the end of."""

from dataclasses import replace

from bot.domain.conversation import InboundId, TurnState
from bot.domain.operating import InboxState
from bot.domain.records import Retention, Unsure
from bot.store.times import EPOCH
from tests.contracts.worlds import LEASE, World

EVERY = tuple(InboxState)
DAY = 86400.0
RULES = Retention(journal_seconds=2 * DAY, retain_seconds=90 * DAY)


async def given_up(world: World) -> InboundId:
    """A message that was in flight at three crashes."""
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = replace(world.turn(head), attempts=3)
    await world.store.start(claim, turn, world.session(head))
    finish = world.finish(head, replace(turn, state=TurnState.FAILED), "sorry")
    ended = replace(finish.turn, state=TurnState.FAILED, attempts=3)
    await world.store.finish(claim, replace(finish, turn=ended, dead=finish.done, done=()))
    assert await world.store.release(claim)
    return head.waiting[0].id


async def test_what_can_be_seen_no_more_is_not_counted_as_given_up_either(world: World) -> None:
    await given_up(world)
    assert (await world.store.health()).dead == 1
    await world.age(3 * DAY)
    await world.store.retain(RULES)
    assert await world.store.inbox_rows([InboxState.DEAD]) == []
    assert (await world.store.health()).dead == 0


async def test_what_waits_and_what_was_given_up_is_listed_oldest_first(world: World) -> None:
    dead = await given_up(world)
    waiting = await world.accept(world.inbound("still here"))
    rows = await world.store.inbox_rows(EVERY)
    assert [(row.id, row.state) for row in rows] == [
        (dead, InboxState.DEAD),
        (waiting.inbound, InboxState.WAITING),
    ]
    assert [row.runs for row in rows] == [3, 0]
    assert rows[1].inbound.text == "still here"
    assert rows[1].adapter == "support"
    assert [row.id for row in await world.store.inbox_rows([InboxState.DEAD])] == [dead]
    assert len(await world.store.inbox_rows(EVERY, 1)) == 1


async def test_a_message_that_was_given_up_is_accepted_again_as_said_now(world: World) -> None:
    dead = await given_up(world)
    assert await world.store.inbox_retry(dead)
    (row,) = await world.store.inbox_rows(EVERY)
    assert row.id > dead
    assert row.state is InboxState.WAITING
    (claim,) = await world.store.claim(await world.node(), 10)
    head = await world.store.head(claim)
    assert [waiting.id for waiting in head.waiting] == [row.id]
    assert head.turn is None
    await world.answered(claim, "at last")
    assert not await world.store.inbox_retry(dead)
    assert await world.store.inbox_rows(EVERY) == []


async def test_looking_again_at_what_waits_wakes_its_lane(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    (row,) = await world.store.inbox_rows(EVERY)
    head = await world.store.head(claim)
    later = head.now.replace(year=head.now.year + 1)
    assert await world.store.release(claim, wake_at=later)
    assert await world.store.claim(node, 10) == []
    assert await world.store.inbox_retry(row.id)
    assert [found.conversation for found in await world.store.claim(node, 10)] == [
        claim.conversation
    ]


async def test_what_is_dropped_is_gone_from_the_list_and_from_its_lane(world: World) -> None:
    dead = await given_up(world)
    claim = await world.claimed()
    (waiting,) = await world.store.inbox_rows([InboxState.WAITING])
    assert await world.store.inbox_drop(dead)
    assert await world.store.inbox_drop(waiting.id)
    assert await world.store.inbox_rows(EVERY) == []
    assert (await world.store.head(claim)).waiting == ()
    assert not await world.store.inbox_drop(dead)
    assert not await world.store.inbox_drop(InboundId(10**9))
    assert not await world.store.inbox_retry(dead)


async def test_calls_of_unknown_outcome_are_counted_and_named(world: World) -> None:
    assert (await world.store.health()).unsure == 0
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    finish = world.finish(head, turn)
    unsure = (Unsure("pay", "k1"), Unsure("send_mail", "k2"))
    await world.store.finish(claim, replace(finish, unsure=unsure))
    assert (await world.store.health()).unsure == 2
    found = await world.store.unsure_calls()
    assert {(one.tool, one.key) for one in found} == {("pay", "k1"), ("send_mail", "k2")}
    assert {one.turn for one in found} == {turn.id}
    assert {one.conversation for one in found} == {claim.conversation}
    assert len(await world.store.unsure_calls(1)) == 1


async def test_calls_of_unknown_outcome_go_when_nobody_is_told_of_them_any_more(
    world: World,
) -> None:
    await _unsure(world, "k1")
    await world.age(6 * DAY)
    assert (await world.store.retain(RULES))["unsure"] == 0
    await _unsure(world, "k2")
    assert {one.key for one in await world.store.unsure_calls()} == {"k1", "k2"}
    await world.age(2 * DAY)
    assert {one.key for one in await world.store.unsure_calls()} == {"k2"}
    assert (await world.store.health()).unsure == 1
    assert (await world.store.retain(RULES))["unsure"] == 1
    assert (await world.store.retain(RULES))["unsure"] == 0
    assert {one.key for one in await world.store.unsure_calls()} == {"k2"}


async def test_a_longer_journal_keeps_calls_of_unknown_outcome_as_long_and_goes_by_batches(
    world: World,
) -> None:
    for key in ("k1", "k2", "k3"):
        await _unsure(world, key)
    await world.age(29 * DAY)
    longer = replace(RULES, journal_seconds=30 * DAY, batch=2)
    assert (await world.store.retain(longer))["unsure"] == 0
    await world.age(2 * DAY)
    assert [(await world.store.retain(longer))["unsure"] for _ in range(3)] == [2, 1, 0]


async def _unsure(world: World, key: str) -> None:
    """A turn that ended with a call of which nobody knows whether it was done."""
    accepted = await world.accept(world.inbound(key=f"event {key}"))
    claim = await world.store.claim_one(await world.node(key), accepted.conversation)
    assert claim is not None
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    finish = replace(world.finish(head, turn), pieces=(), unsure=(Unsure("pay", key),))
    await world.store.finish(claim, finish)
    assert await world.store.release(claim)


async def test_operators_see_who_serves_and_who_fell_silent_with_work_in_hand(world: World) -> None:
    assert await world.store.nodes() == []
    silent = await world.node("silent")
    claim = await world.claimed(silent)
    (served,) = await world.store.nodes()
    assert (served.name, served.alive, served.held) == ("silent", True, 1)
    await world.age(2 * LEASE.total_seconds())
    taker = await world.node("taker")
    ended, served = await world.store.nodes()
    assert (ended.name, ended.alive, ended.held) == ("silent", False, 1)
    assert ended.until < served.until
    assert (served.name, served.alive, served.held) == ("taker", True, 0)
    assert await world.store.claim_one(taker, claim.conversation)
    assert [one.held for one in await world.store.nodes()] == [0, 1]
    await world.age(8 * DAY)
    assert [one.name for one in await world.store.nodes()] == ["taker"]


async def test_a_node_that_stopped_in_peace_is_no_longer_named(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    await world.store.leave(node)
    (left,) = await world.store.nodes()
    assert (left.alive, left.held, left.until) == (False, 1, EPOCH)
    other = await world.node("other")
    assert await world.store.claim_one(other, claim.conversation)
    assert [one.name for one in await world.store.nodes()] == ["other"]
