"""Several servers on one PostgreSQL: what is waited for, and what they do not do to each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from bot.domain.conversation import Step, StepKind
from bot.domain.message import Sent
from bot.errors import ConfigError, Fenced
from bot.store.postgres import PostgresStore
from bot.store.postgres_errors import explain
from bot.store.postgres_pool import MOST, Pool
from bot.store.postgres_sql import query
from bot.store.tables import VERSION
from tests.contracts.postgres_world import postgres_world, prepared, waits_for_a_lock
from tests.contracts.worlds import CHAT, HERE, LEASE, WEEK, World
from tests.postgres import Server

pytestmark = pytest.mark.postgres


@pytest.fixture
async def world(postgres_server: Server) -> AsyncIterator[World]:
    async with postgres_world(postgres_server) as found:
        yield found


@pytest.fixture
async def url(postgres_server: Server) -> AsyncIterator[str]:
    """A database with our tables in it."""
    found = await prepared(postgres_server)
    yield found
    await postgres_server.drop(found)


@asynccontextmanager
async def beside(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else's to the store's database."""
    assert isinstance(world.store, PostgresStore)
    connection = await asyncpg.connect(world.store._url, ssl=False)
    try:
        yield connection
    finally:
        await connection.close()


# ---- opening -----------------------------------------------------------------------------


