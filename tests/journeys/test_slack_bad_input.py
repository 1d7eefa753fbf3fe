"""What Slack would never send, over the real wire: refused, not stored, counted and no more."""

import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.checking import page, slack_config
from tests.journeys.program import Program, program_config, running
from tests.journeys.test_outage import no_room_for
from tests.peers.model import ModelPeer
from tests.peers.model_answers import echo
from tests.peers.slack import SIGNING_SECRET, SlackPeer
from tests.peers.slack_delivery import Redelivery, signed
from tests.peers.slack_events import DIRECT

pytestmark = pytest.mark.slow

Json = dict[str, Any]
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CANARY = "canary-words"


def config_of(folder: Path, slack: SlackPeer, model: ModelPeer) -> Json:
    """A Slack app by HTTP, on a file whose rows can be counted."""
    adapters = slack_config(folder, slack, mode="http")["adapters"]
    return program_config(model, adapters, database=f"sqlite:///{folder}/parley.db")


def right(body: bytes, *, ago: int = 0, kind: str = JSON) -> dict[str, str]:
    """The headers that Slack itself would send."""
    return {"Content-Type": kind, **signed(SIGNING_SECRET, body, int(time.time()) - ago)}


def rows(folder: Path, table: str) -> int:
    """How many the file has."""
    with closing(sqlite3.connect(f"file:{folder}/parley.db?mode=ro", uri=True)) as file:
        found: int = file.execute(f"select count(*) from {table}").fetchone()[0]
        return found


async def rejected(program: Program) -> dict[str, int]:
    """How often what was turned away, and why."""
    text = await page(program, "/metrics")
    found = re.findall(
        r'^parley_rejected_total\{adapter="slack",why="([^"]+)"\} (\S+)', text, re.MULTILINE
    )
    return {why: int(float(count)) for why, count in found}


async def test_it_is_refused_and_leaves_nothing_but_a_count(tmp_path: Path) -> None:
    async with (
        SlackPeer() as slack,
        ModelPeer(echo()) as model,
        running(tmp_path, config_of(tmp_path, slack, model)) as program,
    ):
        slack.courier.url = f"{program.url}/in/slack"
        said = json.dumps(slack.events.message(CANARY)).encode()
        deep = b'{"event":' * 20_000 + b"1" + b"}" * 20_000
        large = b'{"text":"' + CANARY.encode() * 85_000 + b'"}'
        many = b"&".join(b"a%d=1" % number for number in range(500))
        stale = right(said, ago=400)
        xml = right(b"<xml/>", kind="text/xml")
        refused: list[tuple[int, str, bytes, dict[str, str]]] = [
            (401, "unsigned", said, {"Content-Type": JSON}),
            (401, "unsigned", said, {**right(said), "X-Slack-Request-Timestamp": "soon"}),
            (401, "signature", said, {**right(said), "X-Slack-Signature": "v0=" + "0" * 64}),
            (401, "signature", said + b" ", right(said)),
            (401, "signature", said, {**signed("another app's", said, int(time.time()))}),
            (401, "stale", said, stale),
            (401, "stale", said, right(said, ago=-400)),
            (413, "size", large, right(large)),
            (400, "unreadable", deep, right(deep)),
            (400, "unreadable", b"[" * 50_000, right(b"[" * 50_000)),
            (400, "unreadable", b"{", right(b"{")),
            (400, "unreadable", b"[]", right(b"[]")),
            (400, "unreadable", b"\xff\xfe", right(b"\xff\xfe", kind=FORM)),
            (400, "unreadable", many, right(many, kind=FORM)),
            (415, "content type", b"<xml/>", xml),
            (415, "content type", said, right(said, kind="text/plain")),
        ]
        for status, _, body, headers in refused:
            assert (await slack.courier.send(body, headers)).status == status
        expected: dict[str, int] = {}
        for _, why, _, _ in refused:
            expected[why] = expected.get(why, 0) + 1
        assert await rejected(program) == expected
        assert rows(tmp_path, "inbox") == rows(tmp_path, "message") == 0
        assert not model.asked

        # and the next one that is right is answered
        slack.say("real words")
        await slack.wait_for(lambda: slack.texts(DIRECT))
        assert "real words" in slack.texts(DIRECT)[0]
        assert CANARY not in program.output
        assert "real words" not in program.output
        assert "Traceback" not in program.output
        logged = [line for line in program.output.splitlines() if "rejected" in line]
        assert len(logged) <= len(expected)


async def test_a_captured_request_that_is_sent_again_is_taken_for_the_repeat_that_it_is(
    tmp_path: Path,
) -> None:
    async with (
        SlackPeer() as slack,
        ModelPeer(echo()) as model,
        running(tmp_path, config_of(tmp_path, slack, model)) as program,
    ):
        slack.courier.url = f"{program.url}/in/slack"
        said = slack.events.message("only once")
        slack.note(said)
        raw = json.dumps(said).encode()
        headers = right(raw)
        for _ in range(5):
            assert (await slack.courier.send(raw, headers)).status == 200
        await slack.wait_for(lambda: slack.texts(DIRECT))
        slack.say("and after")
        await slack.wait_for(lambda: len(slack.texts(DIRECT)) == 2)
        assert len(model.asked) == 2
        assert rows(tmp_path, "inbox") == 2


async def test_a_retry_of_what_could_not_be_stored_is_answered(tmp_path: Path) -> None:
    async with (
        SlackPeer() as slack,
        ModelPeer(echo()) as model,
        running(tmp_path, config_of(tmp_path, slack, model)) as program,
    ):
        slack.courier.url = f"{program.url}/in/slack"
        said = slack.events.message("do not lose me")
        async with no_room_for(tmp_path / "parley.db-wal")(program):
            assert (await slack.post(said)).status == 503
        again = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_error"}
        answer = await slack.post(said, **again)
        for number in range(2, 10):
            if answer.status == 200:
                break
            answer = await slack.post(said, **{**again, "X-Slack-Retry-Num": str(number)})
        assert answer.status == 200
        await slack.wait_for(lambda: slack.texts(DIRECT), 30.0)
        # once it is stored, one more of Slack's retries is a repeat
        assert (await slack.post(said, **again)).status == 200
        slack.say("and after")
        await slack.wait_for(lambda: len(slack.texts(DIRECT)) == 2, 30.0)
        assert "do not lose me" in slack.texts(DIRECT)[0]
        assert len(model.asked) == 2


async def test_a_retry_of_what_died_with_the_process_is_answered(tmp_path: Path) -> None:
    patient = Redelivery(pauses=(0.5,) * 20)
    async with SlackPeer(redelivery=patient) as slack, ModelPeer(echo()) as model:
        program = Program(tmp_path, config_of(tmp_path, slack, model))
        try:
            await program.start(fault="store.accept:before")
            slack.courier.url = f"{program.url}/in/slack"
            slack.say("do not lose me")
            await program.at_fault()
            await program.kill()
            await program.start()
            await slack.wait_for(lambda: slack.texts(DIRECT), 30.0)
            assert "do not lose me" in slack.texts(DIRECT)[0]
            assert max(entry.fields["attempt"] for entry in slack.log.of("delivery")) > 1
            assert len(model.asked) == 1
        finally:
            await program.kill()
