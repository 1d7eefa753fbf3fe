"""With polling a message is acknowledged when somebody asks for what comes behind it."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.faults.marks import Mark, Talk
from tests.faults.platforms import platform_of
from tests.faults.platforms.telegram import TOKENS
from tests.faults.rows.polling import came_again
from tests.peers.log import Json
from tests.peers.process import Remote

pytestmark = pytest.mark.slow

TALK = Talk("a", 1)


async def _polled(
    session: aiohttp.ClientSession, bot: Remote, offset: int, *, timeout: int = 10
) -> list[Json]:
    url = f"{bot.url}/bot{TOKENS['a']}/getUpdates"
    async with session.post(url, json={"offset": offset, "timeout": timeout}) as answer:
        found: list[Json] = (await answer.json())["result"]
        return found


def _said(update: Json) -> str:
    text: str = update["message"]["text"]
    return text


async def test_an_update_is_acknowledged_by_the_offset_behind_it_and_not_by_being_handed_out(
    tmp_path: Path,
) -> None:
    platform = platform_of("telegram-polling")
    log = tmp_path / "bot-a.jsonl"
    async with platform.running("a", log) as bot, aiohttp.ClientSession() as session:
        first = platform.event(Mark(TALK, 1), "ma1x1")
        delivery = asyncio.create_task(platform.deliver(first, "", 1, session, bot))
        (update,) = await _polled(session, bot, 0)
        # Whoever had it died: it is handed out once more, and still nobody has confirmed it.
        assert await _polled(session, bot, 0) == [update]
        assert not delivery.done()
        second = platform.event(Mark(TALK, 2), "ma1x2")
        behind = asyncio.create_task(platform.deliver(second, "", 1, session, bot))
        offset = update["update_id"] + 1
        assert [_said(one) for one in await _polled(session, bot, offset)] == ["ma1x2"]
        assert await delivery == 200
        assert not behind.done()
        behind.cancel()
    assert came_again(tmp_path) == 1


async def test_what_waited_for_a_server_is_numbered_when_it_comes(tmp_path: Path) -> None:
    """An offset confirms all lower numbers, also one that comes later: nobody would see it."""
    platform = platform_of("telegram-polling")
    async with platform.running("a", tmp_path / "bot-a.jsonl") as bot:
        early, late = (platform.event(Mark(TALK, n), f"ma1x{n}") for n in (1, 2))
        offset = 0
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for event in (late, early):
                first = group.create_task(platform.deliver(event, "", 1, session, bot))
                (update,) = await _polled(session, bot, offset)
                offset = update["update_id"] + 1
                await _polled(session, bot, offset, timeout=0)
                assert (await first, _said(update)) == (200, _said(event.body))
