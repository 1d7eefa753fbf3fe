"""The life of a server process: start, say where, work, drain, close in reverse."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot.app.construction import make_rules
from bot.app.descriptors import open_enough
from bot.app.reporting import VERSION, Reporting, reporting
from bot.app.stores import make_store
from bot.app.whole import App, built
from bot.clock import SystemClock, steady
from bot.configload import Loaded
from bot.domain.address import Address
from bot.engine.listening import keep_listening
from bot.engine.runner import LeaseLost
from bot.errors import ConfigError
from bot.faults import point_of, standing_still
from bot.pages import Pages, Sources
from bot.ports import Listens, Order, Serves
from bot.readiness import Readiness
from bot.server import Site
from bot.serving import Server
from bot.watchdog import watching

GC_THRESHOLDS = (50_000, 10, 10)
"""Objects between collections of the youngest generation: a quarter less CPU than at 700,
measured on this very path. What outlives one is looked at every half minute under load, what
outlives that every five; at 50 and 100 the oldest was never looked at, and grew."""


async def serve(loaded: Loaded) -> int:
    """Run until a signal, or until this node has lost its name; the exit code."""
    wall = SystemClock()
    clock = steady(wall)
    async with AsyncExitStack() as stack:
        told = await stack.enter_async_context(reporting(loaded, wall))
        open_enough(make_rules(loaded.settings), told)
        store = make_store(loaded, clock)
        await store.open()
        stack.push_async_callback(store.close)
        store = standing_still("store", store, point_of(os.environ))
        app = await stack.enter_async_context(built(loaded, store, told, clock, wall=wall))
        server = Server(host=loaded.settings.server.host, port=loaded.settings.server.port)
        # Before the epoch is taken: a second start on this port ends here, and not the first one.
        await server.bind()
        stack.callback(server.release)
        await app.open(stack)
        readiness = Readiness(store.writable, clock)
        site = _site(app, told, readiness)
        stack.push_async_callback(server.stop)
        await server.start(site, hang_up=site.hang_up)
        _settle_memory()
        _announce(app, server.url)
        async with watching(loaded.settings.database.lease.total_seconds(), clock):
            return await _live(app, readiness)


@dataclass(frozen=True, slots=True)
class Alone:
    """An engine in the background: what it can be asked, and the task that runs until its end."""

    orders: Mapping[str, Order]
    working: "asyncio.Task[None]"


@asynccontextmanager
async def background(loaded: Loaded, chat: str) -> AsyncGenerator[Alone, None]:
    """The engine and the terminal without HTTP or platforms, for a `parley chat` on its own."""
    wall = SystemClock()
    clock = steady(wall)
    async with AsyncExitStack() as stack:
        told = await stack.enter_async_context(reporting(loaded, wall, quiet=True))
        store = make_store(loaded, clock)
        await store.open()
        stack.push_async_callback(store.close)
        app = await stack.enter_async_context(
            built(loaded, store, told, clock, wall=wall, alone=True)
        )
        await app.open(stack)
        await _take_up(app, chat)
        working = asyncio.create_task(_run(app, asyncio.Event()))
        try:
            yield Alone(app.orders(), working)
        finally:
            await app.engine.runner.drain(loaded.settings.server.grace)
            await app.engine.runner.cut()
            working.cancel()
            await asyncio.wait({working})


async def _take_up(app: App, chat: str) -> None:
    """What an earlier chat of this name has left undone is ours to go on with."""
    if app.engine.owned is None:
        return
    for name, adapter in app.adapters.items():
        address = Address(adapter.platform, adapter.account or "", chat)
        found = await app.store.conversation(app.placements[name].tenant, address)
        if found is not None:
            app.engine.owned.add(found.id)


def _site(app: App, told: Reporting, readiness: Readiness) -> Site:
    settings = app.loaded.settings
    token = settings.server.token
    sources = Sources(
        metrics=told.metrics.text,
        probes=lambda: app.probing.found,
        store=lambda: told.telemetry.store_health,
        listeners=lambda: told.telemetry.listeners,
        absent=[{"place": one.place, "use": one.use, "why": one.why} for one in app.absent],
    )
    pages = Pages(
        sources,
        readiness,
        node=app.engine.runner.node.name,
        version=VERSION,
        clock=app.clock,
        token=None if token is None else token.get_secret_value(),
    )
    return Site(
        adapters={
            name: adapter.asgi(app.intake(name))
            for name, adapter in app.adapters.items()
            if isinstance(adapter, Serves)
        },
        front=next((name for name, one in app.adapters.items() if one.platform == "web"), None),
        own=pages.apps(),
        observer=told.telemetry,
        max_size=settings.intake.max_size,
    )


async def _live(app: App, readiness: Readiness) -> int:
    """Work until told to stop, then drain: no new turns, running ones within the grace time."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    working = asyncio.create_task(_work(app, stop), name="work")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return _verdict(working)
        readiness.drain()
        await _drain(app)
    finally:
        for task in (stopping, working):
            task.cancel()
        await asyncio.wait({stopping, working})
    # Before the last requests here are over: other nodes need not wait for those.
    await app.engine.runner.leave()
    return 0


async def _drain(app: App) -> None:
    runner, telemetry = app.engine.runner, app.telemetry
    telemetry.draining(running=runner.running)
    await runner.drain(app.loaded.settings.server.grace)
    telemetry.drained(left=runner.running)
    await runner.cut()


def _verdict(working: "asyncio.Task[None]") -> int:
    error = working.exception()
    if isinstance(error, LeaseLost):
        sys.stderr.write(f"parley: {error}; this process stops\n")
        return 1
    if error is not None:
        raise _wrong_setting(error) or error
    return 0


def _wrong_setting(error: BaseException) -> BaseException | None:
    """What the operator can mend, among all that went wrong at once."""
    found = error.subgroup(ConfigError) if isinstance(error, BaseExceptionGroup) else None
    first: BaseException | None = found
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _work(app: App, stop: asyncio.Event) -> None:
    """Everything that goes on by itself."""
    schedule = app.schedule()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_run(app, stop))
            group.create_task(app.telemetry.watch_loop())
            await schedule.start()
    except* LeaseLost as lost:
        raise lost.exceptions[0] from None
    finally:
        await schedule.stop()


async def _run(app: App, stop: asyncio.Event) -> None:
    """The lanes, and until the stop whoever listens: another node's listener goes on at once."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(app.engine.runner.run())
            group.create_task(app.engine.hints.run())
            group.create_task(app.engine.signal())
            for name, adapter in app.adapters.items():
                if isinstance(adapter, Listens):
                    listening = keep_listening(
                        name,
                        adapter,
                        app.intake(name),
                        clock=app.clock,
                        observer=app.telemetry,
                    )
                    group.create_task(_until(stop, listening))
    except* LeaseLost as lost:
        raise lost.exceptions[0] from None


async def _until(stop: asyncio.Event, listening: Coroutine[Any, Any, None]) -> None:
    """Listen until the stop; a listener that ends before it does not do so unnoticed."""
    tasks = {asyncio.ensure_future(listening), asyncio.ensure_future(stop.wait())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _settle_memory() -> None:
    """What is loaded by now stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _announce(app: App, url: str) -> None:
    """The one thing that is written for the person who started it."""
    path = app.loaded.path
    lines = [
        f"Parley {VERSION} is listening on {url}",
        f"  configuration: {path if path is not None else 'none, the defaults'}",
    ]
    if not app.models.configured:
        lines.append(
            "  No language model is configured: set OPENAI_API_KEY, or run `parley init`. "
            "Until then plugins are picked by their examples."
        )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
