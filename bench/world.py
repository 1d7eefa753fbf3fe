"""The program and its surroundings: a model, platforms, and a folder of its own for each run."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench import slack, telegram, web, wechat
from bench.plan import SPREAD, Case, Platform, Shape
from bench.talk import Talk
from tests.journeys.program import Program
from tests.peers.model_answers import words
from tests.peers.process import Remote
from tests.peers.process import running as running_peer
from tests.ports import free_port


class People(Protocol):
    """Those who write on one platform."""

    def adapter(self, *, stream: bool) -> dict[str, Any]:
        """The block of the configuration that reaches them."""
        ...

    def talks(
        self, number: int, expected: str, port: int
    ) -> AbstractAsyncContextManager[list[Talk]]:
        """So many conversations that never spoke before."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """What is outside of the program, each in a process of its own."""

    model: Remote
    people: Mapping[Platform, People]
    folder: Path

    async def teach(self, shape: Shape) -> str:
        """Let the model answer like this from now on; the text that it says."""
        text = words(shape.words)
        pace = SPREAD / shape.words if shape is Shape.PACED else 0.0
        chunks = shape.words if shape.streamed else None
        await self.model.tell("answer", text=text, chunks=chunks, pace=pace)
        return text

    @asynccontextmanager
    async def program(
        self, name: str, database: str, server: str = "main", *, stream: bool
    ) -> AsyncGenerator[Program, None]:
        """A server that was started as a stranger would start it."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        port = free_port()
        config: dict[str, Any] = {
            "server": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
            "database": {"url": database},
            "models": {
                "main": {
                    "use": "openai",
                    "model": "stand-in",
                    "api_key": "key",
                    "base_url": f"{self.model.url}/v1",
                }
            },
            "adapters": {
                platform.value: people.adapter(stream=stream)
                for platform, people in self.people.items()
                if platform.server == server
            },
            "plugins": [{"use": "plugins.clock"}, {"use": "plugins.calculator"}],
        }
        program = Program(folder, config)
        await program.start()
        try:
            yield program
        finally:
            await program.stop()

    @asynccontextmanager
    async def talks(
        self, case: Case, number: int, program: Program
    ) -> AsyncGenerator[list[Talk], None]:
        """The people of one row."""
        expected = await self.teach(case.shape)
        people = self.people[case.platform]
        async with people.talks(number, expected, port_of(program)) as found:
            yield found


@asynccontextmanager
async def world(folder: Path) -> AsyncGenerator[World, None]:
    """Everything that the program talks to."""
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(running_peer("model", "--tokens", "1"))
        people: dict[Platform, People] = {
            Platform.TELEGRAM: await stack.enter_async_context(telegram.screens(folder)),
            Platform.WEB: web.Visitors(),
            Platform.SLACK: await stack.enter_async_context(slack.screens(folder)),
            Platform.WECHAT: wechat.People(),
        }
        yield World(model, people, folder)


def port_of(program: Program) -> int:
    """Where it listens."""
    return int(program.url.rpartition(":")[2])
