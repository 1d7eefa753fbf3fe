"""The double and PostgreSQL agree about everything, whatever is asked in whatever order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine

from bot.domain.conversation import ConversationId
from bot.domain.records import Accepted, Claim
from bot.store.memory import MemoryStore
from bot.store.postgres import PostgresStore
from tests.contracts.worlds import LEASE, World
from tests.fakes import FakeClock
from tests.postgres import Server
from tests.store.test_agreement import Agreement

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

EXAMPLES = 25

# A schema that is looked into before the catalogue has the say about what time it is.
STEERED = """
CREATE SCHEMA steered;
CREATE TABLE steered.clock (at timestamptz);
INSERT INTO steered.clock VALUES ($$<at>$$);
CREATE FUNCTION steered.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS 'SELECT at FROM steered.clock';
"""
TEMPLATE = "steered"


class Renumbered:
    """A store whose fences count 1, 2, 3 … for each conversation, as the double's do."""

    def __init__(self, store: PostgresStore, side: asyncpg.Connection) -> None:
        self._store = store
        self._side = side
        self._fences: dict[tuple[ConversationId, int], int] = {}
        self._numbers: dict[tuple[ConversationId, int], int] = {}
        self._counts: dict[ConversationId, int] = {}

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method: Callable[..., Awaitable[Any]] = getattr(self._store, name)

        async def call(*args: Any, **kw: Any) -> Any:
            found = await method(*map(self._real, args), **kw)
            if isinstance(found, Accepted) and not found.new:
                # Elsewhere a repeat costs a number.
                await self._side.execute("SELECT nextval('inbox_id_seq')")
            return self._counted(found)

        return call

    def _real(self, value: Any) -> Any:
        if not isinstance(value, Claim):
            return value
        fences = self._fences
        fence, before = (
            fences.get((value.conversation, n), 0) for n in (value.fence, value.before)
        )
        return replace(value, fence=fence, before=before)

    def _counted(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._counted(one) for one in value]
        if not isinstance(value, Claim):
            return value
        count = self._counts[value.conversation] = self._counts.get(value.conversation, 0) + 1
        self._fences[value.conversation, count] = value.fence
        self._numbers[value.conversation, value.fence] = count
        before = self._numbers.get((value.conversation, value.before), 0)
        return replace(value, fence=count, before=before)


class SteeredClock(FakeClock):
    """Moves the database's time with its own."""

    def __init__(self, moved: Callable[[], None]) -> None:
        super().__init__()
        self._moved = moved

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self._moved()


class PostgresAgreement(Agreement):
    """The same questions; `sqlite` is the other store here too, whatever it is called."""

    server: Server

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        self.runner = asyncio.Runner()
        self.clock = SteeredClock(lambda: self.runner.run(self._steer()))
        self.memory = MemoryStore(self.clock)
        self.runner.run(self._open())
        self.words = World(self.memory, _never, self.clock.now, _never)
        self.nodes = [
            self.both(lambda store: store.join("one", timedelta(hours=2))),
            self.both(lambda store: store.join("two", LEASE)),
        ]
        self.claims = []
        self.slots = []
        self.taken = []

    def teardown(self) -> None:
        self.runner.run(self._close())
        self.runner.close()

    async def _open(self) -> None:
        self.url = await self.server.create(template=TEMPLATE)
        await steer(self.url)
        self.side = await asyncpg.connect(self.url, ssl=False)
        self.store = PostgresStore(self.url)
        await self.store.open()
        other: Any = Renumbered(self.store, self.side)
        self.sqlite = other

    async def _close(self) -> None:
        await self.side.close()
        await self.store.close()
        await self.server.drop(self.url)

    async def _steer(self) -> None:
        await self.side.execute("UPDATE steered.clock SET at = $1", self.clock.now())


async def _never(*_: object) -> Any:
    raise AssertionError("this world has one store and a clock that can be moved")


async def steer(url: str) -> None:
    """Let a database ask the steered clock."""
    name = url.rpartition("/")[2]
    connection = await asyncpg.connect(url, ssl=False)
    await connection.execute(f'ALTER DATABASE "{name}" SET search_path = steered, pg_catalog')
    await connection.close()


@pytest.fixture
async def steered(postgres_server: Server) -> Server:
    """A server with a database to copy, whose tables are made and whose clock stands still."""
    connection = await asyncpg.connect(postgres_server.url("postgres"), ssl=False)
    await connection.execute(f'CREATE DATABASE "{TEMPLATE}"')
    await connection.close()
    url = postgres_server.url(TEMPLATE)
    connection = await asyncpg.connect(url, ssl=False)
    await connection.execute(STEERED.replace("<at>", FakeClock().now().isoformat()))
    await connection.close()
    await steer(url)
    store = PostgresStore(url)
    await store.open()
    await store.close()
    return postgres_server


async def test_the_double_and_postgres_agree(steered: Server) -> None:
    PostgresAgreement.server = steered
    machine = PostgresAgreement.TestCase
    machine.settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        report_multiple_bugs=False,
        database=None,
    )
    # It runs an event loop for each example, so it must not run on this one.
    await asyncio.to_thread(machine().runTest)
