"""`parley chat` on a PostgreSQL that servers share: what is theirs stays theirs."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bot.clock import SystemClock
from bot.domain.address import Address, Sender
from bot.domain.message import Inbound, Message, Role, Text
from bot.domain.records import Placement
from bot.store.postgres import PostgresStore
from tests.adapters.terminal.test_chat import PROMPT, chat, piped
from tests.peers.model import ModelPeer
from tests.peers.model_answers import echo

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

ANN = Address("terminal", "terminal", "ann")
BOB = Address("terminal", "terminal", "bob")
ELSEWHERE = Address("telegram", "1001", "42")


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """The database, in which nobody is at work."""
    store = PostgresStore(postgres_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def folder(tmp_path: Path, postgres_url: str, store: PostgresStore) -> AsyncIterator[Path]:
    """A configuration for that database, with a model that echoes."""
    async with ModelPeer(echo()) as model:
        (tmp_path / "config.yaml").write_text(
            f"server: {{port: 0}}\ndatabase: {postgres_url}\nplugins: []\nadapters: {{}}\n"
            f"models: {{main: {{use: openai, base_url: '{model.base_url}'}}}}\n",
            encoding="utf-8",
        )
        yield tmp_path


async def waits(store: PostgresStore, text: str, address: Address) -> None:
    """A message of somebody whom no process serves now."""
    sender = Sender(address.chat, address.chat)
    said = Message(Role.USER, (Text(text),), sent_at=SystemClock().now(), sender=sender)
    await store.accept(
        Inbound(f"of {address.chat}", address, sender, said),
        Placement("default", address.platform, ""),
    )


async def lanes(url: str) -> dict[str, Any]:
    """Every lane as it stands there, by the platform and chat of its conversation."""
    connection = await asyncpg.connect(url, ssl=False, timeout=30)
    try:
        rows = await connection.fetch(
            "SELECT c.address, l.node, l.epoch, l.fence, l.wake_at "
            "FROM lane l JOIN conversation c ON c.id = l.conversation_id"
        )
    finally:
        await connection.close(timeout=10)
    return {row["address"]: tuple(row) for row in rows}


async def test_a_chat_answers_its_own_conversation_and_touches_no_other(
    folder: Path, postgres_url: str, store: PostgresStore
) -> None:
    await waits(store, "hello", ELSEWHERE)
    await waits(store, "I am Bob", BOB)
    before = await lanes(postgres_url)
    assert "You said: one" in await piped(folder, "one\n")
    after = await lanes(postgres_url)
    assert {address: after[address] for address in before} == before


async def test_a_chat_goes_on_with_what_an_earlier_one_left_in_its_middle(
    folder: Path, store: PostgresStore
) -> None:
    await waits(store, "left behind", ANN)
    assert await store.claim(await store.join("gone", timedelta(seconds=1)), 1)
    async with chat(folder) as terminal:
        await terminal.shows(PROMPT)
        await terminal.shows("You said: left behind")
