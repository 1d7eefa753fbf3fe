"""A node that was frozen says and edits nothing once another may have its turns."""

import pytest

from adapters.slack.limits import POST
from bot import Outbound, Transient, TurnId
from tests.adapters.slack.line import FastClock, Line, http, line
from tests.peers.slack_events import ANN, DIRECT, GENERAL
from tests.peers.slack_faults import refused

TURN = TurnId(7)
PAUSE = 4.0


class Drowsy(FastClock):
    """Whoever waits is frozen meanwhile, until another node may have his turns."""

    sure = True

    async def sleep(self, seconds: float) -> None:
        self.sure = False
        await super().sleep(seconds)


async def test_what_waited_for_slacks_pace_is_not_said_by_a_node_that_lost_its_lease() -> None:
    clock = Drowsy()
    async with line(clock=clock, sure=lambda: clock.sure) as made:
        made.adapter._client.pace.pause(POST, DIRECT, PAUSE)
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "late"))
        assert not clock.sure
        assert made.peer.texts(DIRECT) == []


async def test_no_draft_is_opened_behind_that_wait_either() -> None:
    clock = Drowsy()
    async with line(clock=clock, sure=lambda: clock.sure) as made:
        made.adapter._client.pace.pause(POST, DIRECT, PAUSE)
        with pytest.raises(Transient):
            await made.adapter.draft(made.address(DIRECT), turn=TURN, reply_to=None, resume=None)
        assert not clock.sure
        assert made.peer.texts(DIRECT) == []


async def test_what_only_one_person_sees_is_not_said_behind_it_either() -> None:
    clock = Drowsy()
    async with line(clock=clock, sure=lambda: clock.sure) as made:
        made.adapter._client.pace.pause("chat.postEphemeral", "", PAUSE)
        with pytest.raises(Transient):
            await made.adapter.send(Outbound("7/0", made.address(GENERAL, ANN), "psst"))
        assert not clock.sure
        assert made.peer.whispers == []


async def test_an_answer_at_a_commands_address_is_not_said_by_a_node_that_lost_its_lease() -> None:
    async with http(sure=lambda: False) as made:
        await made.peer.post(made.peer.command_body("new", channel=GENERAL))
        (inbound,) = made.desk.inbounds
        with pytest.raises(Transient):
            await made.adapter.send(Outbound("7/0", inbound.address, "psst"))
        assert made.peer.whispers == []


async def test_a_second_try_without_the_layout_is_not_made_by_it() -> None:
    lines: list[Line] = []
    async with line(sure=lambda: not any(one.peer.calls(POST) for one in lines)) as made:
        lines.append(made)
        made.peer.faults.plan(refused("invalid_blocks"), method=POST)
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "**late**"))
        assert len(made.peer.calls(POST)) == 1


async def test_an_answer_that_waited_is_not_said_by_a_node_that_lost_its_lease() -> None:
    sure = [True]
    async with line(sure=lambda: sure[0]) as made:
        draft = await made.adapter.draft(
            made.address(DIRECT), turn=TURN, reply_to=None, resume=None
        )
        await draft.show("so far")
        sure[0] = False
        with pytest.raises(Transient):
            await draft.finish(made.out(DIRECT, "the whole"))
        with pytest.raises(Transient):
            await made.adapter.send(made.out(DIRECT, "another"))
        assert made.peer.texts(DIRECT) == ["so far"]
