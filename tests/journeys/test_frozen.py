"""A server that is frozen for longer than its loop may stand still, and thaws: it goes on."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.journeys.databases import KINDS, database
from tests.journeys.program import Program, a_moment, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, by_words, echo, in_turn
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import ANN, BO

pytestmark = pytest.mark.slow

PATIENCE = 30.0
LEASE = 2.0
"""Seconds; a loop may stand still for two thirds of it."""


async def frozen(program: Program, seconds: float) -> None:
    """Let a process that runs miss so much."""
    os.kill(program.pid, signal.SIGSTOP)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await a_moment()
    finally:
        os.kill(program.pid, signal.SIGCONT)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_was_frozen_beyond_its_lease_lives_and_answers_what_it_began(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    request.param = kind
    let_go = asyncio.Event()
    held = Answer(text="worth the wait", waits={0: let_go})
    # After the thaw the turn is begun again, under the next epoch.
    script = by_words({"hello": in_turn(held, Answer(text="worth the wait"))}, echo())
    async with (
        database(request, tmp_path) as url,
        TelegramPeer() as telegram,
        ModelPeer(script) as model,
    ):
        config = telegram_config(telegram, model, database=url, bot={"mode": "polling"})
        config["database"]["lease"] = f"{LEASE:g}s"
        program = Program(tmp_path, config)
        try:
            await program.start()
            began = program.pid
            telegram.push(telegram.updates.text("hello"))
            await model.wait_for(lambda: model.asked, PATIENCE)
            await frozen(program, LEASE * 2)
            await frozen(program, LEASE)
            let_go.set()
            await telegram.wait_for(lambda: telegram.texts(ANN), PATIENCE)
            telegram.push(telegram.updates.text("still there?", BO))
            await telegram.wait_for(lambda: telegram.texts(BO), PATIENCE)
            # Thawed between sending and noting it, it cannot know: then a repeat says so.
            once, again = "worth the wait", "(sent again) worth the wait"
            assert telegram.texts(ANN) in ([once], [once, again])
            assert program.pid == began
            assert "stood still" not in program.output
            assert "Traceback" not in program.output
            assert await program.stop() == 0
        finally:
            await program.kill()
