"""Connections: as many to the model as conversations, the tools' own, and the files they need."""

import json
import resource
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app.whole import CONNECTIONS
from tests.journeys.inside import inside
from tests.journeys.program import Program, telegram_config
from tests.peers.faults import hang
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Call, echo, tool_then_answer
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import ANN

IDLE = 5
"""More connections than the adapter keeps at hand."""

PLUGIN = """'''A backend that answers nobody, and a function that asks it as often as it can.'''

import asyncio

from bot import ToolContext, tool

kept = []


@tool(timeout=60)
async def hog(ctx: ToolContext) -> str:
    '''Ask.'''
    everybody = asyncio.Event()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)
        if len(kept) == {most} - {idle}:
            everybody.set()

    async def ask(url: str) -> None:
        async with ctx.http().get(url):
            pass

    backend = await asyncio.start_server(accepted, "127.0.0.1", 0, backlog={most})
    port = backend.sockets[0].getsockname()[1]
    urls = ["{platform}"] * {idle} + [f"http://127.0.0.1:{{port}}/"] * ({most} - {idle})
    asking = [asyncio.create_task(ask(url)) for url in urls]
    await everybody.wait()
    return f"{{len(asking)}} of them hang"
"""


async def test_a_model_has_a_connection_for_each_conversation_that_is_answered_at_once(
    tmp_path: Path,
) -> None:
    intake = {"node_limit": 3000}
    async with ModelPeer(echo()) as model, inside(tmp_path, model, intake=intake) as house:
        await house.ask("hello")
        client: Any = house.app.models.clients["main"]
        pool = client._client._client._transport.client.connector  # the vendor's insides
        assert pool.limit >= house.app.engine.runner._most > 3000


@pytest.mark.slow
async def test_a_backend_of_a_plugin_that_hangs_takes_no_connection_from_the_platform(
    tmp_path: Path,
) -> None:
    script = tool_then_answer(Call("hog"))
    async with TelegramPeer() as telegram, ModelPeer(script) as model:
        url = f"{telegram.url}/bot{telegram.token}/getChat"
        telegram.faults.plan(hang(), method="getChat", times=IDLE)
        plugin = PLUGIN.format(most=CONNECTIONS, idle=IDLE, platform=url)
        (tmp_path / "hogs.py").write_text(plugin, encoding="utf-8")
        config = telegram_config(
            telegram,
            model,
            database=f"sqlite:///{tmp_path}/parley.db",
            plugins=[{"use": str(tmp_path / "hogs.py")}],
        )
        program = Program(tmp_path, config)
        await program.start()
        try:
            telegram.push(telegram.updates.text("ask them all"))
            await telegram.wait_for(lambda: telegram.texts(ANN), 30.0)
            assert telegram.texts(ANN) == [f"{CONNECTIONS} of them hang"]
        finally:
            await program.kill()


@asynccontextmanager
async def started_with(
    files: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Program, None]:
    """A server that was started with these limits, soft and hard."""
    monkeypatch.setenv("FILES", files)
    config = {"server": {"port": 0}, "database": {"url": f"sqlite:///{folder}/parley.db"}}
    program = Program(folder, config)
    program.module = "tests.journeys.few_files"
    await program.start()
    try:
        yield program
    finally:
        await program.kill()


@pytest.mark.slow
async def test_a_server_takes_as_many_files_as_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started_with("256:9000", tmp_path, monkeypatch) as program:
        assert resource.prlimit(program.pid, resource.RLIMIT_NOFILE) == (9000, 9000)
        assert "files.few" not in program.output


@pytest.mark.slow
async def test_a_server_that_may_open_too_few_files_for_its_conversations_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started_with("256:2000", tmp_path, monkeypatch) as program:
        lines = [one for one in program.output.splitlines() if "files.few" in one]
        (line,) = map(json.loads, lines)
        assert (line["level"], line["limit"]) == ("warning", 2000)
        assert line["needed"] > 2 * 4000
        assert "LimitNOFILE" in line["hint"]
