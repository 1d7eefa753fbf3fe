"""The two keys that turn a silent double into a visible error stand in both databases."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Table

from bot.errors import Permanent
from bot.store.postgres import PostgresStore
from bot.store.postgres_sql import query
from bot.store.sqlite import SqliteStore
from bot.store.statements import inbox, outbox
from tests.contracts.postgres_world import postgres_world
from tests.contracts.worlds import World, sqlite_world


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A message that was answered."""
    if request.param == "sqlite":
        making = sqlite_world(tmp_path)
    else:
        making = postgres_world(request.getfixturevalue("postgres_server"))
    async with making as found:
        await found.answered(await found.claimed())
        yield found


async def written_again(world: World, table: Table) -> None:
    """Every row of the table once more, as a number of its own where it has one."""
    names = ", ".join(column.name for column in table.columns if column.name != "id")
    text = f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM "{table.name}"'
    if isinstance(world.store, PostgresStore):
        await world.store._pool.fetch(query(text), {})
        return

    def write(db: sqlite3.Connection) -> None:
        db.execute(text)

    assert isinstance(world.store, SqliteStore)
    await world.store._writer.run(write)


async def test_one_event_of_a_conversation_cannot_be_stored_twice(world: World) -> None:
    with pytest.raises(Permanent):
        await written_again(world, inbox)


async def test_one_piece_of_a_turn_cannot_be_stored_twice(world: World) -> None:
    with pytest.raises(Permanent):
        await written_again(world, outbox)
