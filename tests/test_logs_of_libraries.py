"""Real libraries at work with everything that they would log switched on."""

import asyncio
import io
import logging

import aiohttp
import openai
import pytest
from sqlalchemy import create_engine, text
from telegram import Bot
from telegram.error import TelegramError

from bot.logs import Format, Logs
from tests.fakes import FakeClock

FORMATS: tuple[Format, ...] = ("json", "console")
CANARY = "canary4711"
BOT_TOKEN = "1234567890:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
NOWHERE = "http://127.0.0.1:9"
TALKATIVE = (
    *("openai", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "telegram", "asyncio"),
    *("sqlalchemy.engine", "sqlalchemy.pool"),
)


@pytest.mark.parametrize("format", FORMATS)
async def test_no_library_writes_what_it_is_given(format: Format) -> None:
    stream = io.StringIO()
    logs = Logs(format=format, level="debug", clock=FakeClock(), stream=stream)
    logs.install()
    try:
        for error in await _let_them_talk():
            logs.logger.error("failed", place="test", exc_info=error)
    finally:
        logs.uninstall()
    written = stream.getvalue()
    assert "APIConnectionError" in written
    assert not [secret for secret in (CANARY, BOT_TOKEN) if secret in written]


async def test_left_alone_they_would_write_it() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        await _let_them_talk()
    finally:
        logging.getLogger().removeHandler(handler)
    assert CANARY in stream.getvalue()
    assert BOT_TOKEN in stream.getvalue()


async def _let_them_talk() -> list[Exception]:
    # An adapter that another test built may have silenced its library for this process.
    were = {name: (logger.level, logger.propagate) for name, logger in _talkative()}
    for _, logger in _talkative():
        logger.setLevel(logging.DEBUG)
        logger.propagate = True
    try:
        async with asyncio.timeout(30):
            _ask_a_database()
            return [await _ask_a_model(), await _ask_the_bot_api(), await _ask_a_url()]
    finally:
        for name, logger in _talkative():
            level, logger.propagate = were[name]
            logger.setLevel(level)


def _talkative() -> list[tuple[str, logging.Logger]]:
    return [(name, logging.getLogger(name)) for name in TALKATIVE]


async def _ask_a_model() -> Exception:
    async with openai.AsyncOpenAI(
        api_key=CANARY, base_url=NOWHERE, max_retries=0, timeout=5
    ) as client:
        with pytest.raises(openai.APIError) as caught:
            await client.post(
                "/chat/completions",
                body={"messages": [{"role": "user", "content": CANARY}]},
                cast_to=object,
            )
    return caught.value


async def _ask_the_bot_api() -> Exception:
    bot = Bot(BOT_TOKEN, base_url=f"{NOWHERE}/bot")
    with pytest.raises(TelegramError) as caught:
        await bot.send_message(1, CANARY)
    return caught.value


async def _ask_a_url() -> Exception:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError) as caught:
            await http.post(f"{NOWHERE}/?access_token={CANARY}", json={"text": CANARY})
    return caught.value


def _ask_a_database() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        assert connection.scalar(text("select :words"), {"words": CANARY}) == CANARY
    engine.dispose()
