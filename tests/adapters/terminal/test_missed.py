"""Answers that were told where this terminal could not hear them are read from the history."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing

from adapters.terminal.talk import EARLIER
from bot import tool
from tests.adapters.terminal.room import Events, ListSurface, Room
from tests.engine.house import ScriptedModel, calls, says


async def test_an_answer_behind_many_tool_calls_is_read_from_the_history_too() -> None:
    @tool
    def look(word: str) -> str:
        """Look something up.

        Args:
            word: What to look up.
        """
        return word.upper()

    asked = [("look", f'{{"word": "{n}"}}') for n in range(EARLIER)]
    model = ScriptedModel(calls(*asked), says("found"))
    async with Room(model, [look]).open() as room:
        surface = ListSurface("go")
        assert await room.talk(surface, deaf(room)).run() == 0
    assert surface.said == ["found"]


async def test_a_message_whose_line_is_not_there_is_not_looked_for_without_end() -> None:
    limits: list[object] = []

    async def call(command: str, args: Mapping[str, object]) -> Events:
        if command == "chat.history":
            limits.append(args["limit"])
        if command == "chat.attach":
            yield {"event": "attached", "model": False}
            await asyncio.Event().wait()

    async with asyncio.timeout(10):
        assert await Room(ScriptedModel()).talk(ListSurface("hi"), call).run() == 0
    assert limits == [EARLIER, EARLIER, EARLIER, 80, 320, 1000]


async def test_a_command_that_leaves_no_line_is_not_looked_for_in_the_whole_history() -> None:
    limits: set[object] = set()
    async with Room(ScriptedModel()).open() as room:

        def call(command: str, args: Mapping[str, object]) -> Events:
            limits.add(args.get("limit"))
            return room.call(command, args)

        surface = ListSurface("/help", "/Usage")
        await room.talk(surface, call).run()
    assert len(surface.said) == 2
    assert limits == {None, EARLIER}


def deaf(room: Room) -> Callable[[str, Mapping[str, object]], Events]:
    """The orders of a room whose answers are told on another node."""

    async def call(command: str, args: Mapping[str, object]) -> Events:
        async with aclosing(room.call(command, args)) as events:
            async for event in events:
                if event["event"] not in {"message", "draft", "activities"}:
                    yield event

    return call
