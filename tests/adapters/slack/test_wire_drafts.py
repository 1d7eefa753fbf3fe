"""Growing answers over the real wire: Slack's pace is kept and the last text always arrives."""

import asyncio

import pytest

from adapters.slack.limits import RESERVE, SPACING
from bot import (
    Activity,
    ActivityState,
    Choice,
    Draft,
    Permanent,
    Sent,
    Transient,
    TurnId,
    Unfinishable,
)
from tests.adapters.slack.line import Line, line
from tests.peers.faults import cut, hang, slow
from tests.peers.slack_events import DIRECT, GENERAL
from tests.peers.slack_faults import limited, refused
from tests.peers.slack_rules import Tiers

TURN = TurnId(7)


async def opened(made: Line, channel: str = DIRECT, thread: str | None = None) -> Draft:
    address = made.address(channel, thread)
    return await made.adapter.draft(address, turn=TURN, reply_to=None, resume=None)


async def test_a_draft_is_a_message_that_can_be_found_again() -> None:
    async with line() as made:
        assert made.adapter.draft_is_message(made.address(DIRECT))
        thread = made.peer.say("look", channel=GENERAL)["event"]["ts"]
        draft = await opened(made, GENERAL, thread)
        (shown,) = made.peer.messages(GENERAL, thread)
        assert draft.sent == Sent(shown.ts, (("channel", GENERAL),))
        again = await made.adapter.draft(
            made.address(GENERAL, thread), turn=TURN, reply_to=None, resume=draft.sent
        )
        await again.finish(made.out(GENERAL, "done", thread))
        assert made.peer.texts(GENERAL) == ["done"]


async def test_it_grows_by_edits_and_ends_with_the_whole_and_its_buttons() -> None:
    async with line() as made:
        draft = await opened(made)
        for text in ("It", "It is", "It is so"):
            await draft.show(text)
        sent = await draft.finish(made.out(DIRECT, "It is **so**.", choices=(Choice("OK", "ok"),)))
        (shown,) = made.peer.messages(DIRECT)
        assert shown.texts == ["…", "It", "It is", "It is so", "It is **so**."]
        assert [button["value"] for button in shown.buttons] == ["ok"]
        assert sent == draft.sent


async def test_nothing_is_begun_that_could_not_be_finished_within_the_minute() -> None:
    async with line() as made:
        for number in range(50 - RESERVE):
            await made.adapter._client.pace.final(GENERAL, str(number))
        with pytest.raises(Permanent):
            await opened(made)
        assert made.peer.messages(DIRECT) == []
        await made.adapter.send(made.out(DIRECT, "The whole of it."))
        assert made.peer.texts(DIRECT) == ["The whole of it."]


async def test_edits_keep_slacks_pace() -> None:
    async with line() as made:
        draft = await opened(made)
        for number in range(5):
            await draft.show(str(number))
        at = [version.at for version in made.peer.messages(DIRECT)[0].versions[1:]]
        # Four pauses together: an edit that is late makes one gap longer and the next one shorter.
        assert len(at) == 5
        assert at[-1] - at[0] > 3.5 * SPACING[0] * 1_000_000


async def test_a_tool_at_work_is_shown_and_an_unchanged_text_is_not_sent_twice() -> None:
    async with line() as made:
        draft = await opened(made)
        clock = Activity("clock", "{}", ActivityState.RUNNING)
        await draft.show("One moment.", [clock])
        await draft.show("One moment.", [clock])
        await draft.show("")
        texts = made.peer.messages(DIRECT)[0].texts
        assert texts == ["…", "One moment.\n\n⏳ `clock`"]


async def test_a_text_that_outgrows_a_message_shows_its_beginning() -> None:
    async with line() as made:
        draft = await opened(made)
        await draft.show("```\n" + "字 " * 9000)
        text = made.peer.messages(DIRECT)[0].text
        assert text.endswith("\n```")
        assert len(text.encode()) <= 12_000
        pieces = made.adapter.pieces(made.out(DIRECT, "word " * 4000))
        await draft.finish(pieces[0])
        for piece in pieces[1:]:
            await made.adapter.send(piece)
        words = " ".join(made.peer.texts(DIRECT)).split()
        assert words == ["word"] * 4000


@pytest.mark.slow
async def test_many_that_grow_at_once_stay_below_the_workspaces_limit() -> None:
    async with line(peer={"tiers": Tiers(), "echo": False}) as made:
        drafts = [await opened(made, channel) for channel in (DIRECT, "D0BO", GENERAL)]

        async def grow(draft: Draft, channel: str) -> None:
            for number in range(25):
                while True:
                    try:
                        await draft.show(f"{number} words")
                        break
                    except Transient as error:
                        await made.clock.until_it_may(error)
            await finished(made, draft, channel)

        async with asyncio.TaskGroup() as group:
            for draft, channel in zip(drafts, (DIRECT, "D0BO", GENERAL), strict=True):
                group.create_task(grow(draft, channel))
        statuses = {exchange.status for exchange in made.peer.calls("chat.update")}
        assert statuses == {200}
        assert made.peer.texts(DIRECT) == made.peer.texts("D0BO") == ["done"]


async def finished(made: Line, draft: Draft, channel: str) -> None:
    """Finish as the engine does: as often as it takes."""
    while True:
        try:
            await draft.finish(made.out(channel, "done"))
        except Transient as error:
            await made.clock.until_it_may(error)
        else:
            return


