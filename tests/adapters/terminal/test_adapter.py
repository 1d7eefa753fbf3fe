"""The orders of a terminal, on the real engine."""

import asyncio
from contextlib import aclosing

import pytest

from adapters.terminal.adapter import TerminalAdapter
from adapters.terminal.chats import QUEUE, Chats
from adapters.terminal.events import Accepted, Activities, Attached, Doing, Draft, Ended, Line, Said
from bot import Address, Drafts, Listens, Outbound, Permanent, TurnId
from bot.ports import Adapter, Leaves, TakesOrders
from tests.adapters.terminal.room import Room
from tests.engine.house import Gate, ScriptedModel
from tests.fakes import until

HERE = Address("terminal", "terminal", "ann")


def test_it_is_an_adapter_that_listens_drafts_and_takes_orders() -> None:
    adapter: object = Room(ScriptedModel()).adapter
    assert isinstance(adapter, Adapter)
    assert isinstance(adapter, Listens)
    assert isinstance(adapter, Drafts)
    assert isinstance(adapter, TakesOrders)
    assert isinstance(adapter, TerminalAdapter)
    assert (adapter.platform, adapter.account) == ("terminal", "terminal")


async def test_a_message_is_accepted_once_and_answered_to_who_looks() -> None:
    async with Room(ScriptedModel()).open() as room, room.attached() as watcher:
        assert await watcher.next(Attached) == Attached(model=True)
        assert await room.asked("chat.say", id="m1", text="hello") == [Accepted("m1", new=True)]
        assert await room.asked("chat.say", id="m1", text="hello") == [Accepted("m1", new=False)]
        said = await watcher.next(Said)
        assert isinstance(said, Said)
        assert said.text == "you said: hello"


async def test_every_terminal_of_a_chat_sees_the_answer_and_no_other_chat_does() -> None:
    async with (
        Room(ScriptedModel()).open() as room,
        room.attached() as one,
        room.attached() as two,
        room.attached("bob") as other,
    ):
        for watcher in (one, two, other):
            await watcher.next(Attached)
        await room.asked("chat.say", id="m1", text="hello")
        assert await one.next(Said) == await two.next(Said)
        await room.adapter.close()
        with pytest.raises(AssertionError, match="ended"):
            await other.next(Said)


async def test_who_comes_late_sees_what_has_grown() -> None:
    gate = Gate("Once upon")
    async with Room(ScriptedModel(gate)).open() as room, room.attached() as early:
        await early.next(Attached)
        await room.asked("chat.say", id="m1", text="tell")
        await early.next(Draft)
        async with room.attached() as late:
            draft = await late.next(Draft)
            assert isinstance(draft, Draft)
            assert draft.text == "Once upon"
        gate.let_go.set()
        await early.next(Said)


async def test_nobody_watches_when_everybody_has_gone() -> None:
    async with Room(ScriptedModel()).open() as room:
        async with room.attached() as watcher:
            await watcher.next(Attached)
            assert room.adapter.watched(HERE)
        assert not room.adapter.watched(HERE)
        assert not room.adapter.draft_is_message(HERE)


async def test_an_answer_that_nobody_sees_is_in_the_history() -> None:
    async with Room(ScriptedModel()).open() as room:
        await room.asked("chat.say", id="m1", text="hello")
        await until(lambda: room.observer.named("sent"))
        found = await room.asked("chat.history")
    assert [(line.id, line.text) for line in found if isinstance(line, Line)] == [
        ("m1", "hello"),
        ("", "you said: hello"),
    ]


async def test_what_waits_is_marked_in_the_history() -> None:
    gate = Gate("half")
    async with Room(ScriptedModel(gate)).open() as room:
        await room.asked("chat.say", id="m1", text="hello")
        await gate.reached.wait()
        (line,) = await room.asked("chat.history")
        assert isinstance(line, Line)
        assert line.waiting


async def test_a_ctrl_c_ends_the_running_answer() -> None:
    gate = Gate("half")
    async with Room(ScriptedModel(gate)).open() as room, room.attached() as watcher:
        await watcher.next(Attached)
        await room.asked("chat.say", id="m1", text="tell")
        await gate.reached.wait()
        await room.asked("chat.stop", id="s1")
        said = await watcher.next(Said)
        assert isinstance(said, Said)
        assert said.text == "half\n\n(stopped)"
    assert gate.closed.is_set()


async def test_an_empty_message_is_refused() -> None:
    async with Room(ScriptedModel()).open() as room:
        with pytest.raises(Permanent, match="nothing"):
            await room.asked("chat.say", id="m1", text="  ")


async def test_a_draft_that_is_abandoned_is_told() -> None:
    room = Room(ScriptedModel())
    async with room.attached() as watcher:
        await watcher.next(Attached)
        draft = await room.adapter.draft(HERE, turn=TurnId(7), reply_to=None, resume=None)
        await draft.abandon()
        assert await watcher.next(Ended) == Ended("7")


async def test_a_draft_whose_turn_goes_on_elsewhere_is_not_shown_to_who_comes_later() -> None:
    room = Room(ScriptedModel())
    draft: object = await room.adapter.draft(
        HERE, turn=TurnId(7), reply_to=None, resume=None, opening="half of"
    )
    assert isinstance(draft, Leaves)
    draft.leave()
    async with room.attached() as watcher:
        await watcher.next(Attached)
        await room.adapter.send(Outbound("7/0", HERE, "whole"))
        assert await watcher.next(Draft | Said) == Said("7", "whole")


async def test_a_draft_that_is_left_late_does_not_touch_the_next_one() -> None:
    chats = Chats()
    old = chats.grow("ann", "7")
    new = chats.grow("ann", "8")
    chats.drop("ann", old)
    new.show("whole", ())
    with chats.looking("ann") as terminal:
        async with aclosing(terminal.events()) as events:
            assert await anext(events) == Draft("8", "whole")


async def test_a_text_that_is_replaced_is_told_whole() -> None:
    chats = Chats()
    with chats.looking("ann") as terminal:
        growth = chats.grow("ann", "7")
        async with aclosing(terminal.events()) as events:
            growth.show("one", ())
            assert await anext(events) == Draft("7", "one")
            growth.show("one two", ())
            assert await anext(events) == Draft("7", " two")
            growth.show("three", ())
            assert await anext(events) == Draft("7", "three", whole=True)


async def test_a_slow_terminal_gets_one_long_piece() -> None:
    chats = Chats()
    with chats.looking("ann") as terminal:
        growth = chats.grow("ann", "7")
        for n in range(1000):
            growth.show("x" * n, ())
        async with aclosing(terminal.events()) as events:
            assert await anext(events) == Draft("7", "x" * 999)


async def test_a_terminal_that_does_not_read_is_hung_up_on() -> None:
    chats = Chats()
    with chats.looking("ann") as terminal:
        for n in range(QUEUE + 1):
            chats.tell("ann", Said(str(n), "text"))
        async with asyncio.timeout(5):
            assert len([event async for event in terminal.events()]) == QUEUE


async def test_activities_are_told_when_they_change() -> None:
    chats = Chats()
    calls = (Doing("clock", "{}", "running"),)
    with chats.looking("ann") as terminal:
        growth = chats.grow("ann", "7")
        growth.show("", calls)
        async with aclosing(terminal.events()) as events:
            assert await anext(events) == Activities("7", calls)
            growth.show("noon", calls)
            assert await anext(events) == Draft("7", "noon")
