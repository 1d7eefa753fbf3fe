"""Answers that grow: within the limits, and the final text always arriving."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from adapters.telegram.draft import draft_id_of
from bot import (
    Activity,
    ActivityState,
    Ambiguous,
    Choice,
    Draft,
    Image,
    Outbound,
    Permanent,
    Sent,
    Transient,
    TurnId,
    Unfinishable,
)
from bot.ports import Leaves
from tests.adapters.telegram.line import Line, line
from tests.fakes import until
from tests.peers.faults import Fault, cut, hang, late, slow
from tests.peers.log import Json
from tests.peers.telegram_faults import failure, flood
from tests.peers.telegram_rules import Flood
from tests.peers.telegram_updates import ANN, FORUM, GROUP, private

PERSON = private(ANN)
TURN = TurnId(2**31 + 5)
WORDS = "The answer grows word by word until nothing is missing from it. " * 2


async def opened(made: Line, chat: Json, **more: object) -> Draft:
    """A draft of `TURN`, in the group or with the person."""
    resume = more.get("resume")
    reply_to = more.get("reply_to")
    assert resume is None or isinstance(resume, Sent)
    assert reply_to is None or isinstance(reply_to, str)
    return await made.adapter.draft(made.address(chat), turn=TURN, reply_to=reply_to, resume=resume)


async def insist(made: Line, step: Callable[[], Awaitable[Sent]]) -> Sent:
    """As the outbox does: later, when that is what was asked for."""
    while True:
        try:
            return await step()
        except Transient as error:
            await made.clock.until_it_may(error)


async def grow(made: Line, draft: Draft, text: str) -> int:
    """As the drafting loop does: the newest text at the platform's pace; the texts shown."""
    shown = 0
    for end in range(4, len(text), 4):
        try:
            await draft.show(text[:end])
            shown += 1
        except Transient as error:
            await made.clock.until_it_may(error)
    return shown


def test_a_drafts_number_is_the_same_on_every_run_and_never_nought() -> None:
    assert draft_id_of(TURN) == draft_id_of(TURN) == 5
    assert draft_id_of(TurnId(2**31)) == 1


async def test_in_a_private_chat_the_answer_grows_in_a_draft_and_then_is_a_message() -> None:
    async with line() as made:
        draft = await opened(made, PERSON)
        assert draft.sent is None
        assert not made.adapter.draft_is_message(made.address(PERSON))
        await draft.show("The")
        await draft.show("The **answer**")
        await draft.show("The **answer**")
        sent = await draft.finish(made.out(PERSON, "The **answer** is 42."))
        (seen,) = made.peer.drafts(PERSON)
        assert (seen.texts, seen.id) == (["The", "The answer"], 5)
        (message,) = made.peer.messages(PERSON)
        assert (message.text, str(message.id)) == ("The answer is 42.", sent.platform_id)


async def test_a_draft_shows_which_tool_is_at_work() -> None:
    async with line() as made:
        draft = await opened(made, PERSON)
        await draft.show("", [Activity("clock_now", "{}", ActivityState.RUNNING)])
        assert made.peer.drafts(PERSON)[0].texts == ["⏳ clock_now"]


async def test_a_long_draft_shows_its_end() -> None:
    async with line() as made:
        draft = await opened(made, PERSON)
        await draft.show("word " * 2000 + "**last**")
        assert made.peer.drafts(PERSON)[0].texts[0].endswith("last")


@pytest.mark.slow
async def test_a_draft_that_rests_is_renewed_before_it_fades() -> None:
    # So that the ten seconds before it fades are one of ours: a busy machine may need half of it
    async with line(speed=10.0) as made:
        await made.adapter.open()
        draft = await opened(made, PERSON)
        await draft.show("thinking about it")
        await made.peer.wait_for(lambda: len(made.peer.calls("sendMessageDraft")) >= 3)
        (seen,) = made.peer.drafts(PERSON)
        gaps = [b.at - a.at for a, b in zip(seen.versions, seen.versions[1:], strict=False)]
        assert all(18_000_000 < gap < 30_000_000 for gap in gaps)
        await draft.finish(made.out(PERSON, "done"))
        await until(lambda: not made.adapter._renewals.open)


async def test_a_draft_that_is_given_up_is_not_renewed() -> None:
    async with line() as made:
        await made.adapter.open()
        draft = await opened(made, PERSON)
        await draft.show("thinking about it")
        await draft.abandon()
        await until(lambda: not made.adapter._renewals.open)
        assert made.peer.texts(PERSON) == []


async def test_a_draft_whose_turn_goes_on_without_this_node_is_not_renewed() -> None:
    async with line() as made:
        await made.adapter.open()
        draft: object = await opened(made, PERSON)
        assert isinstance(draft, Leaves)
        draft.leave()
        await until(lambda: not made.adapter._renewals.open)


async def test_a_last_message_without_an_answer_is_ambiguous_and_not_sent_twice() -> None:
    async with line(timeout="300ms") as made:
        draft = await opened(made, PERSON)
        await draft.show("The")
        made.peer.faults.plan(cut(effect=True), method="sendMessage")
        with pytest.raises(Ambiguous):
            await draft.finish(made.out(PERSON, "The answer"))
        assert made.peer.texts(PERSON) == ["The answer"]