async def test_a_limit_delays_the_last_text_and_does_not_lose_it() -> None:
    async with line() as made:
        draft = await opened(made)
        made.peer.faults.plan(limited(20), method="chat.update")
        with pytest.raises(Transient):
            await draft.show("half")
        before = made.clock.monotonic()
        await finished(made, draft, DIRECT)
        assert made.clock.monotonic() - before >= 15
        assert made.peer.texts(DIRECT) == ["done"]
        assert len(made.peer.calls("chat.update")) == 2


@pytest.mark.parametrize("fault", [cut(), cut(effect=True), hang(effect=True)])
async def test_an_edit_without_an_answer_is_made_again(fault: object) -> None:
    async with line(timeout="300ms") as made:
        draft = await opened(made)
        made.peer.faults.plan(fault, method="chat.update")  # type: ignore[arg-type]  # a parameter
        with pytest.raises(Transient):
            await draft.finish(made.out(DIRECT, "done"))
        await draft.finish(made.out(DIRECT, "done"))
        assert made.peer.texts(DIRECT) == ["done"]


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_draft_that_is_gone_cannot_become_the_answer_and_says_nothing_beside(
    code: str,
) -> None:
    async with line() as made:
        draft = await opened(made)
        await made.adapter._client.delete(DIRECT, draft.sent.platform_id if draft.sent else "")
        made.peer.faults.plan(refused(code), method="chat.update")
        with pytest.raises(Unfinishable):
            await draft.finish(made.out(DIRECT, "done"))
        assert made.peer.messages(DIRECT) == []


async def test_a_layout_that_an_edit_does_not_take_is_sent_as_words() -> None:
    async with line() as made:
        draft = await opened(made)
        made.peer.faults.plan(refused("invalid_blocks"), method="chat.update")
        await draft.finish(made.out(DIRECT, "**short**"))
        assert made.peer.texts(DIRECT) == ["short"]


async def test_long_words_that_an_edit_does_not_take_are_a_message_of_their_own() -> None:
    async with line() as made:
        draft = await opened(made)
        long = "word " * 1000
        made.peer.faults.plan(refused("msg_blocks_too_long"), method="chat.update")
        made.peer.faults.plan(refused("msg_blocks_too_long"), method="chat.postMessage")
        with pytest.raises(Unfinishable):
            await draft.finish(made.out(DIRECT, long))
        await draft.abandon()
        await made.adapter.send(made.out(DIRECT, long))
        (shown,) = made.peer.messages(DIRECT)
        assert shown.text == long.strip()


async def test_what_is_given_up_goes_away_and_else_is_marked() -> None:
    async with line() as made:
        first, second = await opened(made), await opened(made)
        await first.show("half a")
        await first.abandon()
        await second.show("half a")
        made.peer.faults.plan(refused("restricted_action"), method="chat.delete")
        await second.abandon()
        assert made.peer.texts(DIRECT) == ["half a ⏹"]
        await made.adapter._client.delete(DIRECT, second.sent.platform_id if second.sent else "")
        await second.abandon()


async def test_a_draft_that_nobody_can_find_does_not_grow() -> None:
    async with line(timeout="300ms") as made:
        made.peer.faults.plan(cut(effect=True), method="chat.postMessage")
        made.peer.faults.plan(refused("missing_scope"), method="conversations.history")
        with pytest.raises(Permanent):
            await opened(made)


async def test_a_late_half_text_does_not_replace_the_whole() -> None:
    async with line() as made:
        draft = await opened(made)
        showing = asyncio.create_task(draft.show("half"))
        await made.peer.wait_for(lambda: made.peer.calls("chat.update"))
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        await draft.finish(made.out(DIRECT, "whole"))
        assert made.peer.texts(DIRECT) == ["whole"]


@pytest.mark.slow
async def test_a_half_text_that_hangs_on_its_way_lands_behind_the_whole_and_does_not_stay() -> None:
    async with line() as made:
        draft = await opened(made)
        made.peer.faults.plan(slow(4.5), method="chat.update")
        showing = asyncio.create_task(draft.show("half"))
        await made.peer.wait_for(lambda: made.peer.calls("chat.update"))
        showing.cancel()
        await draft.finish(made.out(DIRECT, "whole"))
        await made.peer.wait_for(lambda: "half" in made.peer.messages(DIRECT)[0].texts)
        assert made.peer.texts(DIRECT) == ["whole"]


@pytest.mark.slow
async def test_a_half_text_that_was_given_up_and_lands_behind_the_whole_does_not_stay() -> None:
    async with line(timeout="300ms") as made:
        draft = await opened(made)
        made.peer.faults.plan(slow(1.5), method="chat.update")
        with pytest.raises(Transient):
            await draft.show("half")
        await draft.finish(made.out(DIRECT, "whole"))
        await made.peer.wait_for(lambda: "half" in made.peer.messages(DIRECT)[0].texts)
        assert made.peer.texts(DIRECT) == ["whole"]


async def test_nothing_grows_where_it_is_switched_off() -> None:
    async with line(stream="off") as made:
        assert not made.adapter.watched(made.address(DIRECT))
    async with line() as made:
        assert made.adapter.watched(made.address(DIRECT))
