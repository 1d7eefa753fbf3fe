"""What another life of the program has said can be found again, by its key."""

from datetime import timedelta

import pytest

from bot import Finds, Permanent, Sent, Transient, TurnId
from tests.adapters.slack.line import line
from tests.peers.slack_events import ANN, DIRECT, GENERAL
from tests.peers.slack_faults import limited, refused

TURN = TurnId(7)


async def test_a_piece_is_found_in_its_thread_or_its_chat_and_nowhere_else() -> None:
    async with line() as made:
        assert isinstance(made.adapter, Finds)
        thread = made.peer.say("look", channel=GENERAL)["event"]["ts"]
        since = made.clock.now()
        for channel, under in ((DIRECT, None), (GENERAL, thread)):
            piece = made.out(channel, "said", under)
            assert await made.adapter.find(piece, since) is None
            sent = await made.adapter.send(piece)
            assert await made.adapter.find(piece, since) == sent
            assert await made.adapter.find(made.out(channel, "", under, key="7/1"), since) is None


async def test_a_draft_whose_opening_was_cut_off_is_found_and_taken_up() -> None:
    async with line() as made:
        place, since = made.address(DIRECT), made.clock.now()
        assert await made.adapter.find_draft(place, TURN, since) is None
        await made.adapter.draft(place, turn=TURN, reply_to=None, resume=None)
        (shown,) = made.peer.messages(DIRECT)
        found = await made.adapter.find_draft(place, TURN, since)
        assert found == Sent(shown.ts, (("channel", DIRECT),))
        draft = await made.adapter.draft(place, turn=TURN, reply_to=None, resume=found)
        await draft.finish(made.out(DIRECT, "the whole"))
        assert made.peer.texts(DIRECT) == ["the whole"]


async def test_what_was_said_long_before_is_no_trace_of_this_sending() -> None:
    async with line() as made:
        piece = made.out(DIRECT, "said")
        await made.adapter.send(piece)
        assert await made.adapter.find(piece, made.clock.now() + timedelta(hours=1)) is None


async def test_what_only_one_person_saw_cannot_be_found() -> None:
    async with line() as made:
        with pytest.raises(Permanent):
            await made.adapter.find(made.out(GENERAL, "psst", ANN), made.clock.now())


async def test_where_more_was_said_than_can_be_looked_through_nobody_can_tell() -> None:
    async with line() as made:
        since = made.clock.now()
        for number in range(201):
            made.peer.say(f"message {number}")
        with pytest.raises(Permanent, match="more was said"):
            await made.adapter.find(made.out(DIRECT, "said"), since)


async def test_a_refusal_for_now_and_one_for_ever_are_told_apart() -> None:
    async with line() as made:
        piece, since = made.out(DIRECT, "said"), made.clock.now()
        made.peer.faults.plan(limited(1), method="conversations.history")
        with pytest.raises(Transient):
            await made.adapter.find(piece, since)
        made.peer.faults.plan(refused("missing_scope"), method="conversations.history")
        with pytest.raises(Permanent):
            await made.adapter.find(piece, since)
