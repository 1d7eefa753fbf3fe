"""Secrets and what people write are planted everywhere; the log and the pages show none of it."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.journeys.program import Program, telegram_config
from tests.peers.faults import answered, cut, hang, page
from tests.peers.model import ModelPeer, flawed
from tests.peers.model_answers import Answer, Asked, Call
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import GROUP

pytestmark = pytest.mark.slow

CANARY = re.compile("canar[yi]", re.IGNORECASE)
TOKEN = "987654321:CANARY-token-of-the-bot-of-this-test"
SECRET = "canary-webhook-secret"

PLUGIN = '''"""A tool that fails with everything it knows."""

import logging

import aiohttp

from bot import ToolContext, ToolFailed, tool


@tool(examples=["open the safe"])
async def open_safe(ctx: ToolContext, code: str) -> str:
    """Open the safe.

    Args:
        ctx: Who asks.
        code: Its number.
    """
    logging.getLogger("some.library").warning("requested with %s", code)
    logging.getLogger("some.library").debug("headers %s", {"Authorization": code})
    try:
        raise KeyError(code)
    except KeyError as error:
        raise RuntimeError("the safe said " + code) from error


@tool(effect="once")
async def tell_the_bank(code: str) -> str:
    """Tell the bank.

    Args:
        code: The number of the safe.
    """
    raise ToolFailed("the bank does not like " + code)
'''


def script(asked: Asked) -> Answer:
    """Calls both tools with a canary in the arguments, then answers with one in the text."""
    if asked.results:
        # Only an answer that takes a while is seen to grow.
        pace = 0.3 if SLOWLY in asked.last_user else 0.0
        return Answer(text="canary-answer", reasoning="canary-reasoning", chunks=4, pace=pace)
    code = {"code": "canary-argument"}
    return Answer(calls=[Call("open_safe", code), Call("tell_the_bank", code), Call("canary_tool")])


def configuration(folder: Path, telegram: TelegramPeer, model: ModelPeer, form: str) -> Any:
    plugin = folder / "safe.py"
    plugin.write_text(PLUGIN, encoding="utf-8")
    config = telegram_config(
        telegram,
        model,
        database=f"sqlite:///{folder}/parley.db",
        bot={"webhook_secret": SECRET, "stream": "draft", "timeout": "1s"},
        plugins=[{"use": str(plugin)}],
        log={"format": form, "level": "debug"},
    )
    config["server"] |= {"token": "canary-server-token", "secret": "canary-server-secret"}
    config["models"]["main"]["api_key"] = "canary-api-key"
    config["models"]["main"]["first_token"] = "2s"
    config["answer"] = {"persona": "You are canary-persona."}
    config["adapters"]["web"] = {"use": "adapters.web"}
    config["operators"] = [{"sender": "telegram:1001", "roles": ["operator"]}]
    return config


SLOWLY = "canary-message, slowly"
BODY = {"error": {"message": "canary-model-error", "type": "canary", "code": "canary"}}
HEADERS = {"X-Request-Id": "canary-header", "Set-Cookie": "canary=canary"}
REFUSAL = {"ok": False, "error_code": 400, "description": "Bad Request: canary-description"}

MODEL_FAULTS = (
    answered("refused", 400, BODY, HEADERS),
    answered("broken", 500, BODY, HEADERS),
    page(502, "canary-page"),
    flawed("malformed"),
    flawed("error"),
    cut(),
)
PLATFORM_FAULTS = (
    (page(502, "canary-page"), "sendMessage"),
    (cut(), "sendMessage"),
    (hang(effect=True), "sendMessage"),
    (answered("refused", 400, REFUSAL, HEADERS), "sendMessageDraft"),
    (answered("refused", 400, REFUSAL, HEADERS), "sendMessage"),
)


async def strangers(program: Program) -> None:
    """Requests that nobody should send, with a canary in every part."""
    headers = {
        "Authorization": "Bearer canary-header",
        "Cookie": "parley_web=canary-cookie",
        "X-Forwarded-For": "canary-forwarded",
        "User-Agent": "canary-agent",
        "Content-Type": "application/json",
    }
    signed = headers | {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    forged = headers | {"X-Telegram-Bot-Api-Secret-Token": "canary-forged"}
    posts = [
        ("/in/telegram", b'{"canary": "body"', signed),
        ("/in/telegram", b'{"update_id": "canary-id"}', signed),
        ("/in/telegram", b'{"update_id": 1, "message": {"text": "canary-text"}}', signed),
        ("/in/telegram", b'{"canary": "body"}', forged),
        ("/in/telegram", b"canary" * 400_000, signed),
        ("/in/canary", b"canary", headers),
        ("/in/web/messages", b'{"id": "canary-id", "text": "canary-text"}', headers),
        ("/in/web/messages", b'{"id": ["canary-id"]', headers),
    ]
    async with aiohttp.ClientSession(program.url) as http:
        for path, body, given in posts:
            # Through a stream, so that an answer before the end of the body is still read.
            async with http.post(path, data=io.BytesIO(body), headers=given) as response:
                assert response.status < 500
        for path in ("/canary-path?canary=1", "/metrics?canary=1", "/status", "/in/web/canary"):
            async with http.get(path, headers=headers) as response:
                assert response.status < 500


async def pages(program: Program) -> list[str]:
    """What the operator's pages say to who has the token."""
    headers = {"Authorization": "Bearer canary-server-token"}
    found: list[str] = []
    async with aiohttp.ClientSession(program.url) as http:
        for path in ("/metrics", "/status", "/readyz", "/healthz"):
            async with http.get(path, headers=headers) as response:
                assert response.status == 200
                found.append(await response.text())
    return found


