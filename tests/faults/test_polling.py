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

pytestmark = pytest.mark.slow

TALK = Talk("a", 1)


async def test_an_update_is_acknowledged_by_the_offset_behind_it_and_not_by_being_handed_out(
    tmp_path: Path,
) -> None:
    platform = platform_of("telegram-polling")
    log = tmp_path / "bot-a.jsonl"
    async with platform.running("a", log) as bot, aiohttp.ClientSession() as session:

        async def polled(offset: int) -> list[Json]:
            url, asked = f"{bot.url}/bot{TOKENS['a']}/getUpdates", {"offset": offset, "timeout": 10}
            async with session.post(url, json=asked) as answer:
                found: list[Json] = (await answer.json())["result"]
                return found

        first = platform.event(Mark(TALK, 1), "ma1x1")
        delivery = asyncio.create_task(platform.deliver(first, "", 1, session, bot))
        (update,) = await polled(0)
        # Whoever had it died: it is handed out once more, and still nobody has confirmed it.
        assert await polled(0) == [update]
        assert not delivery.done()
        second = platform.event(Mark(TALK, 2), "ma1x2")
        behind = asyncio.create_task(platform.deliver(second, "", 1, session, bot))
        assert [one["update_id"] for one in await polled(int(first.key) + 1)] == [second.key]
        assert await delivery == 200
        assert not behind.done()
        behind.cancel()
    assert came_again(tmp_path) == 1
