"""Telegram over the real wire: webhook and polling, duplicates, tools, stop."""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.journeys.program import SECRET, Program, running, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Call, by_words, echo, tool_then_answer
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_delivery import Webhook
from tests.peers.telegram_updates import ANN, BO, GROUP

pytestmark = pytest.mark.slow

Json = dict[str, Any]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both databases, one after the other."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/parley.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@asynccontextmanager
async def world(
    folder: Path, database: str, script: Any = None, **changes: Any
) -> AsyncGenerator[tuple[TelegramPeer, ModelPeer, Program], None]:
    """The two peers, and the program between them."""
    async with TelegramPeer() as telegram, ModelPeer(script or echo()) as model:
        config = telegram_config(telegram, model, database=database, **changes)
        async with running(folder, config) as program:
            yield telegram, model, program


def webhook(program: Program) -> Webhook:
    return Webhook(f"{program.url}/in/telegram", SECRET)


async def test_a_group_mention_through_the_webhook_is_answered_in_the_group(
    tmp_path: Path, database: str
) -> None:
    async with world(tmp_path, database) as (telegram, model, _):
        telegram.push(telegram.updates.mention("what is up?"))
        await telegram.wait_for(lambda: telegram.texts(GROUP))
        assert "what is up?" in telegram.texts(GROUP)[0]
        assert "what is up?" in model.asked[0].last_user


async def test_a_two_step_tool_call_reaches_the_person(tmp_path: Path, database: str) -> None:
    script = tool_then_answer(
        Call("calculate", {"expression": "19.99 * 3 - 15%"}), say=lambda found: f"It is {found[0]}"
    )
    async with world(tmp_path, database, script) as (telegram, model, _):
        telegram.push(telegram.updates.text("what is 19.99 * 3 - 15%?"))
        await telegram.wait_for(lambda: telegram.texts(ANN))
        assert "50.97" in telegram.texts(ANN)[0]
        assert len(model.asked) == 2


async def test_five_identical_deliveries_at_once_are_answered_once(
    tmp_path: Path, database: str
) -> None:
    async with world(tmp_path, database) as (telegram, model, program):
        update = telegram.updates.text("only once")
        assert await telegram.twins(update, 5, webhook(program)) == [200] * 5
        await telegram.wait_for(lambda: telegram.texts(ANN))
        after = telegram.updates.text("and after")
        assert await telegram.deliver(after, webhook(program)) == 200
        await telegram.wait_for(lambda: len(telegram.texts(ANN)) == 2)
        assert len(model.asked) == 2


async def test_private_chat_through_polling(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/parley.db"
    settings = {"mode": "polling", "webhook_secret": None}
    async with world(tmp_path, database, bot=settings) as (telegram, _, _program):
        telegram.push(telegram.updates.text("hello"))
        await telegram.wait_for(lambda: telegram.texts(ANN))
        assert "hello" in telegram.texts(ANN)[0]


async def test_stop_in_mid_stream_closes_the_models_connection(
    tmp_path: Path, database: str
) -> None:
    never = asyncio.Event()
    long = Answer(text="so far and no further", chunks=4, waits={2: never})
    script = by_words({"long": long}, echo())
    changes = {"bot": {"stream": "draft"}}
    async with world(tmp_path, database, script, **changes) as (telegram, model, _):
        telegram.push(telegram.updates.text("a long story please"))
        await telegram.wait_for(lambda: telegram.drafts(ANN))
        telegram.push(telegram.updates.command("/stop"))
        await telegram.wait_for(lambda: telegram.texts(ANN))
        assert "(stopped)" in telegram.texts(ANN)[0]
        await model.wait_for(lambda: not model.open)
        assert model.asked[0].closed_at is not None


async def test_two_senders_in_a_group_have_their_own_rights(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/parley.db"
    plugin = tmp_path / "shop.py"
    plugin.write_text(
        '"""A shop."""\n'
        "from bot import tool\n\n\n"
        '@tool(roles={"operator"})\n'
        "async def close_shop() -> str:\n"
        '    """Close the shop."""\n'
        '    return "closed for good"\n',
        encoding="utf-8",
    )
    script = tool_then_answer(Call("close_shop", {}), say=lambda found: f"told: {found[0]}")
    changes = {
        "plugins": [{"use": str(plugin)}],
        "operators": [{"sender": f"telegram:{BO['id']}", "roles": ["operator"]}],
    }
    async with world(tmp_path, database, script, **changes) as (telegram, model, _):
        telegram.push(telegram.updates.mention("close the shop", sender=ANN))
        await telegram.wait_for(lambda: len(telegram.texts(GROUP)) == 1)
        assert "not allowed" in telegram.texts(GROUP)[0]
        telegram.push(telegram.updates.mention("close the shop", sender=BO))
        await telegram.wait_for(lambda: len(telegram.texts(GROUP)) == 2)
        assert "closed for good" in telegram.texts(GROUP)[1]
        assert model.asked[0].tools == []


async def test_bad_requests_are_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/parley.db"
    async with world(tmp_path, database) as (telegram, model, program):
        right, wrong = webhook(program), Webhook(f"{program.url}/in/telegram", "wrong")
        assert await telegram.post(telegram.updates.text("forged"), wrong) == 401
        for body in (b"", b"{", b"\xff" * 100):
            assert await post(program, body) == 400
        # readable, but nothing that we know: acknowledged, or it would come again for a day
        for body in (b"[]", b'{"update_id": "x"}', b'{"update_id": 1, "hologram": {}}'):
            assert await post(program, body) == 200
        assert await post(program, b'"' + b"x" * 2_000_000 + b'"') == 413
        assert await telegram.deliver(telegram.updates.text("real"), right) == 200
        await telegram.wait_for(lambda: telegram.texts(ANN))
        assert len(model.asked) == 1
        assert "Traceback" not in program.output


async def post(program: Program, body: bytes) -> int:
    """A signed body that Telegram would never send."""
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
    url, data = f"{program.url}/in/telegram", io.BytesIO(body)
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=data, headers=headers) as response,
    ):
        return response.status
