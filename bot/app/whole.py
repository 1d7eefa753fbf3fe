"""One whole application over an open store: adapters, models, tools, engine, schedule."""

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.request import getproxies

from pydantic import SecretStr

from bot.app.construction import (
    LOOPBACK,
    Models,
    examples_of,
    make_adapters,
    make_audiences,
    make_rules,
    with_terminal,
)
from bot.app.engine import Engine, build_engine
from bot.app.reporting import Reporting
from bot.app.stores import control_path
from bot.app.toolset import make_tools
from bot.configload import Loaded
from bot.control import ControlServer
from bot.domain.records import Placement, Retention
from bot.engine import upkeep
from bot.engine.listening import PatientListeners
from bot.engine.plugins import AbsentPlugin
from bot.engine.signalling import KEPT, Signalling
from bot.orders import store_orders
from bot.ports import (
    Adapter,
    AdapterContext,
    Clock,
    Opens,
    Order,
    Probes,
    Receive,
    Store,
    TakesOrders,
)
from bot.probing import Probing
from bot.scheduler import Job, Schedule, Scope
from bot.store.codec import JsonCodec
from bot.telemetry import Telemetry

if TYPE_CHECKING:
    from aiohttp import ClientSession

CONNECTIONS = 1000
"""Open at once towards platforms, and as many towards what tools ask; aiohttp's default is 100."""


@dataclass(frozen=True, slots=True)
class App:
    """Everything of one process, by name; `built` makes it."""

    loaded: Loaded
    store: Store
    engine: Engine
    adapters: Mapping[str, Adapter]
    placements: Mapping[str, Placement]
    models: Models
    telemetry: Telemetry
    probing: Probing
    clock: Clock
    wall: Clock
    absent: Sequence[AbsentPlugin] = ()

    def intake(self, name: str) -> Receive:
        """Where an adapter hands over what it receives."""
        return self.engine.intake(self.placements[name])

    def orders(self) -> Mapping[str, Order]:
        """What the control socket takes."""
        found = dict(store_orders(self.store, self.engine.runner.ring))
        found["probe"] = self.probing.order
        for adapter in self.adapters.values():
            if isinstance(adapter, TakesOrders):
                found |= adapter.orders()
        return found

    def schedule(self) -> Schedule:
        """What is done from time to time, on whichever node claims the tick."""
        return Schedule(
            self._jobs(),
            ticks=self.store,
            node=lambda: self.engine.runner.node,
            clock=self.clock,
            wall=self.wall,
            observer=self.telemetry,
        )

    async def open(self, stack: AsyncExitStack) -> None:
        """Take the node's epoch, then open what has connections, the control socket last."""
        await self.engine.runner.join()
        stack.push_async_callback(self.engine.runner.leave)
        for one in (*self.models.clients.values(), *self.adapters.values()):
            if isinstance(one, Opens):
                await one.open()
                stack.push_async_callback(one.close)
        path = control_path(self.loaded)
        if path is not None:
            control = ControlServer(path, self.orders(), self.telemetry)
            await control.open()
            stack.push_async_callback(control.close)

    def _jobs(self) -> Sequence[Job]:
        session, outbox = self.loaded.settings.session, self.loaded.settings.outbox
        rules = Retention(session.journal.total_seconds(), session.retain.total_seconds())
        store, telemetry, minute = self.store, self.telemetry, timedelta(minutes=1)
        sweep = partial(upkeep.end_idle_sessions, self.engine.sessions, telemetry)
        retain = partial(upkeep.drop_what_is_old, store, rules, telemetry, self.clock)
        expire = partial(upkeep.expire_answers, store, outbox.hold, self._adapter_of, telemetry)
        return (
            Job("sessions", minute, sweep),
            Job("retention", 60 * minute, retain),
            Job("outbox", minute, expire),
            Job("repair", minute, self._repair),
            *self._signal_jobs(),
            Job("counts", minute / 4, self._count, scope=Scope.EVERY_NODE),
            Job("probes", minute, self.probing.run, scope=Scope.EVERY_NODE),
        )

    def _signal_jobs(self) -> Sequence[Job]:
        if self.engine.signalling is None:
            return ()
        drop = partial(self.store.drop_signals, KEPT)
        return (Job("signals", timedelta(minutes=1), drop),)

    async def _repair(self) -> None:
        await upkeep.wake_sleepers(self.store, self.telemetry)
        self.engine.runner.ring()

    async def _count(self) -> None:
        self.telemetry.observe_store(await self.store.health())

    def _adapter_of(self, address: object) -> str:
        platform = str(address).partition(":")[0]
        found = [name for name, one in self.adapters.items() if one.platform == platform]
        return found[0] if len(found) == 1 else platform


