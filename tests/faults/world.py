"""Everything of one fault run: peers, database, nodes, driver, and the folder of their logs."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests import pgbouncer, postgres
from tests.faults.accounting import count_lines, unfinished, write_books, write_metrics
from tests.faults.administrator import configure
from tests.faults.driver import Driver, Sent
from tests.faults.gate import LOG, Door, doors
from tests.faults.marks import Mark, Talk
from tests.faults.node import Node
from tests.faults.placing import placed
from tests.faults.plan import Peers, Plan, config_of, describe
from tests.faults.platforms import TENANTS, platform_of
from tests.faults.proxy import Proxy, proxying
from tests.faults.warm import Warm
from tests.faults.watch import Watch
from tests.peers.log import Log
from tests.peers.process import Remote, started
from tests.ports import free_port

ASKS = 8
"""How often somebody writes again whose answer is held back until then."""
LOOK = 0.2
"""Seconds between two looks whether anything is left to do."""


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
    doors: Sequence[Door] = ()
    """One before the model for each node, in a plan that wants them."""
    over: bool = False
    """Nothing more is to go wrong: what makes trouble brings its last one to an end."""
    forsaken: set[Mark] = field(default_factory=set)
    """Messages that somebody has waited for in vain: dead letters, or the judge will say so."""
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

    @property
    def owed(self) -> Mapping[Mark, Sent]:
        """What is to have an outcome: nothing that was given up, or waited for in vain before."""
        return {
            mark: sent
            for mark, sent in self.driver.sent.items()
            if mark not in self.forsaken and (sent.acknowledged_at or not sent.given_up)
        }

    async def settle(self, within: float | None = None) -> bool:
        """Wait until everything acknowledged has its outcome; False when it took too long."""
        limit = within or self.plan.within
        await self.driver.arrived(limit)
        settled = await self._outcomes(limit)
        if limit >= self.plan.within:
            self.forsake()
        return settled

    def forsake(self) -> None:
        """Wait no longer for what has no outcome by now: the judge says what became of it."""
        self.forsaken |= self.watch.lacking(self.owed).keys()

    async def _outcomes(self, limit: float) -> bool:
        if not self.driver.platform.holds:
            return await self.watch.settled(self.owed, limit)
        sure = False
        for _ in range(ASKS):
            settled = await self.watch.settled(self.owed, limit / ASKS)
            if settled and sure:
                return True
            owed = self.owed
            waiting = self.watch.unanswered(owed) if settled else self.watch.lacking(owed).keys()
            # An answer to what is written now comes behind everything that was held back.
            sure = settled
            for talk in {mark.talk for mark in waiting}:
                self.driver.begin(talk)
            await self.driver.arrived(limit)
        return await self.watch.settled(self.owed, limit / ASKS)

    async def start(self) -> None:
        """Start every node."""
        await asyncio.gather(*(node.start() for node in self.nodes))

    async def finish(self) -> None:
        """Stop every node in good order and write down what the database has counted."""
        await self._worked_off()
        self.log.write("over")
        for node in self.nodes:
            if node.alive:
                await write_metrics(node, self.folder)
            await node.finish()
        await write_books(self.url, self.folder)
        peers = {"model.jsonl": self.model} | {
            f"bot-{tenant}.jsonl": bot for tenant, bot in self.bots.items()
        }
        lines = await count_lines(self.folder, peers)
        if self.doors:
            lines[LOG] = _last(self.doors[0].log)
        self.log.write("finished", lines=lines | {"driver.jsonl": _last(self.driver.log)})

    async def _worked_off(self) -> None:
        """Wait for what is left to do: a sentence on a screen may be for another than it seems."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan.within):
                while await self._is_at_work():  # noqa: ASYNC110  # other processes are
                    await asyncio.sleep(LOOK)

    async def _is_at_work(self) -> bool:
        return any(node.alive for node in self.nodes) and await unfinished(self.url) > 0


@asynccontextmanager
async def world(
    plan: Plan,
    folder: Path,
    *,
    server: postgres.Server | None = None,
    warm: Warm | None = None,
) -> AsyncGenerator[World, None]:
    """A world in which nothing is started yet but the peers; all of it is gone afterwards."""
    platform = platform_of(plan.platform)
    describe(plan, platform, folder)
    async with AsyncExitStack() as stack:
        log = Log(folder / "events.jsonl", keep=1000)
        stack.callback(log.close)
        url, server = await _database(plan, folder, server, stack)
        bots = {
            tenant: await stack.enter_async_context(
                platform.running(tenant, folder / f"bot-{tenant}.jsonl")
            )
            for tenant in TENANTS
        }
        model = await stack.enter_async_context(
            started(
                *("-m", "tests.faults.model", "--log", str(folder / "model.jsonl")),
                *("--seed", str(plan.seed), "--pause", str(plan.pause)),
            )
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        proxies = await _proxies(plan, url, stack)
        urls = [through(url, "127.0.0.1", proxy.port) for proxy in proxies]
        urls = urls or [through(url, address) for address in plan.addresses] or [url] * plan.nodes
        if plan.pooler and server is not None:
            pooler = stack.enter_context(pgbouncer.running(server.port))
            urls = [pooler.url(url)] * plan.nodes
        before = await _doors(plan, model, folder, stack)
        peers = Peers(model, bots, platform)
        nodes = []
        for number, one in enumerate(urls, 1):
            name, port = f"n{number}", free_port()
            if before:
                peers = replace(peers, model=replace(model, url=before[number - 1].url))
            config = config_of(plan, name, port, one, peers)
            nodes.append(Node(name, folder, config, port, log))
            nodes[-1].module = plan.module
            nodes[-1].environ |= plan.environ
            nodes[-1].warm = warm
        for node in nodes:
            stack.push_async_callback(node.end)
        driving = Log(folder / "driver.jsonl", keep=1000)
        stack.callback(driving.close)
        talks = [Talk(tenant, number) for tenant in TENANTS for number in range(1, plan.talks + 1)]
        driver = Driver(
            lambda: [one.url for one in nodes if one.alive and one.url not in made.hidden],
            platform,
            bots,
            driving,
            session,
            talks,
            seed=plan.seed,
            habits=plan.habits,
        )
        stack.push_async_callback(driver.give_up)
        watch = Watch({tenant: folder / f"bot-{tenant}.jsonl" for tenant in TENANTS})
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
            doors=before,
        )
        try:
            yield made
        finally:
            made.over = True


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
    if plan.settings:
        await configure(url, plan.settings)
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


async def _doors(plan: Plan, model: Remote, folder: Path, stack: AsyncExitStack) -> Sequence[Door]:
    if not plan.doored:
        return ()
    port = urlsplit(model.url).port
    assert port is not None
    return await stack.enter_async_context(doors(plan.nodes, port, folder))


def _last(log: Log) -> int:
    """The number of its newest line."""
    return max((entry.number for entry in log), default=0)


def through(url: str, host: str, port: int | None = None) -> str:
    """The same database over another line, or behind a proxy."""
    place = urlsplit(url)
    return url.replace(f"@{place.hostname}:{place.port}/", f"@{host}:{port or place.port}/")