async def test_two_servers_that_start_together_make_the_tables_once(postgres_url: str) -> None:
    stores = [PostgresStore(postgres_url) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    for store in stores:
        assert await store.writable()
        await store.close()


async def test_tables_that_are_too_new_or_not_there_are_refused(postgres_url: str) -> None:
    reading = PostgresStore(postgres_url, mode="read")
    with pytest.raises(ConfigError, match=r"no tables yet; `parley serve`"):
        await reading.open()
    store = PostgresStore(postgres_url)
    await store.open()
    await store.close()
    connection = await asyncpg.connect(postgres_url, ssl=False)
    await connection.execute("UPDATE schema_version SET readable_from = $1", VERSION + 1)
    await connection.close()
    for mode in (store, reading):
        with pytest.raises(ConfigError, match="newer Parley"):
            await mode.open()


async def test_what_keeps_the_store_from_opening_is_explained(
    postgres_server: Server, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url, ssl=False)
    await connection.execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    await connection.close()
    here = f"127.0.0.1:{postgres_server.port}"
    guest = postgres_url.replace("//parley:parley@", "//guest:s3cret@")
    for wrong, sentence in {
        f"postgresql://parley:s3cret@{here}/nowhere": "no database nowhere",
        f"postgresql://nobody:s3cret@{here}/postgres": "does not let user nobody in",
        "postgresql://parley:s3cret@127.0.0.1:1/parley": "nobody answers at 127.0.0.1:1",
        guest: "may not make or use tables",
    }.items():
        with pytest.raises(ConfigError, match=sentence) as refused:
            await PostgresStore(wrong).open()
        assert "s3cret" not in str(refused.value)


def test_a_wrong_password_is_never_repeated() -> None:
    error = asyncpg.InvalidPasswordError("password authentication failed")
    said = str(explain(error, "postgresql://ann:s3cret@db.example:6000/parley"))
    assert said == (
        "database: db.example:6000 does not let user ann in; mend user and password in database.url"
    )


async def test_a_connection_that_was_cut_is_replaced(world: World) -> None:
    await world.accept()
    async with beside(world) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    async with asyncio.timeout(10):
        while not await world.store.writable():
            pass
    assert (await world.accept()).new


# ---- what is waited for ------------------------------------------------------------------

WATCH = """
CREATE TABLE seen (name text, waited boolean);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO seen VALUES (TG_TABLE_NAME, current_setting('synchronous_commit') <> 'off');
  RETURN NULL;
END $$;
"""


async def test_all_is_waited_for_but_claims_starts_and_steps_without_an_effect(
    world: World,
) -> None:
    async with beside(world) as other:
        await other.execute(WATCH)
        for table in ("inbox", "lane", "turn", "step", "outbox"):
            await other.execute(
                f"CREATE CONSTRAINT TRIGGER look AFTER INSERT OR UPDATE ON {table} "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look()"
            )

        async def seen() -> dict[str, bool]:
            rows = await other.fetch("DELETE FROM seen RETURNING name, waited")
            return {row["name"]: row["waited"] for row in rows}

        accepted = await world.accept()
        assert await seen() == {"inbox": True, "lane": True}
        (claim,) = await world.store.claim(await world.node(), 1)
        assert await seen() == {"lane": False}
        head = await world.store.head(claim)
        turn = world.turn(head)
        await world.store.start(claim, turn, world.session(head))
        assert await seen() == {"turn": False}
        step = Step(1, StepKind.TOOL, "k", None)
        await world.store.step(claim, turn.id, step, durable=False)
        assert await seen() == {"step": False}
        await world.store.step(claim, turn.id, replace(step, n=2), durable=True)
        assert await seen() == {"step": True}
        await world.store.draft(claim, turn.id, Sent("d"))
        assert await seen() == {"turn": True}
        (row,) = await world.store.finish(claim, world.finish(head, turn))
        assert await seen() == {"turn": True, "inbox": True, "outbox": True}
        await world.store.take(claim, row)
        await world.store.sent(claim, row, Sent("1"))
        assert await seen() == {"outbox": True}
        assert await world.store.release(claim)
        assert await seen() == {"lane": True}
        assert accepted.new


async def test_accepted_means_stored_whatever_the_servers_default_is(
    postgres_server: Server, url: str
) -> None:
    name = url.rpartition("/")[2]
    connection = await asyncpg.connect(url, ssl=False)
    await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    await connection.execute(
        f"ALTER DATABASE {name} SET default_transaction_isolation = serializable"
    )
    await connection.close()
    shown = query(
        "SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation')"
    )
    pool = Pool(url)
    await pool.open()
    assert await pool.fetch(shown, {}) == [("on", "read committed")]
    await pool.close()


# ---- nodes together ----------------------------------------------------------------------


async def test_a_message_accepted_while_its_conversation_is_erased_opens_a_new_one(
    world: World,
) -> None:
    before = await world.accept(world.inbound("before"))
    async with beside(world) as other:
        erasing = other.transaction()
        await erasing.start()
        await other.execute("SELECT FROM lane FOR UPDATE")
        accepting = asyncio.create_task(world.accept(world.inbound("meanwhile")))
        async with beside(world) as third:
            await waits_for_a_lock(third)
        for table in ("alias", "conversation", "inbox", "lane"):
            await other.execute(f"DELETE FROM {table}")
        await erasing.commit()
    after = await accepting
    assert after.new
    assert after.conversation != before.conversation
    claim = await world.store.claim_one(await world.node(), after.conversation)
    assert claim is not None
    assert [row.inbound.text for row in (await world.store.head(claim)).waiting] == ["meanwhile"]


async def test_numbers_within_a_conversation_follow_the_order_of_commits(world: World) -> None:
    await world.accept(world.inbound("first"))
    async with beside(world) as other:
        holding = other.transaction()
        await holding.start()
        await other.execute("SELECT FROM lane FOR UPDATE")
        async with beside(world) as third:
            last = "SELECT last_value FROM inbox_id_seq"
            number = await third.fetchval(last)
            waiting = asyncio.create_task(world.accept(world.inbound("second")))
            await waits_for_a_lock(third)
            assert await third.fetchval(last) == number
        await holding.commit()
    assert (await waiting).inbound > number


async def test_an_end_that_is_written_while_its_lane_is_being_taken_is_refused(
    world: World,
) -> None:
    claim = await world.claimed()
    head = await world.store.head(claim)
    turn = world.turn(head)
    await world.store.start(claim, turn, world.session(head))
    async with beside(world) as other, beside(world) as third:
        taking = other.transaction()
        await taking.start()
        await other.execute("UPDATE lane SET fence = fence + 1, node = 'two'")
        writing = asyncio.create_task(world.store.finish(claim, world.finish(head, turn)))
        # Until that is decided nobody knows whose lane it is.
        await waits_for_a_lock(third)
        await taking.commit()
        with pytest.raises(Fenced):
            await writing
        assert await third.fetchval("SELECT count(*) FROM outbox") == 0


@pytest.mark.slow  # the database needs a second to see that two wait for each other
@pytest.mark.parametrize("order", ["outbox_drop", "outbox_retry"])
async def test_an_operator_and_the_holder_of_a_lane_do_not_wait_for_each_other(
    world: World, order: str
) -> None:
    claim = await world.claimed()
    (row,) = await world.answered(claim)
    await world.store.hold(claim, row, until=None, lasts=WEEK)
    async with beside(world) as other, beside(world) as third:
        holding = other.transaction()
        await holding.start()
        # As every statement of a holder: the lane first, then the rows.
        await other.execute("SELECT FROM lane FOR NO KEY UPDATE")
        ordered = asyncio.create_task(
            getattr(world.store, order)(row.conversation, row.turn, row.piece)
        )
        await waits_for_a_lock(third)
        await other.execute("UPDATE outbox SET state = 'sending'")
        await holding.commit()
    # By then it is on its way.
    assert not await ordered


async def test_a_node_that_had_the_lane_before_reads_what_another_wrote_since(
    world: World,
) -> None:
    other = await world.another()
    one, two = await world.store.join("one", LEASE), await other.join("two", LEASE)
    accepted = await world.accept(world.inbound("first"))
    where = accepted.conversation
    for store, node, text in ((world.store, one, "second"), (other, two, "third")):
        claim = await store.claim_one(node, where)
        assert claim is not None
        await replace(world, store=store).answered(claim)
        await store.window(where, first=1, limit=10)
        assert await store.release(claim)
        await store.accept(world.inbound(text), HERE)
    claim = await world.store.claim_one(one, where)
    assert claim is not None
    await world.store.head(claim)
    window = await world.store.window(where, first=1, limit=10)
    assert [message.text for message in window] == ["first", "an answer", "second", "an answer"]


async def test_a_lane_held_twice_in_a_row_is_not_read_again(world: World) -> None:
    node = await world.node()
    claim = await world.claimed(node)
    await world.answered(claim)
    first = await world.said(claim.conversation)
    async with beside(world) as other:
        await other.execute("UPDATE message SET body = 'unreadable'")
    assert await world.store.release(claim)
    await world.accept()
    again = await world.store.claim_one(node, claim.conversation)
    assert again is not None
    await world.store.head(again)
    assert await world.said(claim.conversation) == first


async def test_a_fence_is_not_used_again_after_the_database_lost_a_claim(world: World) -> None:
    """A claim is not waited for: a crash of the database can take it back."""
    node = await world.node()
    accepted = await world.accept()
    async with beside(world) as other:
        lane = await other.fetchrow("SELECT wake_at, fence FROM lane")
        lost = await world.store.claim_one(node, accepted.conversation)
        assert lost is not None
        await other.execute(
            "UPDATE lane SET node = NULL, epoch = NULL, wake_at = $1, fence = $2", *lane
        )
    again = await world.store.claim_one(node, accepted.conversation)
    assert again is not None
    assert again.fence > lost.fence


async def test_a_character_that_the_database_does_not_take_is_no_reason_to_lose_a_message(
    world: World,
) -> None:
    odd = world.inbound("text with a \0 in it", key="a\0key", platform_id="p\0")
    accepted = await world.accept(odd)
    assert not (await world.accept(odd)).new
    claim = await world.store.claim_one(await world.node(), accepted.conversation)
    assert claim is not None
    await world.answered(claim)
    assert (await world.said(accepted.conversation))[0] == "text with a \0 in it"
    page = await world.store.page("default", CHAT, before=None, limit=5)
    assert page[0].event_key == "a\ufffdkey"


async def test_a_lease_is_renewed_while_every_connection_is_taken(world: World) -> None:
    assert isinstance(world.store, PostgresStore)
    node = await world.node()
    async with AsyncExitStack() as turns:
        for _ in range(MOST):
            await turns.enter_async_context(world.store._pool.transaction())
        assert await world.store.renew(node, LEASE)
        again = await world.store.rejoin(node, LEASE)
    assert again is not None


async def test_a_next_epoch_whose_answer_was_lost_is_given_again(world: World) -> None:
    """Else the node would take it for another process that has its name, and stop."""
    node = await world.node("one")
    lost = await world.store.rejoin(node, LEASE)
    again = await world.store.rejoin(node, LEASE)
    assert again is not None
    assert again == lost
    assert await world.store.renew(again, LEASE)
    # What starts under the name takes it, and it is not given back.
    await world.node("one")
    assert await world.store.rejoin(node, LEASE) is None
    assert await world.store.rejoin(again, LEASE) is None


async def test_a_piece_that_cannot_be_read_expires_with_the_others(world: World) -> None:
    claim = await world.claimed()
    await world.answered(claim, pieces=3, expires_at=world.now())
    async with beside(world) as other:
        await other.execute("UPDATE outbox SET body = '{' WHERE piece = 1")
    assert [row.piece for row in await world.store.expire_outbox(WEEK)] == [0, 2]
    assert await world.store.expire_outbox(WEEK) == []