@asynccontextmanager
async def built(
    loaded: Loaded,
    store: Store,
    reporting: Reporting,
    clock: Clock,
    *,
    wall: Clock | None = None,
    alone: bool = False,
) -> AsyncGenerator[App, None]:
    """Put it together; nothing of it is begun yet. `alone` leaves out all but the terminal.

    Adapters are given the `wall`'s time, where it is another: platforms sign theirs.
    """
    loaded = with_terminal(loaded, alone=alone)
    settings, telemetry = loaded.settings, reporting.telemetry
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(_http())
        # Their own: a plugin's backend that hangs takes no connection from sends and polls.
        tools_http = await stack.enter_async_context(_http())
        toolset = make_tools(loaded)
        for one in toolset.absent:
            reporting.logs.logger.warning(
                "plugin.absent", place=one.place, use=one.use, why=one.why
            )
        tools = toolset.tools
        rules = make_rules(settings, alone=alone)
        # One for each conversation: whoever waited for one would look like a silent provider.
        models = Models(settings, clock, telemetry, connections=rules.most)
        audiences = make_audiences(settings, toolset, models)
        signalling = (
            Signalling(store, node=rules.node, clock=clock, observer=telemetry)
            if rules.polls
            else None
        )
        engines: list[Engine] = []
        hints = store.hints(clock)

        def context(name: str) -> AdapterContext:
            entry = settings.adapters[name]
            return AdapterContext(
                name=name,
                tenant=entry.tenant,
                audience=entry.audience or "",
                locale=settings.locale,
                public_url=settings.server.public_url,
                loopback=settings.server.host in LOOPBACK,
                model_configured=models.configured,
                clock=wall or clock,
                http=http,
                secret=partial(_secret, settings.server.secret, store, reporting),
                transcript=store,
                # an adapter asks only once it is open, when the engine is long there
                listeners=PatientListeners(
                    store.listeners(lambda: engines[0].runner.node, entry.tenant), hints, clock
                ),
                observer=telemetry,
                max_size=settings.intake.max_size,
                examples=examples_of(audiences[entry.audience or ""], tools),
                elsewhere=None if signalling is None else signalling.elsewhere(entry.tenant),
                sure=lambda: engines[0].runner.sure,
            )

        adapters, placements = make_adapters(loaded, context)
        engine = build_engine(
            store=store,
            codec=JsonCodec(),
            adapters=adapters,
            audiences=audiences,
            tools=tools,
            rules=rules,
            clock=clock,
            observer=telemetry,
            http=tools_http,
            signalling=signalling,
            hints=hints,
        )
        engines.append(engine)
        probing = Probing(
            _probes(models, adapters),
            clock=clock,
            observer=telemetry,
            locale=settings.locale,
            report=telemetry.observe_probes,
        )
        stack.push_async_callback(probing.close)
        yield App(
            loaded,
            store,
            engine,
            adapters,
            placements,
            models,
            telemetry,
            probing,
            clock,
            wall or clock,
            toolset.absent,
        )


@asynccontextmanager
async def _http() -> "AsyncGenerator[Callable[[], ClientSession], None]":
    import aiohttp  # noqa: PLC0415  # a third of a second that `parley --help` need not pay

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    # Only where it names a proxy: aiohttp reads the environment and ~/.netrc again for every
    # request, in a thread, which costs as much as the request itself.
    session = aiohttp.ClientSession(connector=connector, trust_env=bool(getproxies()))
    try:
        yield lambda: session
    finally:
        await session.close()


def _probes(models: Models, adapters: Mapping[str, Adapter]) -> dict[str, Probes]:
    named = {f"model {name}": model for name, model in models.clients.items()} | dict(adapters)
    return {name: one for name, one in named.items() if isinstance(one, Probes)}


async def _secret(configured: SecretStr | None, store: Store, reporting: Reporting) -> bytes:
    """What signs cookies: configured, or made once and kept, the same on every node."""
    if configured is not None:
        return configured.get_secret_value().encode()
    made = await store.put_setting("server.secret", secrets.token_hex(32))
    reporting.logs.hide(made)
    return made.encode()
