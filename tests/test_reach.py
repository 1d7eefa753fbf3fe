"""With whom a command speaks: `parley chat` on its own ends when its engine does."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.app.construction import make_rules
from bot.app.stores import control_path
from bot.cli.reach import server_of, while_it_works
from bot.config import Settings
from bot.control import ControlServer
from bot.engine.runner import LeaseLost
from bot.errors import Permanent
from tests.config_files import loaded
from tests.fakes import RecordingObserver


class Talk:
    """A person who says nothing until they leave."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self) -> int:
        try:
            await self.leaves.wait()
            return 0
        finally:
            self.ended.set()


async def fails(error: Exception) -> None:
    raise error


async def works() -> None:
    await asyncio.Event().wait()


async def test_a_person_who_leaves_ends_the_chat() -> None:
    working, talk = asyncio.create_task(works()), Talk()
    talk.leaves.set()
    assert await while_it_works(working, talk()) == 0
    assert not working.done()
    working.cancel()


async def test_an_engine_that_has_lost_its_name_ends_the_chat_with_a_sentence() -> None:
    talk = Talk()
    lost = LeaseLost("one")
    with pytest.raises(Permanent, match=r"has stopped \(another process .* parley chat again"):
        await while_it_works(asyncio.create_task(fails(lost)), talk())
    assert talk.ended.is_set()


async def test_an_engine_that_breaks_ends_the_chat_with_the_place_and_without_the_text() -> None:
    error = ExceptionGroup("unhandled", [ValueError("said in confidence")])
    with pytest.raises(Permanent, match=r"ValueError") as found:
        await while_it_works(asyncio.create_task(fails(error)), Talk()())
    assert "confidence" not in str(found.value)


async def test_an_engine_that_breaks_is_named_by_file_and_line() -> None:
    with pytest.raises(Permanent, match=rf"ZeroDivisionError, .*{Path(__file__).name}:\d+ divide"):
        await while_it_works(asyncio.create_task(divide()), Talk()())


async def divide() -> None:
    _ = 1 / 0


def test_a_chat_does_not_run_under_the_name_of_a_server() -> None:
    settings = Settings()
    named = settings.server.model_copy(update={"node": "north"})
    settings = settings.model_copy(update={"server": named})
    server, chat = make_rules(settings), make_rules(settings, alone=True)
    assert server.node == "north"
    assert chat.node.startswith("north/chat-")
    assert replace(chat, node=server.node) == server


async def test_a_command_is_refused_in_the_language_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    found = loaded(tmp_path, "database: sqlite:///parley.db")
    note = control_path(found)
    assert note is not None
    listening = ControlServer(note, {}, RecordingObserver())
    await listening.open()
    try:
        server = await server_of(found)
        assert server is not None
        with pytest.raises(Permanent, match="没有 dance 命令"):
            async with aclosing(server.call("dance", {})) as events:
                assert [event async for event in events] == []
    finally:
        await listening.close()
