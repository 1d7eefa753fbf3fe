"""Everything of one fault run: peers, database, nodes, driver, and the folder of their logs."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp

from tests import postgres
from tests.faults.accounting import count_lines, write_books, write_metrics
from tests.faults.driver import ADAPTERS, SECRET, Driver, Habits
from tests.faults.marks import Talk
from tests.faults.node import Node
from tests.faults.placing import placed
from tests.faults.proxy import Proxy, proxying
from tests.faults.warm import Warm
from tests.faults.watch import Watch
from tests.journeys.program import free_port
from tests.peers.log import Log
from tests.peers.process import Remote, running, started

Store = Literal["sqlite", "postgres"]
TOKENS = {"a": "111111111:FAULTS-alpha-token-xxxx", "b": "222222222:FAULTS-beta-token-xxxxx"}
KEY = "fault-run-model-key"
STREAMS = {"a": "draft", "b": "edit"}
"""One bot's answers grow in drafts that are no messages, the other's in edited messages."""
PLUGINS = Path(__file__).with_name("plugins")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a row asks of its world."""

    row: str
    store: Store
    nodes: int = 1
    talks: int = 8
    """Conversations with each bot."""
    seed: int = 1
    lease: float = 2.0
    within: float = 60.0
    """Seconds after its acceptance in which a message must have its outcome."""
    pause: float = 0.05
    ambiguous: Literal["repeat", "report"] = "repeat"
    reports: bool = False
    """Whether a sentence that says why there is no answer is expected at all."""
    least: float = 0.9
    """The part of the messages that must have an answer, and not only a sentence."""
    silence: float | None = None
    """Seconds of silence that the model is allowed; None: longer than any freeze of a node."""
    calm: bool = False
    """Whether nothing may run twice: no step is in flight when a node ends."""
    plugins: Sequence[str] = ("ledger",)
    proxied: bool = False
    """Whether each node reaches PostgreSQL through a proxy of its own."""
    database: str = "parley.db"
    """SQLite's file, in the folder of the world."""
    space: Path | None = None
    """Where PostgreSQL is to keep the tables; its log stays where it is."""
    module: str = "bot"
    """What each node runs."""
    habits: Habits = field(default_factory=Habits)
    changes: Mapping[str, Any] = field(default_factory=dict)

    def leased(self, lease: float) -> "Plan":
        """The same with this lease; whoever waits for it is given the time for it."""
        return replace(self, lease=lease, within=self.within + LEASES * (lease - self.lease))

    @property
    def patience(self) -> float:
        """Seconds for which a turn may stand still: in the longest freeze nothing gives up."""
        return max(15.0, LEASES * self.lease)


LEASES = 4
"""So many leases an outcome may take longer: the longest freeze is three, the partition four."""


@dataclass(slots=True)
class World:
    """A run that goes on."""

    plan: Plan
    folder: Path
    url: str
    nodes: list[Node]
    model: Remote
    bots: Mapping[str, Remote]
    driver: Driver
    log: Log
    watch: Watch
    server: postgres.Server | None
    proxies: Sequence[Proxy] = ()
    """One before the database for each node, in a plan that wants them."""
    over: bool = False
    """Nothing more is to go wrong: what makes trouble brings its last one to an end."""
    hidden: set[str] = field(default_factory=set)
    """Addresses of nodes that the platform does not deliver to just now."""

    @property
    def node(self) -> Node:
        """The only one, or the first."""
        return self.nodes[0]

    @property
    def talks(self) -> Sequence[Talk]:
        """Every conversation."""
        return self.driver.talks

    async def settle(self, within: float | None = None) -> bool:
        """Wait until everything acknowledged has its outcome; False when it took too long."""
        limit = within or self.plan.within
        await self.driver.arrived(limit)
        return await self.watch.settled(self.driver.sent, limit)

    async def start(self) -> None:
        """Start every node."""
        await asyncio.gather(*(node.start() for node in self.nodes))

    async def finish(self) -> None:
        """Stop every node in good order and write down what the database has counted."""
        self.log.write("over")
        for node in self.nodes:
            if node.alive:
                await write_metrics(node, self.folder)
                await node.stop()
        await write_books(self.url, self.folder)
        peers = {"model.jsonl": self.model} | {
            f"bot-{tenant}.jsonl": bot for tenant, bot in self.bots.items()
        }
        lines = await count_lines(self.folder, peers)
        self.log.write("finished", lines=lines | {"driver.jsonl": _last(self.driver.log)})


