"""The file: who may open it, what is in it after a restart, and what happens on a full disk."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.conversation import Step, StepKind
from bot.domain.message import Sent
from bot.errors import ConfigError, Transient
from bot.ports import Store
from bot.redaction import trace
from bot.store.sqlite import SqliteStore
from tests.contracts.worlds import CHAT, HERE, LEASE, WEEK, World, sqlite_world
from tests.fakes import FakeClock


async def test_it_is_a_store(tmp_path: Path) -> None:
    store: Store = SqliteStore(tmp_path / "parley.db", FakeClock())
    await store.open()
    assert await store.writable()
    await store.close()


async def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        inbound = world.inbound("before")
        accepted = await world.accept(inbound)
        claim = await world.store.claim_one(await world.node(), accepted.conversation)
        assert claim is not None
        head = await world.store.head(claim)
        await world.store.start(claim, world.turn(head), world.session(head))
    async with sqlite_world(tmp_path) as world:
        assert await world.accept(inbound) == replace(accepted, new=False)
        (claim,) = await world.store.claim(await world.node(), 10)
        again = await world.store.head(claim)
        assert again.turn == world.turn(head)
        assert [row.inbound for row in again.waiting] == [inbound]


async def test_all_is_waited_for_but_first_starts_and_steps_without_an_effect(
    tmp_path: Path,
) -> None:
    async with sqlite_world(tmp_path) as world, asyncio.timeout(30):
        store, claim = world.store, await world.claimed()
        head = await store.head(claim)
        turn = world.turn(head)
        step = Step(1, StepKind.TOOL, "k", None)
        assert not await _is_waited_for(store, store.start(claim, turn, world.session(head)))
        anew = replace(turn, attempts=2)
        assert await _is_waited_for(store, store.start(claim, anew, world.session(head)))
        assert not await _is_waited_for(store, store.step(claim, turn.id, step, durable=False))
        assert await _is_waited_for(store, store.accept(world.inbound("more"), HERE))
        again = replace(step, n=2)
        assert await _is_waited_for(store, store.step(claim, turn.id, again, durable=True))
        assert await _is_waited_for(store, store.draft(claim, turn.id, Sent("d")))
        assert await _is_waited_for(store, store.finish(claim, world.finish(head, turn)))
        (row,) = (await store.head(claim)).outbox
        assert await _is_waited_for(store, store.take(claim, row))
        assert await _is_waited_for(store, store.sent(claim, row, Sent("1")))


async def test_a_second_server_is_refused_and_a_command_that_looks_is_not(
    tmp_path: Path,
) -> None:
    async with sqlite_world(tmp_path) as world:
        await world.accept(world.inbound("hello"))
        with pytest.raises(ConfigError, match="another Parley"):
            await SqliteStore(tmp_path / "parley.db", FakeClock()).open()
        looking = SqliteStore(tmp_path / "parley.db", FakeClock(), mode="read")
        await looking.open()
        page = await looking.page("default", CHAT, before=None, limit=5)
        assert [entry.message.text for entry in page] == ["hello"]
        assert (await looking.health()).waiting == 1
        assert not await looking.writable()
        with pytest.raises(Transient):
            await looking.accept(world.inbound(), HERE)
        await looking.close()


async def test_looking_at_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="parley serve"):
        await SqliteStore(tmp_path / "none.db", FakeClock(), mode="read").open()
    assert not (tmp_path / "none.db").exists()


async def test_a_failed_opening_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    path.write_bytes(b"this is no database at all, but it is long enough to look at" * 20)
    with pytest.raises(Exception, match="database"):
        await SqliteStore(path, FakeClock()).open()
    path.unlink()
    store = SqliteStore(path, FakeClock())
    await store.open()
    await store.close()


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "data" / "parley.db", FakeClock())
    await store.open()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "parley.db").stat().st_mode & 0o777 == 0o600
    await store.close()


async def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match=r"cannot be written.*database\.url"):
        await SqliteStore(tmp_path / "data" / "parley.db", FakeClock()).open()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        claim = await world.claimed()
    with pytest.raises(Transient):
        await world.store.head(claim)
    with pytest.raises(Transient):
        await world.accept()


async def test_a_full_disk_refuses_and_heals(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world, asyncio.timeout(30):
        await _limit(world.store, 1)
        while await _fits(world, "x" * 50_000):
            pass
        assert not await _fits(world, "x" * 50_000)
        await _limit(world.store, 1_000_000)
        assert await _fits(world, "x" * 50_000)
        assert await world.store.writable()


async def test_a_conversation_that_was_never_committed_is_made_again(tmp_path: Path) -> None:
    """The writer remembers where conversations are: not those of a commit that failed."""
    async with sqlite_world(tmp_path) as world, asyncio.timeout(30):
        await _limit(world.store, 1)
        inbound = world.inbound("x" * 500_000)
        with pytest.raises(Transient) as refused:
            await world.accept(inbound)
        assert any("SQLITE_FULL" in line for line in trace(refused.value)), "the log says why"
        await _limit(world.store, 1_000_000)
        accepted = await world.accept(inbound)
        found = await world.store.conversation("default", CHAT)
        assert found is not None
        assert found.id == accepted.conversation
        assert LEASE


async def test_a_piece_that_cannot_be_read_expires_with_the_others(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world, asyncio.timeout(30):
        claim = await world.claimed()
        await world.answered(claim, pieces=3, expires_at=world.now())
        with closing(sqlite3.connect(tmp_path / "parley.db")) as db:
            db.execute("UPDATE outbox SET body = '{' WHERE piece = 1")
            db.commit()
        assert [row.piece for row in await world.store.expire_outbox(WEEK)] == [0, 2]
        assert await world.store.expire_outbox(WEEK) == []
        assert dict((await world.store.health()).outbox)["dead"] == 3


async def _is_waited_for(store: Store, writing: Awaitable[object]) -> bool:
    """Whether it comes back only after the writer, which stands still meanwhile, goes on."""
    assert isinstance(store, SqliteStore)
    let_go = threading.Event()
    store._writer.post(lambda db: let_go.wait(30))
    writes = asyncio.ensure_future(writing)
    for _ in range(20):
        await asyncio.sleep(0)
    waited = not writes.done()
    let_go.set()
    await writes
    return waited


async def _fits(world: World, text: str) -> bool:
    try:
        return (await world.accept(world.inbound(text))).new
    except Transient:
        return False


async def _limit(store: Store, pages: int) -> None:
    def set_limit(db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA max_page_count={pages}").fetchall()

    assert isinstance(store, SqliteStore)
    await store._writer.run(set_limit, alone=True)
