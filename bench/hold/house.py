"""The nodes of a row and everything around them: databases, a model, a Telegram, its people."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from bench.hold.people import People
from bench.hold.plan import LISTENERS, How, Row, Sizes
from bench.hold.server import Postgres
from bench.hold.watch import Watch
from bench.pipe import watched
from bench.plan import Database
from bench.readings import cpu_seconds, resident_mb
from bench.telegram import Screens, update
from bench.world import port_of
from tests import pgbouncer, postgres
from tests.faults.proxy import Proxy, proxying
from tests.journeys.program import Program
from tests.peers.process import Remote
from tests.ports import free_port

SECRET = "the same on every node of this house"
BACK = 60.0
"""Seconds in which a node that was away can do its work again."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Processes that share a database; `url` leads straight to it."""

    programs: list[Program]
    url: str
    proxies: list[Proxy] = field(default_factory=list)
    """One before the database for each, in a row that cuts lines."""

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        return [port_of(program) for program in self.programs]

    async def ready(self, number: int) -> None:
        """Until this one says that it can do its work, again."""
        url = f"{self.programs[number].url}/readyz"
        async with asyncio.timeout(BACK), aiohttp.ClientSession() as http:
            while True:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.1)

    def cpu(self) -> float:
        """Seconds that all of them have used."""
        return sum(cpu_seconds(program.pid) for program in self.programs)

    def rss_mb(self) -> float:
        """Memory of the largest."""
        return max(resident_mb(program.pid) for program in self.programs)


class House:
    """What all rows share; PostgreSQL is started for the first that needs it."""

    def __init__(self, folder: Path, around: "Around", stack: ExitStack) -> None:
        self.folder = folder
        self.model = around.model
        self._around = around
        self._stack = stack
        self._postgres: Postgres | None = None
        self._numbers = count(1)

    async def server(self) -> Postgres:
        """The one PostgreSQL."""
        if self._postgres is None:
            self._postgres = Postgres(self._stack.enter_context(postgres.running()))
            await self._postgres.start()
        return self._postgres

    async def database(self, row: Row) -> str:
        """The address of an empty one."""
        if row.database is Database.POSTGRES:
            return await (await self.server()).create()
        return f"sqlite:///{self.folder / f'database{next(self._numbers)}' / 'parley.db'}"

    async def push(self, chat: int, number: int) -> None:
        """A message for whoever asks Telegram for updates."""
        said = msgspec.json.decode(update(chat, number))
        await self._around.telegram.tell("push", updates=[said])

    async def server_of(self, row: Row) -> Postgres | None:
        """PostgreSQL where the row is about it."""
        return await self.server() if row.database is Database.POSTGRES else None

    @asynccontextmanager
    async def nodes(
        self, row: Row, *, stream: bool = False, lease: str = "15s", log: str = "info"
    ) -> AsyncGenerator[Nodes, None]:
        """So many servers as the row says, each started as a stranger would start it."""
        nodes = Nodes([], await self.database(row))
        async with AsyncExitStack() as stack:
            for number in range(row.nodes):
                road = await self._road(row, nodes, stack)
                outside = self._around.config(number, row, stream=stream)
                config = _config(number, road | {"lease": lease}, log) | outside
                folder = self.folder / f"program{next(self._numbers)}"
                folder.mkdir()
                program = Program(folder, config)
                nodes.programs.append(program)
                await program.start()
                stack.push_async_callback(program.kill)
            yield nodes

    async def _road(self, row: Row, nodes: Nodes, stack: AsyncExitStack) -> dict[str, str]:
        """What leads to the database, and what is in between."""
        place = urlsplit(nodes.url)
        if row.how is How.POOLER:
            assert place.port is not None, "a server of ours says where it is"
            pooler = stack.enter_context(pgbouncer.running(place.port))
            return {"url": pooler.url(nodes.url), "pooler": "transaction"}
        if row.how is How.CUT_OFF:
            assert place.port is not None, "a server of ours says where it is"
            proxy = await stack.enter_async_context(proxying("127.0.0.1", place.port))
            nodes.proxies.append(proxy)
            user, _, _ = place.netloc.rpartition("@")
            return {"url": place._replace(netloc=f"{user}@127.0.0.1:{proxy.port}").geturl()}
        return {"url": nodes.url}

    @asynccontextmanager
    async def people(self, nodes: Nodes, sizes: Sizes) -> AsyncGenerator[People, None]:
        """Those who write to these nodes, and get an echo; nobody has spoken before."""
        watch = Watch()
        self._around.read_by(watch)
        await self.model.tell("echo")
        people = People(watch, sizes.chats)
        people.move_to(nodes.ports)
        try:
            yield people
        finally:
            people.move_to(())


class Around:
    """What is outside of the program: processes whose logs are read while they write them."""

    def __init__(self) -> None:
        self._watch = Watch()
        self.model: Remote
        self.telegram: Remote
        self.screens = Screens()

    def config(self, number: int, row: Row, *, stream: bool) -> dict[str, Any]:
        """What leads there; each node calls the model by a name of its own."""
        entry = {"use": "openai", "model": f"node{number}", "api_key": "key"}
        hears = {"mode": "polling"} if row.how in LISTENERS else {}
        return {
            "models": {"main": {**entry, "base_url": f"{self.model.url}/v1"}},
            "adapters": {"telegram": self.screens.adapter(stream=stream) | hears},
        }

    def read_by(self, watch: Watch) -> None:
        """Tell this one from now on."""
        self._watch = watch

    def read_model(self, data: bytes) -> None:
        """Pass on what the model's log says."""
        self._watch.model(data)

    def read_telegram(self, data: bytes) -> None:
        """Pass on what Telegram's log says."""
        self._watch.telegram(data)


@asynccontextmanager
async def house(folder: Path) -> AsyncGenerator[House, None]:
    """A house without nodes; its surroundings go with it."""
    around = Around()
    async with (
        watched("model", folder, around.read_model) as around.model,
        watched("telegram", folder, around.read_telegram) as around.telegram,
    ):
        around.screens.url = around.telegram.url
        with ExitStack() as stack:
            yield House(folder, around, stack)


def _config(number: int, database: dict[str, str], log: str) -> dict[str, Any]:
    """All that is the same whoever is asked and whoever asks."""
    port = free_port()
    return {
        "server": {
            "port": port,
            "public_url": f"http://127.0.0.1:{port}",
            "node": f"node{number}",
            "secret": SECRET,
        },
        "database": database,
        "log": {"level": log},
        "plugins": [{"use": "plugins.clock"}, {"use": "plugins.calculator"}],
    }
