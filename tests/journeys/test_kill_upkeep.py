"""`kill -9` in what a server does from time to time: expiry of answers and of idle sessions."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.journeys.databases import KINDS, database
from tests.journeys.program import Program, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import echo
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_faults import flood
from tests.peers.telegram_updates import ANN, BO

pytestmark = pytest.mark.slow

HURRYING = "tests.faults.hurrying"
"""`parley` whose upkeep runs every second."""
SHORT = {"outbox": {"expires": "1s"}, "session": {"idle": "1s"}}
PATIENCE = 30.0


@pytest_asyncio.fixture(params=KINDS)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str, None]:
    """An empty database."""
    async with database(request, tmp_path) as found:
        yield found


@pytest.mark.parametrize("point", ["store.expire_outbox", "store.sweep"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_in_an_expiry_leaves_no_answer_for_later_and_no_half_session(
    tmp_path: Path, url: str, point: str, when: str
) -> None:
    async with TelegramPeer() as telegram, ModelPeer(echo()) as model:
        program = Program(tmp_path, telegram_config(telegram, model, database=url, **SHORT))
        try:
            await _one_is_refused_and_one_is_answered(program, telegram)
            program.module = HURRYING
            await program.start(fault=f"{point}:{when}")
            await program.at_fault()
            await program.kill()
            await program.start()
            telegram.push(telegram.updates.text("and now?"))
            telegram.push(telegram.updates.text("and you?", BO))
            await telegram.wait_for(
                lambda: telegram.texts(ANN) and len(telegram.texts(BO)) == 2, PATIENCE
            )
            await program.stop()
            program.module = "bot"
            code, dead = await program.command("outbox", "list", "--state", "dead")
        finally:
            await program.kill()
        assert len(telegram.texts(ANN)) == 1, "what expired was never sent"
        assert "and now?" in telegram.texts(ANN)[0]
        assert code == 0
        assert ["expired" in line for line in dead.splitlines()] == [True]
        for words in ("and now?", "and you?"):
            (asked,) = [one for one in model.asked if words in one.last_user]
            said = [one for one in asked.messages if one["role"] == "user"]
            assert len(said) == 1, "a session that has ended is not remembered"


async def _one_is_refused_and_one_is_answered(program: Program, telegram: TelegramPeer) -> None:
    await program.start()
    telegram.faults.plan(flood(600), method="sendMessage")
    telegram.push(telegram.updates.text("hello"))
    await telegram.wait_for(lambda: not telegram.faults.waiting, PATIENCE)
    telegram.push(telegram.updates.text("hi", BO))
    await telegram.wait_for(lambda: telegram.texts(BO), PATIENCE)
    await program.stop()