@dataclass
class People:
    """Who writes, each in a chat of their own, and what goes wrong for them."""

    telegram: TelegramPeer
    model: ModelPeer
    numbers: Iterator[int] = field(default_factory=lambda: count(5001))

    async def answered(self, words: str = "canary-message") -> None:
        """Somebody writes and gets something back."""
        somebody = self.somebody()
        self.telegram.push(self.telegram.updates.text(words, somebody))
        await self.telegram.wait_for(lambda: self.telegram.texts(somebody), 30.0)

    async def let_down_by_the_model(self) -> None:
        for fault in MODEL_FAULTS:
            self.model.faults.plan(fault)
            await self.answered()
            assert not self.model.faults.waiting, fault

    async def let_down_by_the_platform(self) -> None:
        for fault, method in PLATFORM_FAULTS[:-1]:
            self.telegram.faults.plan(fault, method=method)
            await self.answered(SLOWLY if method == "sendMessageDraft" else "canary-message")
            assert not self.telegram.faults.waiting, fault
        fault, method = PLATFORM_FAULTS[-1]
        self.telegram.faults.plan(fault, method=method)
        self.telegram.push(self.telegram.updates.text("canary-refused", self.somebody()))
        await self.telegram.wait_for(lambda: not self.telegram.faults.waiting, 30.0)

    async def odd(self) -> None:
        """Kinds of messages that are no plain text, and at last one more answer."""
        say, somebody = self.telegram.updates, self.somebody()
        group = {**GROUP, "title": "canary-title"}
        self.telegram.push(
            say.mention("canary-in-a-group", somebody, group),
            say.command("/usage canary-argument-of-a-command", somebody),
            say.document("canary-file-name", somebody),
            say.undecodable(somebody),
            say.unknown(),
        )
        await self.telegram.wait_for(lambda: self.telegram.texts(group), 30.0)
        await self.answered()

    def somebody(self) -> dict[str, Any]:
        person = {"id": next(self.numbers), "is_bot": False, "language_code": "en"}
        return {**person, "first_name": "Canary", "username": "canary_name"}


@pytest.mark.parametrize("form", ["json", "console"])
async def test_nothing_secret_and_nothing_said_is_logged_or_shown(
    tmp_path: Path, form: str
) -> None:
    async with TelegramPeer(token=TOKEN) as telegram, ModelPeer(script) as model:
        people = People(telegram, model)
        program = Program(tmp_path, configuration(tmp_path, telegram, model, form))
        await program.start()
        try:
            await people.answered()
            await people.odd()
            await people.let_down_by_the_model()
            await people.let_down_by_the_platform()
            await strangers(program)
            shown = await pages(program)
            note = (tmp_path / "parley.db.control").read_text(encoding="utf-8")
            assert await program.stop() == 0
        finally:
            await program.kill()
    for counted in ("rejected_total", "discarded_total"):
        assert f'parley_{counted}{{adapter="telegram"' in shown[0]
    # What is to be searched is there: the tool's failure, the library's line, the dead letter.
    for event in ("tool open_safe", "some.library", "send.dead", "model.called"):
        assert event in program.output
    for text in (program.output, *shown, note):
        assert not [line for line in text.splitlines() if CANARY.search(line)]
