"""The end of a server's life beside others: its lease is kept for what it has to wait for."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app.life import _live, _until
from bot.readiness import Readiness
from bot.store.memory import MemoryStore
from bot.store.memory_rows import Rows
from tests.fakes import FakeClock, until
from tests.journeys.inside import Inside, inside
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Call, tool_then_answer

LEASE = 15.0

PLUGIN = '''"""Books tables."""

import asyncio

from bot import tool

begun, go_on = asyncio.Event(), asyncio.Event()


@tool(effect="once", timeout=3600)
async def book() -> str:
    """Book a table."""
    begun.set()
    await go_on.wait()
    return "booked"
'''


async def _passes(clock: FakeClock, seconds: float, looks: Callable[[], None]) -> None:
    """Let so much time pass; somebody looks for lanes every second, as a node of several does."""
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        for _ in range(50):
            await asyncio.sleep(0)
        clock.advance(1.0)
        looks()


@asynccontextmanager
async def two_servers(
    folder: Path, model: ModelPeer
) -> AsyncGenerator[tuple[Inside, Inside, FakeClock], None]:
    """Neither of them is awake; over the same rows, in the same time."""
    (folder / "books.py").write_text(PLUGIN, encoding="utf-8")
    clock, rows = FakeClock(), Rows()

    def server(node: str) -> Any:
        return inside(
            folder,
            model,
            clock=clock,
            store=MemoryStore(clock, rows),
            awake=False,
            plugins=[{"use": "./books.py"}],
            server={"node": node, "grace": "0s"},
        )

    async with server("a") as a, server("b") as b:
        yield a, b, clock


@pytest.mark.slow
async def test_a_call_that_may_happen_once_keeps_its_lane_beyond_the_grace_time(
    tmp_path: Path,
) -> None:
    async with (
        ModelPeer(tool_then_answer(Call("book"))) as model,
        two_servers(tmp_path, model) as (a, b, clock),
    ):
        await a.app.engine.runner.join()
        ready = Readiness(a.app.store.writable, clock)
        living = asyncio.create_task(_live(a.app, ready))
        books = a.app.loaded.modules["plugins.0"]
        await a.say("book it")
        await until(books.begun.is_set)
        await b.wake_up()
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: a.app.engine.runner.draining)
        await _passes(clock, 4 * LEASE, b.app.engine.runner.ring)
        assert b.platform("list").sent == [], "it is not for another node yet"
        books.go_on.set()
        async with asyncio.timeout(5):
            assert await living == 0
        b.app.engine.runner.ring()
        assert await b.has_sent(1) == ["booked"]
        assert a.platform("list").sent == []
        assert len(model.asked) == 2


async def test_a_listener_that_ends_by_a_mistake_is_no_quiet_end() -> None:
    async def listens() -> None:
        raise OSError("a mistake of ours")

    with pytest.raises(OSError, match="a mistake of ours"):
        await _until(asyncio.Event(), listens())


async def test_a_listener_ends_with_the_stop() -> None:
    stop, listening = asyncio.Event(), asyncio.Event()

    async def listens() -> None:
        listening.set()
        await asyncio.Event().wait()

    ending = asyncio.create_task(_until(stop, listens()))
    await listening.wait()
    stop.set()
    async with asyncio.timeout(5):
        await ending
