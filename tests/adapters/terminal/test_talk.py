"""A person talks: answers grow and end, Ctrl-C stops, a server that goes is waited for."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from adapters.terminal.events import Line, written
from bot import Permanent, Transient, tool
from tests.adapters.terminal.room import WAITS, Events, ListSurface, Room
from tests.engine.house import Gate, ScriptedModel, calls, says
from tests.fakes import EPOCH, until


async def test_each_line_is_answered_before_the_next_is_sent() -> None:
    async with Room(ScriptedModel()).open() as room:
        surface = ListSurface("one", "two")
        assert await room.talk(surface).run() == 0
    assert surface.said == ["you said: one", "you said: two"]


async def test_an_answer_grows_before_it_is_finished() -> None:
    gate = Gate("Once upon", " a time")
    async with Room(ScriptedModel(gate)).open() as room:
        surface = ListSurface("tell")
        talking = asyncio.ensure_future(room.talk(surface).run())
        await until(lambda: surface.grown == ["Once upon"])
        assert surface.said == []
        gate.let_go.set()
        assert await talking == 0
    assert surface.said == ["Once upon a time"]


async def test_what_a_tool_does_is_told() -> None:
    @tool
    def look(word: str) -> str:
        """Look something up.

        Args:
            word: What to look up.
        """
        return word.upper()

    model = ScriptedModel(calls(("look", '{"word": "a"}')), says("found"))
    async with Room(model, [look]).open() as room:
        surface = ListSurface("go")
        await room.talk(surface).run()
    seen = [(call.tool, call.state) for growing in surface.calls for call in growing]
    assert seen[0] == ("look", "running")
    assert surface.said == ["found"]


async def test_an_interrupt_stops_the_answer_and_not_the_program() -> None:
    gate = Gate("half of")
    async with Room(ScriptedModel(gate)).open() as room:
        surface = ListSurface("tell", "again")
        talk = room.talk(surface)
        talking = asyncio.ensure_future(talk.run())
        await until(lambda: surface.grown)
        talk.interrupt()
        assert await talking == 0
    assert gate.closed.is_set()
    assert surface.said == ["half of\n\n(stopped)", "you said: again"]


async def test_a_second_interrupt_leaves() -> None:
    async with Room(ScriptedModel(Gate("half of"))).open() as room:
        surface = ListSurface("tell")
        talk = room.talk(surface)
        talking = asyncio.ensure_future(talk.run())
        await until(lambda: surface.grown)
        talk.interrupt()
        talk.interrupt()
        assert await talking == 130


async def test_an_interrupt_between_answers_leaves() -> None:
    async with Room(ScriptedModel()).open() as room:
        surface = ListSurface("one", stays=True)
        talk = room.talk(surface)
        talking = asyncio.ensure_future(talk.run())
        await until(lambda: surface.resting)
        talk.interrupt()
        assert await talking == 130


async def test_where_it_takes_two_interrupts_one_is_not_enough() -> None:
    async with Room(ScriptedModel()).open() as room:
        surface = ListSurface("one", stays=True, presses=2)
        talk = room.talk(surface)
        talking = asyncio.ensure_future(talk.run())
        await until(lambda: surface.resting)
        talk.interrupt()
        await asyncio.sleep(0)
        assert not talking.done()
        talk.interrupt()
        assert await talking == 130


async def test_quit_is_not_a_message() -> None:
    async with Room(ScriptedModel()).open() as room:
        surface = ListSurface("/quit", "never")
        assert await room.talk(surface).run() == 0
    assert surface.said == []


async def test_commands_are_answered_and_forgetting_empties_the_recall() -> None:
    async with Room(ScriptedModel()).open() as room:
        surface = ListSurface("hello", "/help", "/forget", "/usage")
        await room.talk(surface).run()
        again = ListSurface()
        await room.talk(again).run()
    assert "/usage" in surface.said[1]
    assert len(surface.said) == 4
    assert surface.forgotten == 1
    assert again.earlier == []


@pytest.mark.parametrize("order", ["/Forget", "/forget please", "忘记我"])
async def test_whatever_the_engine_takes_for_forgetting_empties_the_recall(order: str) -> None:
    async with Room(ScriptedModel()).open() as room:
        surface = ListSurface("hello", order)
        await room.talk(surface).run()
    assert surface.forgotten == 1


async def test_a_message_that_only_looks_like_forgetting_leaves_the_recall() -> None:
    async with Room(ScriptedModel()).open() as room:
        surface = ListSurface("/forgetful", "forget", "忘记我吧")
        await room.talk(surface).run()
    assert surface.forgotten == 0


async def test_what_was_said_before_is_there_again() -> None:
    async with Room(ScriptedModel()).open() as room:
        await room.talk(ListSurface("hello")).run()
        surface = ListSurface()
        await room.talk(surface).run()
    assert surface.earlier == ["hello", "you said: hello"]


async def test_a_message_that_the_server_refuses_is_told_and_fails_a_script() -> None:
    async with Room(ScriptedModel()).open() as room:

        def call(command: str, args: Mapping[str, object]) -> Events:
            if command == "chat.say" and args["text"] == "bad":
                return refusing(Permanent("not this"))
            return room.call(command, args)

        surface = ListSurface("bad", "good")
        assert await room.talk(surface, call).run() == 1
    assert surface.notices == ["not this"]
    assert surface.said == ["you said: good"]


async def refusing(error: Exception) -> Events:
    raise error
    yield {}  # type: ignore[unreachable]  # makes it a generator


async def test_a_server_that_goes_and_comes_back_loses_nothing() -> None:
    gate = Gate("half ", "and whole")
    async with Room(ScriptedModel(gate)).open() as room:
        there = True

        def call(command: str, args: Mapping[str, object]) -> Events:
            return room.call(command, args) if there else refusing(Transient("gone"))

        surface = ListSurface("tell", "more")
        talking = asyncio.ensure_future(room.talk(surface, call).run())
        await until(lambda: surface.grown)
        there = False
        await room.adapter.close()
        await until(lambda: surface.notices)
        gate.let_go.set()
        await until(lambda: room.observer.named("sent"))
        there = True
        assert await talking == 0
    assert surface.said == ["half and whole", "you said: more"]
    assert surface.notices == ["The server is gone; I am looking for it …", "The server is back."]


async def test_an_answer_that_nobody_could_tell_is_read_from_the_history() -> None:
    said = False

    def call(command: str, args: Mapping[str, object]) -> Events:
        nonlocal said
        if command == "chat.say":
            said = True
            return telling({"event": "accepted", "id": str(args["id"]), "new": True})
        if command == "chat.attach":
            return telling({"event": "attached", "model": False}, forever=True)
        lines = [Line("user", "hi", EPOCH, id=last[0]), Line("assistant", "there", EPOCH, turn="7")]
        return telling(*map(written, lines if said else []))

    last = [""]

    def noting(command: str, args: Mapping[str, object]) -> Events:
        if command == "chat.say":
            last[0] = str(args["id"])
        return call(command, args)

    surface = ListSurface("hi")
    room = Room(ScriptedModel())
    async with asyncio.timeout(10):
        assert await room.talk(surface, noting).run() == 0
    assert surface.said == ["there"]
    assert surface.model is False


async def telling(*events: Mapping[str, object], forever: bool = False) -> Events:
    for event in events:
        yield event
    if forever:
        await asyncio.Event().wait()


async def test_a_server_that_stays_away_is_given_up_with_a_sentence() -> None:
    room = Room(ScriptedModel())

    def call(command: str, args: Mapping[str, object]) -> Events:
        return refusing(Transient("gone"))

    surface = ListSurface("hi")
    async with asyncio.timeout(10):
        with pytest.raises(Transient, match="did not come back"):
            await room.talk(surface, call, replace(WAITS, limit=0.2)).run()
