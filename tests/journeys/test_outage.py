"""A full disk or a database that is gone: nothing is acknowledged, and it heals by itself."""

import asyncio
import re
import resource
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.journeys.program import SECRET, Program, a_moment, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, by_words, echo
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_delivery import Webhook
from tests.peers.telegram_updates import ANN, BO
from tests.postgres import Server

pytestmark = pytest.mark.slow

SHORT, LONG = "3s", "60s"
"""Leases: one that is over soon, and one that outlasts an outage on the slowest machine."""
RUN_OUT = 4
"""Failures of a short lease, one a second: by then it has run out."""

Outage = Callable[[Program], AbstractAsyncContextManager[None]]


def no_room_for(file: Path) -> Outage:
    """No file of the program may grow beyond what this one is now."""

    @asynccontextmanager
    async def outage(program: Program) -> AsyncGenerator[None, None]:
        size = await asyncio.to_thread(lambda: file.stat().st_size)
        soft, hard = resource.prlimit(program.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (soft, hard))

    return outage


def stopping(server: Server) -> Outage:
    """The database has closed every connection and takes no new one."""

    @asynccontextmanager
    async def outage(_: Program) -> AsyncGenerator[None, None]:
        await asyncio.to_thread(server.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(server.start)

    return outage


def failures(program: Program, place: str) -> int:
    """How often the log names this place."""
    return len(re.findall(rf'"place": ?"{place}"', program.output))


async def has_failed(program: Program, place: str, times: int = 1) -> None:
    """Wait until the log names this place so often."""
    async with asyncio.timeout(30):
        while failures(program, place) < times:  # another process writes
            await a_moment()


async def is_ready(program: Program, wanted: int) -> None:
    """Wait until `/readyz` says so."""
    async with asyncio.timeout(30), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{program.url}/readyz") as response:
                if response.status == wanted:
                    return
            await a_moment()


async def check_that_it_heals(folder: Path, url: str, outage: Outage) -> None:
    """An outage in the middle of a turn that the lease outlasts, then one that is longer."""
    let_go = asyncio.Event()
    script = by_words({"slow": Answer(text="worth the wait", waits={0: let_go})}, echo())
    async with TelegramPeer() as telegram, ModelPeer(script) as model:
        config = telegram_config(telegram, model, database=url)
        config["database"]["lease"] = LONG
        program = Program(folder, config)
        await program.start()
        hook = Webhook(f"{program.url}/in/telegram", SECRET)
        first, second = (telegram.updates.text(text, BO) for text in ("first", "second"))
        try:
            telegram.push(telegram.updates.text("a slow one"))
            await model.wait_for(lambda: model.open, 30.0)
            async with outage(program):
                assert await telegram.post(first, hook) == 503
                await is_ready(program, 503)
                let_go.set()
                await has_failed(program, "store")
            telegram.push(first)
            await telegram.wait_for(lambda: telegram.texts(ANN) and telegram.texts(BO), 30.0)
            assert telegram.texts(ANN) == ["worth the wait"]
            assert len(model.asked) == 2
            await is_ready(program, 200)
            assert await program.stop() == 0
            config["database"]["lease"] = SHORT
            await program.start()
            before = failures(program, "lease")
            async with outage(program):
                await has_failed(program, "lease", before + RUN_OUT)
                assert await telegram.post(second, hook) == 503
            telegram.push(second)
            await telegram.wait_for(lambda: len(telegram.texts(BO)) == 2, 30.0)
            assert "second" in telegram.texts(BO)[1]
            await is_ready(program, 200)
            assert await program.stop() == 0
        finally:
            await program.kill()


async def test_a_full_disk_heals_when_there_is_room_again(tmp_path: Path) -> None:
    file = tmp_path / "parley.db"
    await check_that_it_heals(
        tmp_path, f"sqlite:///{file}", no_room_for(tmp_path / "parley.db-wal")
    )


@pytest.mark.postgres
async def test_a_database_that_is_gone_heals_when_it_is_back(
    tmp_path: Path, postgres_server: Server, postgres_url: str
) -> None:
    await check_that_it_heals(tmp_path, postgres_url, stopping(postgres_server))
