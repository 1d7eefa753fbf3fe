"""Changing a key of `server`, `database` or `log` changes what is seen from outside."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.journeys.inside import inside
from tests.journeys.program import Program, running
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, by_words, echo
from tests.peers.telegram import TelegramPeer
from tests.ports import free_port

TOKEN = "a-token-of-the-operators"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FORWARDED = {"X-Forwarded-For": "203.0.113.7", **BEARER}
PROXIED = {"Host": "chat.example"}


def settings(folder: Path, telegram: TelegramPeer, **server: Any) -> dict[str, Any]:
    """A web page and a bot, without a model."""
    bot = {"mode": "webhook", "token": telegram.token, "base_url": telegram.url}
    return {
        "server": server,
        "database": {"url": f"sqlite:///{folder}/{server['node']}.db"},
        "adapters": {
            "web": {"use": "adapters.web"},
            "telegram": {"use": "adapters.telegram", **bot},
        },
    }


async def visit(program: Program, cookie: str = "") -> str:
    """Open the page; the cookie that it gives, "" when it takes the one that we have."""
    headers = {"Cookie": cookie} if cookie else {}
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        http.get(f"{program.url}/", headers=headers) as response,
    ):
        assert response.status == 200
        return response.headers.get("Set-Cookie", "").partition(";")[0]


async def status(program: Program, path: str, **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{program.url}{path}", headers=headers) as response,
    ):
        return response.status, await response.text()


@pytest.mark.slow
async def test_host_port_public_url_token_secret_and_node(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    async with TelegramPeer() as telegram:
        one = settings(
            tmp_path,
            telegram,
            port=ports[0],
            public_url="http://localhost:1",
            node="north",
            token=TOKEN,
            secret="the secret of the first one",
        )
        async with running(tmp_path, one) as program:
            assert program.url == f"http://127.0.0.1:{ports[0]}"
            assert (await status(program, "/status"))[0] == 401
            assert '"north"' in (await status(program, "/status", **BEARER))[1]
            assert (await status(program, "/metrics", **FORWARDED))[0] == 200
            await telegram.wait_for(lambda: telegram.courier.webhook.url, 30.0)
            assert telegram.courier.webhook.url == "http://localhost:1/in/telegram"
            cookie = await visit(program)
            assert cookie
            assert await visit(program, cookie) == ""
            assert (await status(program, "/", **PROXIED))[0] == 403
        two = settings(
            tmp_path,
            telegram,
            host="127.0.0.2",
            port=ports[1],
            public_url="http://localhost:2",
            node="south",
            secret="another secret of another one",
        )
        code, said = await Program(tmp_path, two).attempt()
        assert code == 2
        assert "public: true" in said
        two["adapters"]["web"]["public"] = True
        async with running(tmp_path, two) as program:
            assert program.url == f"http://127.0.0.2:{ports[1]}"
            assert '"south"' in (await status(program, "/status", Host="127.0.0.1"))[1]
            assert (await status(program, "/metrics", **FORWARDED))[0] in {401, 403}
            await telegram.wait_for(lambda: ":2/" in telegram.courier.webhook.url, 30.0)
            assert await visit(program, cookie) not in {"", cookie}
            assert (await status(program, "/", **PROXIED))[0] == 200


@pytest.mark.parametrize(("lease", "answers"), [("5s", 2), ("60s", 1)])
async def test_database_lease(tmp_path: Path, lease: str, answers: int) -> None:
    """A node dies in the middle of an answer; another one takes over when the lease has run out."""
    script = by_words({"slow": Answer(text="slow", waits={0: asyncio.Event()})}, echo())
    async with ModelPeer(script) as model:
        database = {"url": f"sqlite:///{tmp_path}/parley.db", "lease": lease}
        async with inside(tmp_path, model, server={"node": "one"}, database=database) as first:
            await first.say("a slow one")
            await model.wait_for(lambda: model.open)
        model.script = echo()
        store, clock = first.app.store, first.clock
        clock.advance(20)
        second = inside(
            tmp_path,
            model,
            server={"node": "two"},
            store=store,
            clock=clock,
            database=database,
        )
        async with second as house:
            await house.say("hello", chat="another")
            texts = await house.has_sent(answers)
            assert len(texts) == answers
            assert any("a slow one" in text for text in texts) is (answers == 2)


@pytest.mark.parametrize("form", ["json", "console"])
async def test_log_format(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    log = {"format": form, "level": "debug"}
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, quiet=False, log=log) as house,
    ):
        await house.ask("hi")
    lines = [line for line in capsys.readouterr().err.splitlines() if "turn.answered" in line]
    assert len(lines) == 1
    assert lines[0].startswith("{") is (form == "json")
    if form == "json":
        assert json.loads(lines[0])["event"] == "turn.answered"


@pytest.mark.parametrize(
    ("level", "seen"),
    [("debug", {"turn.started", "turn.answered"}), ("info", {"turn.answered"}), ("error", set())],
)
async def test_log_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], level: str, seen: set[str]
) -> None:
    log = {"format": "json", "level": level}
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, quiet=False, log=log) as house,
    ):
        await house.ask("hi")
    written = capsys.readouterr().err
    assert {event for event in ("turn.started", "turn.answered") if event in written} == seen
