"""A plugin that ends or blocks the process: the third time it is given up, and nobody else is."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.watchdog import STOOD_STILL
from tests.journeys.databases import KINDS, database
from tests.journeys.program import Program, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Call, by_words, echo
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import ANN, BO

pytestmark = pytest.mark.slow

PATIENCE = 30.0
PLUGIN = '''"""Functions that end the process, each in its way."""

import os
import re
import time

from bot import tool


@tool
async def blocks() -> str:
    """Stand still."""
    time.sleep(600)
    return "never"


@tool
async def holds() -> str:
    """Match for ever."""
    return str(re.match("(a+)+$", "a" * 60 + "b"))


@tool
def leaves() -> str:
    """Go away at once."""
    os._exit(3)
'''


@dataclass(frozen=True)
class World:
    """The program between its peers, and the event on which the answer to Bo waits."""

    telegram: TelegramPeer
    model: ModelPeer
    program: Program
    let_go: asyncio.Event

    async def metrics(self) -> str:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.program.url}/metrics") as response,
        ):
            return await response.text()


@pytest.fixture(params=KINDS)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str, None]:
    async with database(request, tmp_path) as found:
        yield found


@asynccontextmanager
async def world(folder: Path, url: str, name: str) -> AsyncGenerator[World, None]:
    (folder / "deadly.py").write_text(PLUGIN, encoding="utf-8")
    let_go = asyncio.Event()
    patient = Answer(text="I took my time.", waits={0: let_go})
    script = by_words({"deadly": Answer(calls=[Call(name)]), "patient": patient}, echo())
    async with TelegramPeer() as telegram, ModelPeer(script) as model:
        config: dict[str, Any] = telegram_config(
            telegram, model, database=url, plugins=[{"use": str(folder / "deadly.py")}]
        )
        # long enough for a start on a busy machine, short enough to be waited for three times
        config["database"]["lease"] = "2s"
        program = Program(folder, config)
        try:
            yield World(telegram, model, program, let_go)
        finally:
            await program.kill()


async def dies_thrice(found: World) -> list[int]:
    """Its exit codes; somebody else's turn is in flight every time."""
    await found.program.start()
    found.telegram.push(found.telegram.updates.text("be patient", BO))
    await found.model.wait_for(lambda: found.model.asked, PATIENCE)
    found.telegram.push(found.telegram.updates.text("be deadly", ANN))
    codes = [await found.program.ended()]
    for _ in range(2):
        await found.program.start()
        codes.append(await found.program.ended())
    return codes


async def is_given_up_alone(found: World) -> None:
    """The next start goes on: an apology for one, the answer for the other."""
    telegram = found.telegram
    await found.program.start()
    await telegram.wait_for(lambda: telegram.texts(ANN), PATIENCE)
    assert "so I gave up on it" in telegram.texts(ANN)[0]
    found.let_go.set()
    await telegram.wait_for(lambda: telegram.texts(BO), PATIENCE)
    assert telegram.texts(BO) == ["I took my time."]
    telegram.push(telegram.updates.text("and now?", ANN))
    await telegram.wait_for(lambda: len(telegram.texts(ANN)) > 1, PATIENCE)
    assert "You said: and now?" in telegram.texts(ANN)[1]
    assert 'parley_poison_total{adapter="telegram"} 1.0' in await found.metrics()
    code, listed = await found.program.command("inbox", "list", "--state", "dead")
    (line,) = listed.splitlines()
    assert code == 0
    assert line.split()[1:4:2] == ["dead", "×3"]


@pytest.mark.parametrize(("name", "code"), [("holds", -signal.SIGPROF), ("leaves", 3)])
async def test_three_deaths_make_a_dead_letter_and_everybody_else_is_answered(
    tmp_path: Path, name: str, code: int
) -> None:
    async with world(tmp_path, f"sqlite:///{tmp_path}/parley.db", name) as found:
        assert await dies_thrice(found) == [code] * 3
        await is_given_up_alone(found)


async def test_a_blocked_loop_is_ended_with_a_line_that_says_where_it_stood(
    tmp_path: Path, url: str
) -> None:
    async with world(tmp_path, url, "blocks") as found:
        assert await dies_thrice(found) == [STOOD_STILL] * 3
        await is_given_up_alone(found)
        first, *_ = (line for line in found.program.output.splitlines() if "stood still" in line)
        assert first.startswith("parley: the event loop stood still for 1.33 s")
        assert "deadly.py:13 blocks" in first
