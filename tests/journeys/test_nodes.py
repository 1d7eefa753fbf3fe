"""Two nodes on one PostgreSQL: whichever dies, freezes, stops or is cut off, the other goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.journeys.program import SECRET, Program, a_moment, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Script, always, by_words, echo, in_turn
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_delivery import Webhook
from tests.peers.telegram_updates import ANN, BO
from tests.pgbouncer import Pooler

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

PATIENCE = 30.0
"""Seconds; nothing here needs a tenth of it."""

NEVER = "10m"
"""A lease that no test outlives: who takes over before it was told to."""

Json = dict[str, Any]


@dataclass
class Nodes:
    """Two programs, their peers and their database."""

    telegram: TelegramPeer
    model: ModelPeer
    programs: dict[str, Program]
    database: asyncpg.Connection

    async def tell(self, name: str, update: Json) -> int:
        """Deliver an update to one of the nodes; the HTTP status."""
        webhook = Webhook(f"{self.programs[name].url}/in/telegram", SECRET)
        return await self.telegram.post(update, webhook)

    async def begun(self, number: int = 1) -> None:
        """Until the model has been asked so often."""
        await self.model.wait_for(lambda: len(self.model.asked) >= number, PATIENCE)

    async def answered(self, chat: Json, *texts: str) -> None:
        """Until a person has these answers and no other."""
        wanted = list(texts)
        await self.telegram.wait_for(lambda: len(self.telegram.texts(chat)) >= len(texts), PATIENCE)
        assert self.telegram.texts(chat) == wanted

    async def holder(self, table: str) -> str | None:
        """Which node holds the only lane, or the only listener."""
        found: str | None = await self.database.fetchval(f"SELECT node FROM {table}")
        return found

    async def running(self) -> tuple[str, str]:
        """The node that runs the only turn, and the other one.

        It is the one that accepted the message, unless the other happened to look just then.
        """
        await self.begun()
        first = await self.holder("lane")
        assert first is not None, "a turn that has begun has a lane that is held"
        return first, "b" if first == "a" else "a"

    async def at_rest(self) -> None:
        """Until no lane is held and none waits."""
        busy = "SELECT count(*) FROM lane WHERE node IS NOT NULL OR wake_at IS NOT NULL"
        async with asyncio.timeout(PATIENCE):
            while await self.database.fetchval(busy):
                await a_moment()


@asynccontextmanager
async def nodes(
    folder: Path, url: str, script: Script, *, lease: str, grace: str = "25s", **config: Any
) -> AsyncIterator[Nodes]:
    """Nodes `a` and `b`; `a` was started first."""
    database = {"url": url, "lease": lease} | config.pop("database", {})
    async with TelegramPeer() as telegram, ModelPeer(script) as model:
        programs: dict[str, Program] = {}
        connection = await asyncpg.connect(config.pop("direct", url), ssl=False)
        try:
            for name in ("a", "b"):
                whole = telegram_config(telegram, model, database="", **config)
                whole["database"] = database
                whole["server"] |= {"node": name, "grace": grace}
                (folder / name).mkdir()
                programs[name] = Program(folder / name, whole)
                await programs[name].start()
            yield Nodes(telegram, model, programs, connection)
        finally:
            await connection.close()
            for program in programs.values():
                await program.kill()


def held_once(let_go: asyncio.Event) -> Script:
    """The first answer to a hello waits to be let go; whatever else is asked is said at once."""
    first = Answer(text="the first", waits={0: let_go})
    return by_words({"hello": in_turn(first, Answer(text="the second"))}, echo())


@pytest.fixture(params=["direct", pytest.param("pooled", marks=pytest.mark.pgbouncer)])
async def way(request: pytest.FixtureRequest, postgres_url: str) -> AsyncGenerator[Json, None]:
    """The configuration of a database, with a pooler before it and without."""
    if request.param == "direct":
        yield {"url": postgres_url}
        return
    pooler: Pooler = request.getfixturevalue("pooler")
    url = pooler.url(postgres_url)
    yield {"url": url, "pooler": "transaction", "direct_url": postgres_url}


async def test_a_node_that_is_killed_in_the_model_call_is_followed_by_the_other(
    way: Json, postgres_url: str, tmp_path: Path
) -> None:
    script = held_once(asyncio.Event())
    async with nodes(
        tmp_path, way["url"], script, lease="2s", database=way, direct=postgres_url
    ) as found:
        assert await found.tell("a", found.telegram.updates.text("hello")) == 200
        first, other = await found.running()
        await found.programs[first].kill()
        await found.answered(ANN, "the second")
        await found.at_rest()
        assert len(found.model.asked) == 2
        code, told = await found.programs[other].command("status")
        assert (code, f"server {first}: SILENT, its lease ended " in told) == (0, True)
        assert f"server {other}: running, conversations in hand: 0" in told


async def test_what_a_frozen_node_writes_when_it_wakes_up_is_refused(
    postgres_url: str, tmp_path: Path
) -> None:
    let_go = asyncio.Event()
    async with nodes(tmp_path, postgres_url, held_once(let_go), lease="2s") as found:
        assert await found.tell("a", found.telegram.updates.text("hello")) == 200
        first, _ = await found.running()
        os.kill(found.programs[first].pid, signal.SIGSTOP)
        await found.answered(ANN, "the second")
        # Its answer lies ready in its own socket when it wakes up.
        let_go.set()
        os.kill(found.programs[first].pid, signal.SIGCONT)
        assert await found.tell(first, found.telegram.updates.text("still there?", BO)) == 200
        await found.telegram.wait_for(lambda: found.telegram.texts(BO), PATIENCE)
        await found.at_rest()
        await found.answered(ANN, "the second")
        assert len(found.telegram.texts(BO)) == 1
        assert "Traceback" not in found.programs[first].output


async def test_a_turn_that_a_stopping_node_cannot_finish_goes_on_at_once_on_the_other(
    postgres_url: str, tmp_path: Path
) -> None:
    script = held_once(asyncio.Event())
    async with nodes(tmp_path, postgres_url, script, lease=NEVER, grace="0s") as found:
        assert await found.tell("a", found.telegram.updates.text("hello")) == 200
        first, _ = await found.running()
        assert await found.programs[first].stop() == 0
        await found.answered(ANN, "the second")


async def test_what_waits_behind_the_last_turn_of_a_stopping_node_goes_on_on_the_other(
    postgres_url: str, tmp_path: Path
) -> None:
    let_go = asyncio.Event()
    async with nodes(tmp_path, postgres_url, held_once(let_go), lease=NEVER) as found:
        say = found.telegram.updates.text
        assert await found.tell("a", say("hello")) == 200
        first, other = await found.running()
        assert await found.tell(first, say("and this")) == 200
        stopping = asyncio.create_task(found.programs[first].stop())
        late = say("too late", BO)
        async with asyncio.timeout(PATIENCE):
            while await found.tell(first, late) not in {0, 503}:
                await a_moment()
        let_go.set()
        await found.telegram.wait_for(lambda: len(found.telegram.texts(ANN)) == 2, PATIENCE)
        assert found.telegram.texts(ANN)[0] == "the first"
        assert "and this" in found.telegram.texts(ANN)[1]
        assert await stopping == 0
        assert await found.tell(other, late) == 200
        await found.telegram.wait_for(lambda: found.telegram.texts(BO), PATIENCE)


async def test_one_node_polls_and_another_takes_over_when_it_stops_or_dies(
    postgres_url: str, tmp_path: Path
) -> None:
    let_go = asyncio.Event()
    script = held_once(let_go)
    bot = {"mode": "polling"}
    async with nodes(tmp_path, postgres_url, script, lease="2s", bot=bot) as found:
        telegram, first = found.telegram, await polling(found)
        other = "b" if first == "a" else "a"
        telegram.push(telegram.updates.text("hello"))
        await found.begun()
        # It has a turn to finish and the time for it, and listens no more.
        stopping = asyncio.create_task(found.programs[first].stop())
        assert await polling(found, other) == other
        telegram.push(telegram.updates.text("hello", BO))
        await found.answered(BO, "the second")
        let_go.set()
        await found.answered(ANN, "the first")
        assert await stopping == 0
        await found.programs[first].start()
        await found.programs[other].kill()
        assert await polling(found, first) == first
        telegram.push(telegram.updates.text("again", BO))
        await telegram.wait_for(lambda: len(telegram.texts(BO)) == 2, PATIENCE)


async def test_who_polls_and_is_stopped_is_followed_at_once_however_long_its_lease(
    postgres_url: str, tmp_path: Path
) -> None:
    bot = {"mode": "polling"}
    script = always(Answer(text="here"))
    async with nodes(tmp_path, postgres_url, script, lease=NEVER, bot=bot) as found:
        first = await polling(found)
        other = "b" if first == "a" else "a"
        found.telegram.push(found.telegram.updates.text("hello"))
        await found.answered(ANN, "here")
        assert await found.programs[first].stop() == 0
        assert await polling(found, other) == other
        found.telegram.push(found.telegram.updates.text("hello", BO))
        await found.answered(BO, "here")


async def test_who_polled_before_a_freeze_and_who_took_over_answer_everything_once(
    postgres_url: str, tmp_path: Path
) -> None:
    bot = {"mode": "polling"}
    script = always(Answer(text="here"))
    async with nodes(tmp_path, postgres_url, script, lease="2s", bot=bot) as found:
        first = await polling(found)
        other = "b" if first == "a" else "a"
        os.kill(found.programs[first].pid, signal.SIGSTOP)
        # Its poll is answered while it is frozen: it will read this when it wakes up.
        found.telegram.push(found.telegram.updates.text("hello"))
        assert await polling(found, other) == other
        await found.answered(ANN, "here")
        os.kill(found.programs[first].pid, signal.SIGCONT)
        found.telegram.push(found.telegram.updates.text("hello", BO))
        await found.answered(BO, "here")
        await found.at_rest()
        await found.programs[other].kill()
        assert await polling(found, first) == first
        found.telegram.push(found.telegram.updates.text("again", BO))
        await found.answered(BO, "here", "here")
        await found.at_rest()
        await found.answered(ANN, "here")
        # That another holds the row now is no error.
        assert "Fenced" not in found.programs[first].output


async def polling(found: Nodes, name: str | None = None) -> str:
    """Who holds the listener's row; wait until it is that one, or anybody."""
    async with asyncio.timeout(PATIENCE):
        while (holder := await found.holder("listener")) is None or name not in {None, holder}:
            await a_moment()
    return holder