async def test_a_server_that_knows_no_drafts_gets_edits_from_the_next_answer_on() -> None:
    async with line() as made:
        made.peer.faults.plan(failure(404, "Not Found"), method="sendMessageDraft")
        first = await opened(made, PERSON)
        with pytest.raises(Permanent):
            await first.show("The")
        await first.finish(made.out(PERSON, "The answer"))
        assert made.adapter.draft_is_message(made.address(PERSON))
        second = await opened(made, PERSON)
        assert second.sent is not None
        await second.finish(made.out(PERSON, "Another answer"))
        assert made.peer.texts(PERSON) == ["The answer", "Another answer"]


async def test_in_a_group_the_answer_grows_by_edits_of_one_message() -> None:
    async with line() as made:
        question = made.peer.updates.text("well?", chat=GROUP)
        made.peer.note(question)
        draft = await opened(made, GROUP, reply_to=str(question["message"]["message_id"]))
        assert made.adapter.draft_is_message(made.address(GROUP))
        await draft.show("The")
        await draft.show("The **answer**")
        sent = await draft.finish(made.out(GROUP, "The **answer**", choices=(Choice("Ok", "ok"),)))
        (message,) = made.peer.messages(GROUP)
        assert sent == draft.sent == Sent(str(message.id))
        assert [version.text for version in message.versions][:3] == ["…", "The", "The answer"]
        assert message.reply_to == question["message"]["message_id"]
        assert message.markup is not None


@pytest.mark.parametrize("fault", [failure(effect=True), cut(effect=True)])
async def test_an_opening_that_may_stand_there_already_is_not_made_again(fault: Fault) -> None:
    async with line() as made:
        made.peer.faults.plan(fault, method="sendMessage")
        with pytest.raises(Permanent):
            await opened(made, GROUP)
        assert made.peer.texts(GROUP) == ["…"]


async def test_a_group_draft_stands_in_its_topic() -> None:
    async with line() as made:
        made.peer.note(made.peer.updates.topic("hm", 31))
        address = made.address(FORUM, 31)
        draft = await made.adapter.draft(address, turn=TURN, reply_to=None, resume=None)
        await draft.finish(made.out(FORUM, "here", 31))
        assert [(shown.thread, shown.text) for shown in made.peer.messages(FORUM)] == [(31, "here")]


async def test_finishing_with_what_is_shown_already_is_no_failure() -> None:
    async with line() as made:
        draft = await opened(made, GROUP)
        await draft.show("All of it")
        await draft.finish(made.out(GROUP, "All of it"))
        again = await opened(made, GROUP, resume=draft.sent)
        await again.finish(made.out(GROUP, "All of it"))
        assert made.peer.texts(GROUP) == ["All of it"]


async def test_a_draft_is_taken_up_again_where_it_stands() -> None:
    async with line() as made:
        first = await opened(made, GROUP)
        await first.show("Half of")
        second = await opened(made, GROUP, resume=first.sent)
        await second.finish(made.out(GROUP, "Half of it was there"))
        assert made.peer.texts(GROUP) == ["Half of it was there"]


async def test_an_edit_without_an_answer_is_made_again() -> None:
    async with line(timeout="300ms") as made:
        draft = await opened(made, GROUP)
        made.peer.faults.plan(hang(effect=True), method="editMessageText")
        with pytest.raises(Transient):
            await draft.finish(made.out(GROUP, "whole"))
        await draft.finish(made.out(GROUP, "whole"))
        assert made.peer.texts(GROUP) == ["whole"]


async def test_a_draft_that_was_deleted_cannot_become_the_answer_and_says_nothing_beside() -> None:
    async with line() as made:
        draft = await opened(made, GROUP)
        made.peer.messages(GROUP)[0].deleted_at = 1
        with pytest.raises(Permanent):
            await draft.show("The")
        with pytest.raises(Unfinishable):
            await draft.finish(made.out(GROUP, "The answer"))
        await draft.abandon()
        assert made.peer.texts(GROUP) == []


async def test_a_draft_that_is_given_up_goes_away_or_is_marked() -> None:
    async with line() as made:
        first = await opened(made, GROUP)
        await first.show("Half")
        await first.abandon()
        assert made.peer.texts(GROUP) == []
        second = await opened(made, GROUP)
        await second.show("Half")
        made.peer.faults.plan(failure(400, "Bad Request: message can't be deleted"))
        await second.abandon()
        assert made.peer.texts(GROUP) == ["Half ⏹"]


async def test_a_long_text_in_a_group_stays_at_its_beginning_until_it_is_whole() -> None:
    async with line() as made:
        long = "A sentence that is repeated very often. " * 250
        draft = await opened(made, GROUP)
        await draft.show(long)
        parts = made.adapter.pieces(made.out(GROUP, long))
        await draft.finish(parts[0])
        for part in parts[1:]:
            await made.adapter.send(part)
        assert "".join(made.peer.texts(GROUP)).replace(" ", "") == long.replace(" ", "")