@asynccontextmanager
async def world(
    plan: Plan,
    folder: Path,
    *,
    server: postgres.Server | None = None,
    warm: Warm | None = None,
) -> AsyncGenerator[World, None]:
    """A world in which nothing is started yet but the peers; all of it is gone afterwards."""
    _describe(plan, folder)
    async with AsyncExitStack() as stack:
        log = Log(folder / "events.jsonl", keep=1000)
        stack.callback(log.close)
        url, server = await _database(plan, folder, server, stack)
        bots = {
            tenant: await stack.enter_async_context(
                running("telegram", "--token", token, log=folder / f"bot-{tenant}.jsonl")
            )
            for tenant, token in TOKENS.items()
        }
        model = await stack.enter_async_context(
            started(
                *("-m", "tests.faults.model", "--log", str(folder / "model.jsonl")),
                *("--seed", str(plan.seed), "--pause", str(plan.pause)),
            )
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        proxies = await _proxies(plan, url, stack)
        urls = [through(url, proxy) for proxy in proxies] or [url] * plan.nodes
        peers = Peers(model, bots)
        nodes = []
        for number, one in enumerate(urls, 1):
            name, port = f"n{number}", free_port()
            config = config_of(plan, name, port, one, peers)
            nodes.append(Node(name, folder, config, port, log))
            nodes[-1].module = plan.module
            nodes[-1].warm = warm
        for node in nodes:
            stack.push_async_callback(node.kill, "the run is over")
        driving = Log(folder / "driver.jsonl", keep=1000)
        stack.callback(driving.close)
        talks = [Talk(tenant, number) for tenant in TOKENS for number in range(1, plan.talks + 1)]
        driver = Driver(
            lambda: [one.url for one in nodes if one.alive and one.url not in made.hidden],
            driving,
            session,
            talks,
            seed=plan.seed,
            habits=plan.habits,
        )
        stack.push_async_callback(driver.give_up)
        watch = Watch({tenant: folder / f"bot-{tenant}.jsonl" for tenant in TOKENS})
        made = World(
            plan=plan,
            folder=folder,
            url=url,
            nodes=nodes,
            model=model,
            bots=bots,
            driver=driver,
            log=log,
            watch=watch,
            server=server,
            proxies=proxies,
        )
        yield made


def _describe(plan: Plan, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "row": plan.row,
        "store": plan.store,
        "nodes": plan.nodes,
        "seed": plan.seed,
        "lease": plan.lease,
        "within": plan.within,
        "ambiguous": plan.ambiguous,
        "reports": plan.reports,
        "calm": plan.calm,
        "least": plan.least,
        "window": WINDOW,
        "editing": [tenant for tenant, stream in STREAMS.items() if stream == "edit"],
        "secrets": [SECRET, KEY, *TOKENS.values()],
    }
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")


WINDOW = 40


async def _database(
    plan: Plan, folder: Path, server: postgres.Server | None, stack: AsyncExitStack
) -> tuple[str, postgres.Server | None]:
    if plan.store == "sqlite":
        return f"sqlite:///{folder}/{plan.database}", None
    if server is None:
        server = stack.enter_context(postgres.running())
    url = await server.create()
    if plan.space is not None:
        await stack.enter_async_context(placed(server, url, plan.space))
    stack.push_async_callback(server.drop, url)
    return url, server


async def _proxies(plan: Plan, url: str, stack: AsyncExitStack) -> list[Proxy]:
    if not plan.proxied:
        return []
    place = urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    host, port = place.hostname, place.port
    return [await stack.enter_async_context(proxying(host, port)) for _ in range(plan.nodes)]


def _last(log: Log) -> int:
    """The number of its newest line."""
    return max((entry.number for entry in log), default=0)


def through(url: str, proxy: Proxy) -> str:
    """The same database behind a proxy."""
    place = urlsplit(url)
    return url.replace(f"@{place.hostname}:{place.port}/", f"@127.0.0.1:{proxy.port}/")


@dataclass(frozen=True, slots=True)
class Peers:
    """Whom the nodes speak to."""

    model: Remote
    bots: Mapping[str, Remote]


def config_of(plan: Plan, name: str, port: int, url: str, peers: Peers) -> dict[str, Any]:
    """One node's configuration; nodes differ by name, port and the name they give their model."""
    silence = plan.patience if plan.silence is None else plan.silence
    config: dict[str, Any] = {
        "server": {
            "port": port,
            "node": name,
            "public_url": "http://127.0.0.1:9",
            "grace": "25s",
        },
        "database": {"url": url, "lease": f"{plan.lease:g}s"},
        "log": {"format": "json"},
        "models": {
            "main": {
                "use": "openai",
                "model": name,
                "api_key": KEY,
                "base_url": f"{peers.model.url}/v1",
                "first_token": f"{silence:g}s",
                "gap": f"{silence:g}s",
            }
        },
        "answer": {"deadline": f"{2 * plan.patience:g}s"},
        "session": {"window": {"messages": WINDOW, "tokens": 100_000}},
        "outbox": {"ambiguous": plan.ambiguous},
        "adapters": {
            ADAPTERS[tenant]: {
                "use": "adapters.telegram",
                "mode": "webhook",
                "tenant": ADAPTERS[tenant],
                "token": TOKENS[tenant],
                "webhook_secret": SECRET,
                "stream": STREAMS[tenant],
                "base_url": bot.url,
                "timeout": "5s",
                "per_second": 0,
                "chat_per_second": 0,
                "group_per_minute": 0,
            }
            for tenant, bot in peers.bots.items()
        },
        "plugins": [{"use": str(PLUGINS / f"{plugin}.py")} for plugin in plan.plugins],
    }
    for place, value in plan.changes.items():
        section, _, key = place.partition(".")
        config.setdefault(section, {})[key] = value
    return config
