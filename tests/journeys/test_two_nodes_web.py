"""Two servers on one PostgreSQL: pages of one show what the other answers, and stop it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.adapters.web.client import Event, Reader, characters, shown
from tests.journeys.program import Program, a_moment, running
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Call, Script, by_words, echo, in_turn
from tests.ports import free_port
from tests.postgres import Server

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

LONG = "".join(f"word{n} 字{n}, " for n in range(40))
SECRET = "the same on every node, thirty-two bytes"
PATIENCE = 20.0


@dataclass
class Visitor:
    """One browser; a balancer in front of the nodes may lead it to any of them."""

    http: aiohttp.ClientSession

    async def post(self, node: Program, path: str, id: str, text: str = "") -> int:
        body = json.dumps({"id": id, "text": text})
        headers = {"Content-Type": "application/json"}
        address = f"{node.url}/in/web/{path}"
        async with self.http.post(address, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def say(self, node: Program, id: str, text: str) -> None:
        assert await self.post(node, "messages", id, text) == 202

    async def stop(self, node: Program, id: str) -> None:
        assert await self.post(node, "stop", id) == 202

    async def history(self, node: Program) -> list[dict[str, Any]]:
        async with self.http.get(f"{node.url}/in/web/messages") as answer:
            page = await answer.json()
            found: list[dict[str, Any]] = page["messages"]
            return found

    @asynccontextmanager
    async def reading(self, node: Program, last: str = "") -> AsyncIterator[Reader]:
        headers = {"Last-Event-ID": last} if last else {}
        async with self.http.get(f"{node.url}/in/web/events", headers=headers) as answer:
            assert answer.status == 200
            yield Reader(answer.content)


@dataclass
class Nodes:
    """Two programs over one database, and the model that both ask."""

    x: Program
    y: Program
    model: ModelPeer
    visitor: Visitor

    async def ask(self, text: str) -> None:
        """Through `y`, which runs it: any node may, but one that stands still."""
        with standing_still(self.x):
            await self.visitor.say(self.y, "q1", text)
            await self.model.wait_for(lambda: len(self.model.asked) >= 1, PATIENCE)
        assert self.model.asked[0].body["model"] == "y"

    async def is_known(self, page: Reader) -> None:
        """`y` knows of a page that is open on `x`: what it says is seen there."""
        async with self.visitor.reading(self.y) as another:
            with standing_still(self.x):
                await self.visitor.say(self.y, "known", "/help")
                await another.until("ended")
        await page.until("ended")
        page.events.clear()


@contextmanager
def standing_still(program: Program) -> Iterator[None]:
    """It does nothing until the block ends."""
    os.kill(program.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(program.pid, signal.SIGCONT)


def config(name: str, model: ModelPeer, database: str, lease: str) -> dict[str, Any]:
    return {
        "server": {"port": free_port(), "node": name, "secret": SECRET, "grace": "5s"},
        "database": {"url": database, "lease": lease},
        "models": {
            "main": {"use": "openai", "model": name, "api_key": "key", "base_url": model.base_url}
        },
        "adapters": {"web": {"use": "adapters.web"}},
        "plugins": [{"use": "plugins.calculator"}],
    }


@asynccontextmanager
async def nodes(
    server: Server, folder: Path, script: Script, *, lease: str = "15s"
) -> AsyncGenerator[Nodes, None]:
    """A short lease shows nothing that grows for as long as a busy machine delays its renewal."""
    url = await server.create()
    try:
        async with AsyncExitStack() as stack:
            model = await stack.enter_async_context(ModelPeer(script))
            programs: list[Program] = []
            for name in ("x", "y"):
                (folder / name).mkdir()
                settings = config(name, model, url, lease)
                program = running(folder / name, settings)
                programs.append(await stack.enter_async_context(program))
            jar = aiohttp.CookieJar(unsafe=True)
            session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            async with session.get(f"{programs[0].url}/in/web/") as page:
                assert page.status == 200
            x, y = programs
            yield Nodes(x, y, model, Visitor(session))
    finally:
        await server.drop(url)


def grows(events: list[Event]) -> list[str]:
    """What kinds of events a page got, those that repeat once."""
    names = [event.name for event in events]
    return [name for n, name in enumerate(names) if n == 0 or names[n - 1] != name]


async def test_a_page_on_one_node_shows_the_first_answer_that_another_gives(
    tmp_path: Path, postgres_server: Server
) -> None:
    script = in_turn(
        Answer(calls=(Call("calculate", {"expression": "6*7"}),)),
        # Four seconds: some twenty texts, of which a slow machine may miss most
        Answer(text=LONG, chunks=40, pace=0.1),
    )
    async with (
        nodes(postgres_server, tmp_path, script) as both,
        both.visitor.reading(both.x) as page,
    ):
        await both.is_known(page)
        await both.ask("tell me much")
        await page.until("ended")
        assert grows(page.events) == ["accepted", "status", "draft", "message", "ended"]
        drafts = [event for event in page.events if event.name == "draft"]
        assert LONG.startswith(shown(drafts)), "every piece where it belongs"
        assert len(drafts) > 4, "it is seen to grow"
        lengths = [characters(draft.id) for draft in drafts]
        assert lengths == sorted(set(lengths)), "no piece twice"
        (message,) = [event for event in page.events if event.name == "message"]
        assert message.data["text"] == LONG
        assert [line["text"] for line in await both.visitor.history(both.x)][-1] == LONG
        assert all(asked.streamed for asked in both.model.asked), "it knew that somebody watches"


async def test_a_page_whose_line_breaks_goes_on_on_the_other_node(
    tmp_path: Path, postgres_server: Server
) -> None:
    go_on = asyncio.Event()
    script = in_turn(Answer(text=LONG, chunks=40, pace=0.02, waits={20: go_on}))
    async with nodes(postgres_server, tmp_path, script) as both:
        async with both.visitor.reading(both.y) as page:
            await both.ask("tell me much")
            seen = await page.until(lambda event: event.name == "draft")
        before = shown([event for event in seen if event.name == "draft"])
        async with both.visitor.reading(both.x, last=seen[-1].id) as page:
            await page.until(lambda event: event.name in {"snapshot", "draft"})
            go_on.set()
            await page.until("ended")
            assert page.events[0].name == "snapshot"
            assert shown(page.events, before) == LONG


async def test_a_page_that_opens_in_the_middle_shows_what_another_node_has_said_so_far(
    tmp_path: Path, postgres_server: Server
) -> None:
    go_on = asyncio.Event()
    script = in_turn(Answer(text=LONG, chunks=40, waits={20: go_on}))
    async with (
        nodes(postgres_server, tmp_path, script) as both,
        both.visitor.reading(both.y) as first,
    ):
        await both.ask("tell me much")
        await first.until(lambda event: event.name == "draft")
        async with both.visitor.reading(both.x) as page:
            await page.until("draft")
            go_on.set()
            await page.until("ended")
            drafts = [event for event in page.events if event.name == "draft"]
            assert LONG.startswith(shown(drafts))
            assert shown(page.events) == LONG
            await first.until("ended")
            assert shown(first.events) == LONG


async def test_a_stop_through_one_node_ends_the_turn_of_another(
    tmp_path: Path, postgres_server: Server
) -> None:
    # It does not end by itself. That an order is read within a second is shown on a clock of its
    # own, in tests/engine/test_signalling.py: here three programs share a machine.
    script = by_words({"much": Answer(text=LONG, chunks=40, waits={20: asyncio.Event()})}, echo())
    async with (
        nodes(postgres_server, tmp_path, script) as both,
        both.visitor.reading(both.x) as page,
    ):
        await both.is_known(page)
        await both.ask("tell me much")
        await page.until("draft")
        async with asyncio.timeout(PATIENCE):
            await both.visitor.stop(both.x, "s1")
            while both.model.asked[0].closed_at is None:
                await a_moment()
        await page.until("ended")
        texts = [line["text"] for line in await both.visitor.history(both.x)]
        # Before them stands the answer to /help, which is in no history and not a minute old
        _, asked, answer = texts
        assert asked == "tell me much"
        assert answer.startswith("word0")
        assert "stopped" in answer
        assert page.events[-2].data["text"] == answer


async def test_a_page_sees_the_answer_of_the_node_that_takes_over(
    tmp_path: Path, postgres_server: Server
) -> None:
    never = asyncio.Event()
    script = in_turn(
        Answer(text=LONG, chunks=40, waits={20: never}), Answer(text=LONG, chunks=40, pace=0.02)
    )
    async with (
        nodes(postgres_server, tmp_path, script, lease="5s") as both,
        both.visitor.reading(both.x) as page,
    ):
        await both.is_known(page)
        await both.ask("tell me much")
        await page.until("draft")
        await both.y.kill()
        await page.until("ended")
        assert shown(page.events) == LONG
        assert [event.name for event in page.events].count("message") == 1
        assert both.model.asked[-1].body["model"] == "x"
