"""A door is shut for real, in each of its ways, and everybody goes through when it is open."""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.faults.checker.delivery import model_failed
from tests.faults.checker.reading import read_doors
from tests.faults.checker.records import Ask, Evidence, Story
from tests.faults.gate import LOG, Door, Shut, doors
from tests.faults.rows.outage import Call, borne_of
from tests.peers.model import ModelPeer

PATIENCE = 10.0
BRIEF = 0.1
"""Seconds, where nothing will ever come."""
WAYS = [how for how in Shut if how is not Shut.UNANSWERED or sys.platform == "linux"]
"""Elsewhere calls are refused when a queue is full."""
ERRORS = {
    Shut.REFUSED: aiohttp.ClientConnectorError,
    Shut.UNANSWERED: TimeoutError,
    Shut.SILENT: TimeoutError,
    Shut.RESET: aiohttp.ClientOSError,
    Shut.FOREIGN: aiohttp.ClientResponseError,
    Shut.TLS: aiohttp.ClientError,
}
SECOND = 1_000_000


@asynccontextmanager
async def before_a_model(folder: Path) -> AsyncGenerator[tuple[Door, aiohttp.ClientSession], None]:
    async with (
        ModelPeer() as model,
        doors(1, model.port, folder) as (door,),
        aiohttp.ClientSession() as session,
    ):
        yield door, session


async def status(session: aiohttp.ClientSession, url: str, within: float = PATIENCE) -> int:
    """Of the list of models."""
    timeout = aiohttp.ClientTimeout(total=within)
    async with session.get(f"{url}/v1/models", timeout=timeout) as answer:
        await answer.read()
        return answer.status


@pytest.mark.parametrize("how", WAYS)
async def test_nobody_gets_through_a_door_that_is_shut_and_everybody_when_it_is_open_again(
    tmp_path: Path, how: Shut
) -> None:
    error = ERRORS[how]
    within = BRIEF if error is TimeoutError else PATIENCE
    async with before_a_model(tmp_path) as (door, session):
        assert await status(session, door.url) == 200
        await door.shut(how)
        for _ in range(2):
            with pytest.raises(error):
                await status(session, door.url, within)
        await door.open()
        assert await status(session, door.url) == 200
    kinds = [json.loads(line)["kind"] for line in (tmp_path / LOG).read_text().splitlines()]
    assert kinds == ["shut", "opened"]


@pytest.mark.parametrize(
    ("how", "error"), [(Shut.FOREIGN, ssl.SSLError), (Shut.TLS, ssl.SSLCertVerificationError)]
)
async def test_who_expects_tls_finds_none_or_none_to_trust(
    tmp_path: Path, how: Shut, error: type[ssl.SSLError]
) -> None:
    async with before_a_model(tmp_path) as (door, session):
        await door.shut(how)
        with pytest.raises(aiohttp.ClientConnectorError) as failed:
            await status(session, door.url.replace("http", "https"))
        assert isinstance(failed.value.os_error, error)


@pytest.mark.parametrize("how", WAYS)
async def test_who_is_inside_when_it_is_shut_hears_no_more(tmp_path: Path, how: Shut) -> None:
    async with before_a_model(tmp_path) as (door, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await door.shut(how)
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        await door.open()
        async with asyncio.timeout(10):
            rest = await _all(reader)
        assert b"HTTP/1.1" not in rest
        writer.close()


async def _all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def ask(call: int, at: float, until: float, node: str = "n1") -> Ask:
    line = Evidence("model.jsonl", "")
    begin, end = round(at * SECOND), round(until * SECOND)
    return Ask(call, begin, node, (), 0, [], "", line, ended_at=end, status=200)


def test_the_judge_knows_whom_a_shut_door_has_met_and_when(tmp_path: Path) -> None:
    lines = [("shut", 10, "n1"), ("opened", 20, "n1"), ("shut", 30, ""), ("opened", 31, "")]
    (tmp_path / LOG).write_text(
        "".join(
            json.dumps({"number": n, "kind": kind, "mono": at * SECOND, "node": node}) + "\n"
            for n, (kind, at, node) in enumerate(lines, 1)
        )
    )
    story = Story({})
    story.asks = [
        ask(1, 1, 2),
        ask(2, 9, 9.8),
        ask(3, 12, 13, "n2"),
        ask(4, 15, 16),
        ask(5, 30, 31),
    ]
    read_doors(story, tmp_path)
    assert [one.call for one in story.asks if one.fault] == [2, 4]
    assert len(story.strikes) == 2
    failed = [model_failed(story, at * SECOND, at * SECOND + 1) for at in (9, 15, 21, 30, 32)]
    assert failed == [False, True, False, True, False]


def calls(*at: float, status: int = 503, took: float = 0.1) -> list[Call]:
    return [Call("n1", round(one * SECOND), round((one + took) * SECOND), status) for one in at]


def test_what_a_service_bears_is_told_apart_in_first_calls_probes_and_the_way_back() -> None:
    # 1 to 5 fail, then it is left alone for five seconds and for ten; at 30 it is back.
    some = [*calls(1, 1.5, 2, 2.5, 3), *calls(8.2, 18.5), *calls(40, 41, status=200)]
    borne = borne_of("n1", [*some, Call("n2", 0, 1, 503)], 0, 30 * SECOND)
    assert (borne.first, borne.failed, borne.probes, borne.alone) == (5, 4, 2, 27.0)
    assert borne.found_after == pytest.approx(10.1)


def test_of_calls_that_are_slow_to_fail_only_the_failures_that_were_known_count() -> None:
    slow = calls(*(0.2 * n for n in range(1, 13)), took=2.0)
    borne = borne_of("n1", slow, 0, 30 * SECOND)
    assert (borne.first, borne.failed, borne.found_after) == (12, 2, None)
