"""The door: who gets in, with which roles, and what an adapter is told."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot import Ambiguous, Kind, Outbound, Sender, Sent, Transient
from bot.domain.records import OutboxState
from tests.engine.house import RULES, House, ScriptedModel
from tests.fakes import until


async def while_time_passes(
    house: House, waiting: "asyncio.Future[Outbound | None]"
) -> Outbound | None:
    """What a request gets, looked for every 50 ms of the test's own time."""

    def look() -> bool:
        house.clock.advance(0.05)
        return waiting.done()

    await until(look)
    return waiting.result()


async def test_what_was_not_meant_for_us_is_neither_stored_nor_answered() -> None:
    async with House(ScriptedModel()).open() as house:
        receipt = await house.receive(house.said("chatter", direct=False, addressed=False))
        assert not receipt.new
        assert await receipt.reply(timedelta(seconds=1)) is None
        await receipt.replied(Sent())
        assert house.observer.named("discarded") == [{"adapter": "list", "why": "not addressed"}]
        assert (await house.store.health()).waiting == 0


async def test_roles_come_from_the_configuration_whatever_a_platform_says() -> None:
    rules = replace(RULES, roles={("list", "boss"): frozenset({"operator"})})
    house = House(ScriptedModel(), rules=rules)
    liar = Sender("eve", roles=frozenset({"operator"}))
    async with house.open():
        await house.say("/new", kind=Kind.COMMAND, direct=False, sender=liar)
        assert (await house.has_sent(1))[0].startswith("In a group only")
        await house.say("/new", kind=Kind.COMMAND, direct=False, sender=Sender("boss"))
        assert (await house.has_sent(2))[1].startswith("A new conversation")


async def test_a_message_that_is_too_long_is_told_so_and_never_reaches_a_model() -> None:
    rules = replace(RULES, max_characters=10)
    async with House(ScriptedModel(), rules=rules).open() as house:
        await house.say("x" * 11)
        assert "(10 characters at most)" in (await house.has_sent(1))[0]
        assert house.model.requests == []


async def test_a_server_that_is_full_or_stopping_takes_nothing() -> None:
    house = House(ScriptedModel())
    async with house.open():
        door = house.engine.door
        full = replace(door, waiting=lambda: door.node_limit)
        for refusing in (full, replace(door, draining=lambda: True)):
            house.receive._door = refusing
            with pytest.raises(Transient):
                await house.say("hello")
        assert (await house.store.health()).waiting == 0


async def test_an_answer_can_be_put_into_the_request_that_asked_for_it() -> None:
    house = House(ScriptedModel())
    async with house.open():
        receipt = await house.receive(house.said("hello"), timedelta(seconds=5))
        waiting = asyncio.ensure_future(receipt.reply(timedelta(seconds=4)))
        reply = await while_time_passes(house, waiting)
        assert reply is not None
        assert reply.text == "you said: hello"
        await receipt.replied(Sent("inline"))
        house.clock.advance(10)
        assert house.platform.sent == []
        assert await house.store.outbox_rows([OutboxState.QUEUED, OutboxState.SENDING]) == []


async def test_a_request_that_nobody_could_answer_in_time_is_closed_and_the_answer_is_sent() -> (
    None
):
    house = House(ScriptedModel())
    receipt = await house.receive(house.said("hello"), timedelta(seconds=5))
    waiting = asyncio.ensure_future(receipt.reply(timedelta(0)))
    assert await waiting is None
    async with house.open():
        assert await house.has_sent(1) == ["you said: hello"]


async def test_a_reply_whose_fate_is_unknown_is_settled_by_the_lane() -> None:
    house = House(ScriptedModel())
    async with house.open():
        receipt = await house.receive(house.said("hello"), timedelta(seconds=9))
        waiting = asyncio.ensure_future(receipt.reply(timedelta(seconds=9)))
        assert await while_time_passes(house, waiting) is not None
        await receipt.replied(Ambiguous("lost"))
        for _ in range(60):
            await asyncio.sleep(0)
            house.clock.advance(0.2)
        assert await house.has_sent(1) == ["(sent again) you said: hello"]
