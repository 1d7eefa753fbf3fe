"""What is accepted is kept once, in order, and can be edited until it is answered and after."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.address import Address, Sender, shard_of
from bot.domain.message import Kind, Message, Role, Text, Unknown
from bot.domain.records import Placement, Refusal
from tests.contracts.worlds import ANN, CHAT, HERE, LEASE, OTHER_CHAT, World


async def test_a_repeat_gets_the_same_ids_and_changes_nothing(world: World) -> None:
    inbound = world.inbound("hello", key="e1")
    first = await world.accept(inbound)
    again = await world.accept(replace(inbound, sender=Sender("99")))
    assert first.new
    assert not again.new
    assert (again.conversation, again.inbound) == (first.conversation, first.inbound)
    claim = await world.store.claim_one(await world.node(), first.conversation)
    assert claim is not None
    assert [row.inbound.sender for row in (await world.store.head(claim)).waiting] == [ANN]


async def test_the_same_key_in_two_conversations_is_two_messages(world: World) -> None:
    one = await world.accept(world.inbound(key="same"))
    two = await world.accept(world.inbound(key="same", address=OTHER_CHAT))
    assert one.new
    assert two.new
    assert one.conversation != two.conversation


async def test_tenants_do_not_share_a_conversation(world: World) -> None:
    inbound = world.inbound(key="e1")
    ours = await world.store.accept(inbound, HERE)
    theirs = await world.store.accept(inbound, replace(HERE, tenant="other"))
    assert theirs.new
    assert ours.conversation != theirs.conversation


async def test_messages_wait_in_the_order_of_acceptance(world: World) -> None:
    accepted = [await world.accept(world.inbound(text)) for text in ("one", "two", "three")]
    claim = await world.store.claim_one(await world.node(), accepted[0].conversation)
    assert claim is not None
    head = await world.store.head(claim)
    assert [row.inbound.text for row in head.waiting] == ["one", "two", "three"]
    assert [row.id for row in head.waiting] == sorted(row.inbound for row in accepted)


async def test_an_inbound_comes_back_as_it_was_accepted(world: World) -> None:
    inbound = replace(
        world.inbound("/new", kind=Kind.COMMAND),
        direct=False,
        addressed=False,
        album="a",
        reply_to="m0",
        moved_to=OTHER_CHAT,
        sender=Sender("7", "Ann:Ü", "zh-CN", frozenset({"operator"})),
    )
    refusal = Refusal("busy", (("limit", "50"),))
    accepted = await world.store.accept(inbound, HERE, refusal=refusal)
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    (row,) = (await world.store.head(claim)).waiting
    assert row.inbound == inbound
    assert row.refusal == refusal


async def test_a_part_of_an_unknown_kind_is_kept_and_written_back_as_it_was(world: World) -> None:
    raw = '{"kind":"hologram","depth":[1, 2.50],"name":"é"}'
    message = Message(
        Role.USER, (Text("look"), Unknown("hologram", raw)), sent_at=world.now(), sender=ANN
    )
    accepted = await world.accept(replace(world.inbound(), message=message))
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    (said, _) = await world.store.window(accepted.conversation, first=1, limit=10)
    assert said.parts == (Text("look"), Unknown("hologram", raw))


async def test_a_naive_time_is_refused(world: World) -> None:
    inbound = world.inbound()
    naive = replace(inbound.message, sent_at=datetime(2026, 1, 5, 9, 0))  # noqa: DTZ001
    with pytest.raises(ValueError, match="aware"):
        await world.accept(replace(inbound, message=naive))
    assert (await world.accept(inbound)).new


async def test_the_conversation_remembers_who_last_received_for_it(world: World) -> None:
    await world.accept()
    await world.store.accept(world.inbound(), Placement("default", "backup", "employees"))
    found = await world.store.conversation("default", CHAT)
    assert found is not None
    assert (found.adapter, found.audience, found.address) == ("backup", "employees", CHAT)
    assert await world.store.conversation("other", CHAT) is None


async def test_a_waiting_message_is_replaced_by_its_edit(world: World) -> None:
    accepted = await world.accept(world.inbound("helo", platform_id="p1"))
    edit = Message(Role.USER, (Text("hello"),), sent_at=world.now(), platform_id="p1")
    await world.store.amend(accepted.conversation, "p1", edit)
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    (row,) = (await world.store.head(claim)).waiting
    assert row.inbound.text == "hello"
    assert row.inbound.message.sender == ANN


async def test_an_edit_that_is_applied_leaves_the_edits_that_wait_behind_it_as_they_are(
    world: World,
) -> None:
    accepted = await world.accept(world.inbound("helo", platform_id="p1"))
    for text in ("v1", "v2"):
        await world.accept(world.inbound(text, kind=Kind.EDITED, platform_id="p1"))
    edit = Message(Role.USER, (Text("v1"),), sent_at=world.now(), platform_id="p1")
    await world.store.amend(accepted.conversation, "p1", edit)
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    waiting = (await world.store.head(claim)).waiting
    assert [row.inbound.text for row in waiting] == ["v1", "v1", "v2"]
    assert [row.inbound.kind for row in waiting] == [Kind.MESSAGE, Kind.EDITED, Kind.EDITED]


async def test_a_recall_leaves_an_edit_that_waits_as_it_is(world: World) -> None:
    accepted = await world.accept(world.inbound("helo", platform_id="p1"))
    await world.accept(world.inbound("v1", kind=Kind.EDITED, platform_id="p1"))
    await world.store.amend(accepted.conversation, "p1", None)
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    waiting = (await world.store.head(claim)).waiting
    assert [row.inbound.text for row in waiting] == ["", "v1"]


async def test_a_stored_message_is_replaced_by_its_edit_and_voided_by_its_recall(
    world: World,
) -> None:
    accepted = await world.accept(world.inbound("helo", platform_id="p1"))
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    assert await world.said(accepted.conversation) == ["helo", "an answer"]
    edit = Message(Role.USER, (Text("hello"),), sent_at=world.now(), platform_id="p1")
    await world.store.amend(accepted.conversation, "p1", edit)
    assert await world.said(accepted.conversation) == ["hello", "an answer"]
    await world.store.amend(accepted.conversation, "p1", None)
    assert await world.said(accepted.conversation) == ["", "an answer"]


async def test_what_is_recalled_while_its_turn_runs_is_void_in_the_history(world: World) -> None:
    accepted = await world.accept(world.inbound("a secret", platform_id="p1"))
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    await world.store.amend(accepted.conversation, "p1", None)
    await world.store.finish(claim, world.finish(head, turn))
    assert await world.said(accepted.conversation) == ["", "an answer"]


async def test_a_chat_that_moved_keeps_its_conversation_and_answers_to_both_addresses(
    world: World,
) -> None:
    before = await world.accept(world.inbound("before"))
    await world.store.move("default", CHAT, OTHER_CHAT)
    after = await world.accept(world.inbound("after", address=OTHER_CHAT))
    late = await world.accept(world.inbound("late", address=CHAT))
    assert after.conversation == before.conversation == late.conversation
    found = await world.store.conversation("default", CHAT)
    assert found is not None
    assert found.address == OTHER_CHAT
    await world.store.move("default", Address("telegram", "1001", "nowhere"), CHAT)


async def test_an_edit_after_a_move_leaves_what_had_the_same_id_before(world: World) -> None:
    accepted = await world.accept(world.inbound("before", platform_id="37"))
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    # A supergroup numbers its messages from 1 again.
    await world.store.move("default", CHAT, OTHER_CHAT)
    await world.accept(world.inbound("after", address=OTHER_CHAT, platform_id="37"))
    await world.answered(claim)
    # The platform tells of a move from either side, and may repeat itself.
    await world.store.move("default", CHAT, OTHER_CHAT)
    edit = Message(Role.USER, (Text("edited"),), sent_at=world.now(), platform_id="37")
    await world.store.amend(accepted.conversation, "37", edit)
    said = await world.said(accepted.conversation)
    assert said == ["before", "an answer", "edited", "an answer"]


async def test_a_request_that_stays_open_is_a_slot_also_for_a_repeat(world: World) -> None:
    inbound = world.inbound()
    node = await world.node()
    first = await world.store.accept(inbound, HERE, open_for=timedelta(seconds=5), node=node)
    again = await world.store.accept(inbound, HERE, open_for=timedelta(seconds=9), node=node)
    assert first.slot is not None
    assert again.slot is not None
    assert first.slot != again.slot
    claim = await world.store.claim_one(node, first.conversation)
    assert claim is not None
    head = await world.store.head(claim)
    assert head.slot_closes_at is not None
    left = head.slot_closes_at - head.now
    assert timedelta(seconds=8) < left <= timedelta(seconds=9)
    assert (await world.store.head(claim)).waiting[0].id == first.inbound
    assert timedelta(seconds=9) < LEASE


@pytest.mark.parametrize(
    ("tenant", "address", "shard"),
    [
        ("default", Address("telegram", "1001", "42"), 100),
        ("default", Address("slack", "T1", "C1", "1700000000.000100"), 213),
        ("acme", Address("wechat", "wx1", "o:Ü/1"), 155),
    ],
)
def test_a_conversations_shard_never_changes(tenant: str, address: Address, shard: int) -> None:
    assert shard_of(tenant, address) == shard
