"""SIGTERM: no new turns, running ones finish in their time, the next start resumes the rest."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.journeys.program import SECRET, Program, a_moment, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Script, by_words, echo, in_turn
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_delivery import Webhook
from tests.peers.telegram_updates import ANN, BO, GROUP

pytestmark = pytest.mark.slow

LONG = "one two three four five six"


@asynccontextmanager
async def world(
    folder: Path, script: Script, *, grace: str, **bot: Any
) -> AsyncGenerator[tuple[TelegramPeer, ModelPeer, Program], None]:
    """A program that has this long to drain."""
    async with TelegramPeer() as telegram, ModelPeer(script) as model:
        config = telegram_config(telegram, model, database=f"sqlite:///{folder}/parley.db", bot=bot)
        config["server"]["grace"] = grace
        program = Program(folder, config)
        await program.start()
        try:
            yield telegram, model, program
        finally:
            await program.kill()


def said(program: Program, event: str) -> Any:
    """The one line of the log about it."""
    lines = [json.loads(one) for one in program.output.splitlines() if one.startswith("{")]
    (found,) = [line for line in lines if line["event"] == event]
    return found


async def not_ready(program: Program) -> str:
    """Wait until the program says that it should get no more work; why."""
    async with asyncio.timeout(10), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{program.url}/readyz") as response:
                if response.status == 503:
                    return await response.text()
            await a_moment()


async def test_a_running_turn_is_finished_and_what_comes_meanwhile_waits_for_the_next_start(
    tmp_path: Path,
) -> None:
    let_go = asyncio.Event()
    script = by_words({"slow": Answer(text=LONG, waits={0: let_go})}, echo())
    async with world(tmp_path, script, grace="25s") as (telegram, model, program):
        telegram.push(telegram.updates.text("a slow one"))
        await model.wait_for(lambda: model.asked, 30.0)
        stopping = asyncio.create_task(program.stop())
        assert "draining" in await not_ready(program)
        meanwhile = telegram.updates.text("meanwhile", BO)
        assert await telegram.post(meanwhile, Webhook(f"{program.url}/in/telegram", SECRET)) == 503
        let_go.set()
        assert await stopping == 0
        assert said(program, "drain.began")["running"] == 1
        assert said(program, "drain.ended")
        assert telegram.texts(ANN) == [LONG]
        telegram.push(meanwhile)
        await program.start()
        await telegram.wait_for(lambda: telegram.texts(BO), 30.0)
        assert "meanwhile" in telegram.texts(BO)[0]
        assert telegram.texts(ANN) == [LONG]
        assert len(model.asked) == 2


async def test_a_turn_that_is_longer_than_the_grace_time_is_resumed_by_the_next_start(
    tmp_path: Path,
) -> None:
    waiting = Answer(text=LONG, chunks=6, waits={3: asyncio.Event()})
    script = in_turn(waiting, Answer(text=LONG, chunks=6))
    async with world(tmp_path, script, grace="0s", stream="draft") as (telegram, model, program):
        telegram.push(telegram.updates.mention("a slow one"))
        await telegram.wait_for(lambda: any("one" in text for text in telegram.texts(GROUP)), 30.0)
        assert await program.stop() == 0
        assert said(program, "drain.left")["lanes"] == 1
        await model.wait_for(lambda: model.asked[0].closed_at is not None, 30.0)
        assert telegram.texts(GROUP) != [LONG]
        await program.start()
        await telegram.wait_for(lambda: LONG in telegram.texts(GROUP), 30.0)
        assert telegram.texts(GROUP) == [LONG]
        assert "Traceback" not in program.output