@pytest.mark.slow
@pytest.mark.parametrize("chat", [GROUP, PERSON])
async def test_a_whole_answer_streams_within_the_flood_limits(chat: Json) -> None:
    async with line(flood=Flood(penalty=120), stream="edit") as made:
        draft = await opened(made, chat)
        shown = await grow(made, draft, WORDS)
        await insist(made, lambda: draft.finish(made.out(chat, WORDS)))
        assert shown >= 5
        assert made.peer.texts(chat) == [WORDS.strip()]
        refused = [call for call in made.peer.exchanges if call.status == 429]
        assert refused == []


@pytest.mark.slow
async def test_after_a_penalty_the_final_text_still_arrives() -> None:
    async with line() as made:
        draft = await opened(made, GROUP)
        await draft.show("The")
        made.peer.faults.plan(flood(130), method="editMessageText")
        with pytest.raises(Transient) as refused:
            await draft.show("The answer")
        assert refused.value.retry_after is not None
        assert refused.value.retry_after.total_seconds() == 130
        calls = len(made.peer.exchanges)
        with pytest.raises(Transient):
            await draft.show("The answer is")
        with pytest.raises(Transient):
            await draft.finish(made.out(GROUP, "The answer is 42."))
        assert len(made.peer.exchanges) == calls
        await insist(made, lambda: draft.finish(made.out(GROUP, "The answer is 42.")))
        assert made.peer.texts(GROUP) == ["The answer is 42."]


@pytest.mark.parametrize("chat", [GROUP, PERSON])
async def test_a_half_text_on_its_way_does_not_land_after_the_answer(chat: Json) -> None:
    async with line() as made:
        draft = await opened(made, chat)
        made.peer.faults.plan(
            late(0.2), when=lambda method, body: body.get("text") == "Half", times=1
        )
        calls = len(made.peer.exchanges)
        showing = asyncio.create_task(draft.show("Half"))
        await made.peer.wait_for(lambda: len(made.peer.exchanges) > calls)
        showing.cancel()
        await draft.finish(made.out(chat, "Half and whole"))
        assert made.peer.texts(chat) == ["Half and whole"]
        assert all(seen.ended_by == "message" for seen in made.peer.drafts(chat))
        ended = [call.ended_at for call in made.peer.exchanges[calls:]]
        assert ended == sorted(moment for moment in ended if moment is not None)


@pytest.mark.slow
async def test_a_half_text_that_hangs_on_its_way_lands_behind_the_answer_and_does_not_stay() -> (
    None
):
    async with line() as made:
        draft = await opened(made, GROUP)
        made.peer.faults.plan(slow(4.5), method="editMessageText")
        showing = asyncio.create_task(draft.show("Half"))
        await made.peer.wait_for(lambda: made.peer.calls("editMessageText"))
        showing.cancel()
        await draft.finish(made.out(GROUP, "Half and whole"))
        (shown,) = made.peer.messages(GROUP)
        await made.peer.wait_for(lambda: "Half" in [one.text for one in shown.versions])
        assert made.peer.texts(GROUP) == ["Half and whole"]


@pytest.mark.slow
async def test_a_half_text_that_was_given_up_and_lands_behind_the_answer_does_not_stay() -> None:
    async with line(timeout="300ms") as made:
        draft = await opened(made, GROUP)
        made.peer.faults.plan(slow(1.5), method="editMessageText")
        with pytest.raises(Transient):
            await draft.show("Half")
        await draft.finish(made.out(GROUP, "Half and whole"))
        (shown,) = made.peer.messages(GROUP)
        await made.peer.wait_for(lambda: "Half" in [one.text for one in shown.versions])
        assert made.peer.texts(GROUP) == ["Half and whole"]


@pytest.mark.slow
async def test_two_groups_stream_side_by_side() -> None:
    async with line(flood=Flood(penalty=120)) as made:
        other = {**GROUP, "id": -1002000000009}
        drafts = [(chat, await opened(made, chat)) for chat in (GROUP, other)]

        async def whole(chat: Json, draft: Draft) -> None:
            await grow(made, draft, WORDS[:120])
            await insist(made, lambda: draft.finish(made.out(chat, "done")))

        await asyncio.gather(*(whole(chat, draft) for chat, draft in drafts))
        assert made.peer.texts(GROUP) == made.peer.texts(other) == ["done"]


async def test_without_streaming_nobody_watches() -> None:
    async with line(stream="off") as made:
        assert not made.adapter.watched(made.address(PERSON))
    async with line() as made:
        assert made.adapter.watched(made.address(PERSON))


async def test_a_draft_cannot_become_an_attachment() -> None:
    async with line() as made:
        draft = await opened(made, GROUP)
        piece: Outbound = made.out(GROUP, "look", attachments=(Image("https://e.example/p.png"),))
        with pytest.raises(Unfinishable):
            await draft.finish(piece)
        await draft.abandon()
        await made.adapter.send(piece)
        (shown,) = made.peer.messages(GROUP)
        assert (shown.kind, shown.text) == ("photo", "look")
