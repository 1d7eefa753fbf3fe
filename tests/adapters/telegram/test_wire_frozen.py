"""A node that was frozen says and edits nothing once another may have its turns."""

import pytest

from adapters.telegram.draft import FadingDraft
from bot import Transient, TurnId
from tests.adapters.telegram.line import Line, line
from tests.peers.log import Json
from tests.peers.telegram_faults import failure
from tests.peers.telegram_updates import ANN, GROUP, private

PERSON = private(ANN)
TURN = TurnId(7)
SEND = "sendMessage"


async def test_an_edit_that_waited_for_its_pace_is_not_made_by_a_node_that_lost_its_lease() -> None:
    sure = [True]
    async with line(stream="edit", sure=lambda: sure[0]) as made:
        draft = await made.adapter.draft(
            made.address(PERSON), turn=TURN, reply_to=None, resume=None
        )
        await draft.show("so far")
        sure[0] = False
        with pytest.raises(Transient):
            await draft.show("stale")
        assert made.peer.texts(PERSON) == ["so far"]


@pytest.mark.parametrize(("stream", "chat"), [("draft", PERSON), ("edit", PERSON), ("edit", GROUP)])
async def test_an_answer_that_waited_is_not_said_by_a_node_that_lost_its_lease(
    stream: str, chat: Json
) -> None:
    sure = [True]
    async with line(stream=stream, sure=lambda: sure[0]) as made:
        draft = await made.adapter.draft(made.address(chat), turn=TURN, reply_to=None, resume=None)
        await draft.show("so far")
        shown = made.peer.texts(chat)
        sure[0] = False
        with pytest.raises(Transient):
            await draft.finish(made.out(chat, "the whole"))
        with pytest.raises(Transient):
            await made.adapter.send(made.out(chat, "another"))
        assert made.peer.texts(chat) == shown


async def test_a_second_try_without_the_marks_is_not_made_by_a_node_that_lost_its_lease() -> None:
    lines: list[Line] = []
    async with line(sure=lambda: not any(one.peer.calls(SEND) for one in lines)) as made:
        lines.append(made)
        made.peer.faults.plan(failure(400, "Bad Request: can't parse entities"), method=SEND)
        with pytest.raises(Transient):
            await made.adapter.send(made.out(PERSON, "**late**"))
        assert len(made.peer.calls(SEND)) == 1


async def test_no_draft_is_opened_or_shown_by_a_node_that_lost_its_lease() -> None:
    async with line(sure=lambda: False) as made:
        with pytest.raises(Transient):
            await made.adapter.draft(made.address(GROUP), turn=TURN, reply_to=None, resume=None)
        fading = await made.adapter.draft(
            made.address(PERSON), turn=TURN, reply_to=None, resume=None
        )
        assert isinstance(fading, FadingDraft)
        with pytest.raises(Transient):
            await fading.show("stale")
        assert made.peer.texts(GROUP) == []
        assert made.peer.drafts(PERSON) == []
