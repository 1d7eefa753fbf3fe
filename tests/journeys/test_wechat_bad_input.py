"""What WeChat would never write, at a running program: refused, counted, and nothing else."""

import json
import sqlite3
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.journeys.wechat_house import House, house
from tests.peers.model_answers import echo
from tests.peers.wechat import ANN
from tests.peers.wechat_courier import with_console
from tests.peers.wechat_forged import REFUSED, SECRET_WORDS, honest

pytestmark = pytest.mark.slow

TABLES = ("inbox", "conversation", "message", "lane", "outbox")


def stored(folder: Path) -> dict[str, int]:
    """How many rows there are of all that a message could leave behind."""
    with sqlite3.connect(f"file:{folder}/parley.db?mode=ro", uri=True) as database:
        rows = {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in TABLES
        }
    database.close()
    return rows


def said_since(found: House, before: str) -> list[dict[str, str]]:
    """What the log has told since then, without the time and what a start tells late."""
    lines = [json.loads(line) for line in found.program.output.removeprefix(before).splitlines()]
    told = [{key: line[key] for key in line.keys() - {"time"}} for line in lines]
    return [line for line in told if line["event"] != "adapter.listening"]


def refusal(why: str) -> dict[str, str]:
    """All that the log tells of a request that was refused."""
    return {"level": "warning", "event": "request.rejected", "adapter": "wechat", "why": why}


async def works(found: House, text: str) -> None:
    """The door is open for those who may come in."""
    done = await found.peer.say(ANN, text)
    assert done.said is not None
    assert text in done.said


async def test_forged_and_broken_requests_are_refused_counted_and_leave_nothing(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, echo(), speed=1.0) as found:
        url, printed = found.peer.courier.urls[0], found.program.output
        for write, status, _ in REFUSED:
            attempt = await found.peer.courier.post(write(found.peer), url=url)
            assert (attempt.status, attempt.body) == (status, b"")
        assert stored(tmp_path) == dict.fromkeys(TABLES, 0)
        for why, times in Counter(why for _, _, why in REFUSED).items():
            assert await found.counted("rejected_total", adapter="wechat", why=why) == times
        told = said_since(found, printed)
        assert told == [refusal(line["why"]) for line in told]
        assert found.model.asked == []
        await works(found, "and now rightly")
        assert SECRET_WORDS not in found.program.output
        assert "Traceback" not in found.program.output


async def test_an_answered_request_that_is_made_again_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, echo()) as found:
        courier, request = found.peer.courier, honest(found.peer)
        assert (await courier.post(request)).status == 200
        before, printed = stored(tmp_path), found.program.output
        assert (await courier.post(request)).status == 403
        assert stored(tmp_path) == before
        assert await found.counted("rejected_total", adapter="wechat", why="replayed") == 1
        assert said_since(found, printed) == [refusal("replayed")]
        await found.program.kill()
        await found.program.start()
        # The process has forgotten; what it has stored has not.
        again = await courier.post(request)
        assert (again.status, again.body) == (200, b"success")
        assert len(found.model.asked) == 1


async def test_the_check_of_the_address_is_answered_to_the_platform_alone(tmp_path: Path) -> None:
    async with house(tmp_path, echo()) as found:
        courier, url = found.peer.courier, found.peer.courier.urls[0]
        status, _ = await courier.verify(url)
        assert (status, found.peer.log.of("verified")[-1].fields["ok"]) == (200, True)
        courier.console = with_console(courier.console, token="guessed")
        assert await courier.verify(url) == (403, b"")
        async with aiohttp.ClientSession() as http, http.put(url) as answer:
            assert answer.status == 405
        assert stored(tmp_path) == dict.fromkeys(TABLES, 0)
