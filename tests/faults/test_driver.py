"""Who writes does not wait for ever for somebody to take it."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.faults.driver import Driver
from tests.faults.marks import Mark, Talk
from tests.faults.node import Unmet
from tests.faults.platforms import platform_of
from tests.peers.log import Log

TALK = Talk("a", 1)
BRIEF = 0.1


@pytest_asyncio.fixture
async def driver(tmp_path: Path) -> AsyncGenerator[Driver, None]:
    """People who write where no server is."""
    log = Log(tmp_path / "driver.jsonl", keep=100)
    async with aiohttp.ClientSession() as session:
        yield Driver(lambda: (), platform_of("telegram"), {}, log, session, [TALK], longest=BRIEF)
    log.close()


async def test_a_message_that_no_server_is_there_for_is_written_down_and_ends_the_run(
    driver: Driver, tmp_path: Path
) -> None:
    with pytest.raises(Unmet, match="nobody has taken ma1x1 for 0 s"):
        await driver.say(TALK)
    delivery, delivered, *_ = (tmp_path / "driver.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(delivery)["mark"] == "ma1x1"
    assert json.loads(delivered)["status"] == 0
    assert driver.sent[Mark(TALK, 1)].acknowledged_at is None
