"""`parley chat` on a database that servers share takes nothing from them."""

import asyncio

import pytest

from bot import Address, Transient
from bot.app.construction import make_rules
from bot.config import Settings
from bot.domain.records import Accepted
from bot.store.memory import MemoryStore
from tests.engine.house import House, ListPlatform, ScriptedModel
from tests.engine.test_crashes import BrokenPlatform, passing
from tests.fakes import FakeClock

SHARED = Settings.model_validate({"database": {"url": "postgresql://database/parley"}})
CHAT = make_rules(SHARED, alone=True)
ME = Address("terminal", "terminal", "me")


def chat_beside(server: House, platform: ListPlatform | None = None) -> House:
    """The engine of a chat over the same rows, with none but its own platform."""
    chat = House(
        ScriptedModel(),
        clock=server.clock,
        store=server.store,
        platform=platform or ListPlatform("terminal"),
        rules=CHAT,
    )
    chat._count = 1000  # its events have names of their own
    return chat


async def a_minute(house: House) -> None:
    for _ in range(120):
        house.clock.advance(0.5)
        for _ in range(10):
            await asyncio.sleep(0)


async def test_what_waits_for_a_server_is_left_alone_by_a_chat_that_is_answered() -> None:
    server = House(ScriptedModel())
    await server.say("hello")
    chat = chat_beside(server)
    async with chat.open():
        await chat.say("hi", address=ME)
        assert await chat.has_sent(1) == ["you said: hi"]
        await a_minute(chat)
        async with server.open():
            # At once: nobody has parked it meanwhile.
            assert await server.has_sent(1) == ["you said: hello"]


async def test_what_a_server_left_in_the_middle_is_for_the_next_server_and_not_for_a_chat() -> None:
    server = House(ScriptedModel())
    await server.say("hello")
    await server.store.claim(await server.store.join("gone", CHAT.lease), 64)
    chat = chat_beside(server)
    async with chat.open():
        await a_minute(chat)
        async with server.open():
            assert await server.has_sent(1) == ["you said: hello"]


async def test_a_conversation_of_a_chats_own_that_had_to_rest_is_taken_up_again() -> None:
    platform = BrokenPlatform("terminal")
    platform.failures = 6
    chat = chat_beside(House(ScriptedModel()), platform)
    async with chat.open():
        await chat.say("hi", address=ME)
        await passing(chat, lambda: platform.failures <= 2 and not chat.engine.runner.running)
        await passing(chat, lambda: platform.sent)
        assert "gave up" in platform.texts[0]


class LostWord(MemoryStore):
    """Stores the first message, and its word that it did is lost."""

    lost = False

    async def accept(self, *args: object, **values: object) -> Accepted:
        accepted = await super().accept(*args, **values)  # type: ignore[arg-type]
        if not self.lost:
            self.lost = True
            raise Transient("the connection broke")
        return accepted


async def test_a_message_that_a_chat_had_to_bring_twice_is_answered() -> None:
    clock = FakeClock()
    chat = chat_beside(House(ScriptedModel(), clock=clock, store=LostWord(clock)))
    async with chat.open():
        hi = chat.said("hi", address=ME)
        with pytest.raises(Transient):
            await chat.receive(hi)
        assert not (await chat.receive(hi)).new
        await passing(chat, lambda: chat.platform.sent)
        assert chat.platform.texts == ["you said: hi"]
