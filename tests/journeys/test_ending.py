"""SIGTERM ends a server whatever its plugins have left behind, and what it holds is written."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.journeys.program import Program, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Call, by_words, echo, tool_then_answer
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import ANN

pytestmark = pytest.mark.slow

THREADS = 40
"""More than the loop's own pool ever has."""

PLUGIN = '''"""Functions that leave something behind."""

import asyncio
import threading

from bot import tool


@tool(timeout=0.1)
async def goes_on() -> str:
    """Ignore every wish."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


@tool(timeout=0.1)
async def is_stuck() -> str:
    """Wait in a thread of the loop's."""
    await asyncio.to_thread(threading.Event().wait)
    return "never"


@tool
async def leaves_a_thread() -> str:
    """Begin a thread that nobody ends."""
    threading.Thread(target=threading.Event().wait).start()
    return "begun"
'''


@asynccontextmanager
async def world(folder: Path, *calls: Call) -> AsyncGenerator[tuple[TelegramPeer, Program], None]:
    """A program whose model makes these calls when somebody says "go"."""
    (folder / "leaving.py").write_text(PLUGIN, encoding="utf-8")
    script = by_words({"go": tool_then_answer(*calls)}, echo())
    async with TelegramPeer() as telegram, ModelPeer(script) as model:
        config = telegram_config(
            telegram,
            model,
            database=f"sqlite:///{folder}/parley.db",
            plugins=[{"use": str(folder / "leaving.py")}],
        )
        program = Program(folder, config)
        await program.start()
        try:
            yield telegram, program
        finally:
            await program.kill()


@pytest.mark.parametrize("name", ["goes_on", "is_stuck", "leaves_a_thread"])
async def test_a_server_ends_although_a_call_of_its_does_not(tmp_path: Path, name: str) -> None:
    async with world(tmp_path, Call(name)) as (telegram, program):
        telegram.push(telegram.updates.text("go"))
        await telegram.wait_for(lambda: telegram.texts(ANN), 30.0)
        assert await program.stop() == 0
        assert "this process ends without it" in program.output
        assert "Traceback" not in program.output


async def test_calls_that_fill_the_threads_of_the_loop_leave_those_of_the_store_alone(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, *[Call("is_stuck")] * THREADS) as (telegram, program):
        telegram.push(telegram.updates.text("go"))
        await telegram.wait_for(lambda: telegram.texts(ANN), 30.0)
        telegram.push(telegram.updates.command("/usage"))
        await telegram.wait_for(lambda: len(telegram.texts(ANN)) == 2, 30.0)
        assert await program.stop() == 0
        code, said = await program.command("status")
        assert code == 0, said
