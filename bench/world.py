"""The program and its surroundings: a model, a Telegram, and a folder of its own for each run."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import web
from bench.plan import SPREAD, Case, Platform, Shape
from bench.talk import Talk
from bench.telegram import Screens, screens
from tests.journeys.program import SECRET, Program, free_port
from tests.peers.model_answers import words
from tests.peers.process import Remote
from tests.peers.process import running as running_peer
from tests.peers.telegram import TOKEN


@dataclass(frozen=True, slots=True)
class World:
    """What is outside of the program, each in a process of its own."""

    model: Remote
    telegram: Screens
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
        self, name: str, database: str, *, stream: bool
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
                "telegram": {
                    "use": "adapters.telegram",
                    "mode": "webhook",
                    "token": TOKEN,
                    "webhook_secret": SECRET,
                    "stream": "draft" if stream else "off",
                    "base_url": self.telegram.peer.url,
                    # The peer takes all it can get: what is measured is the program.
                    "per_second": 0,
                    "chat_per_second": 0,
                    "group_per_minute": 0,
                },
                "web": {"use": "adapters.web", "stream": stream, "rate": 1_000_000},
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
        open_talks = web.talks if case.platform is Platform.WEB else self.telegram.talks
        async with open_talks(number, expected, port_of(program)) as found:
            yield found


@asynccontextmanager
async def world(folder: Path) -> AsyncGenerator[World, None]:
    """Everything that the program talks to."""
    async with running_peer("model", "--tokens", "1") as model, screens(folder) as telegram:
        yield World(model, telegram, folder)


def port_of(program: Program) -> int:
    """Where it listens."""
    return int(program.url.rpartition(":")[2])
