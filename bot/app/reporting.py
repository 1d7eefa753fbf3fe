"""Logs and metrics of one process, set up before anything else and undone last."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from bot.app.construction import make_rules, secrets_of
from bot.configload import Loaded
from bot.logs import Logs
from bot.metrics import Metrics
from bot.ports import Clock
from bot.telemetry import Telemetry

VERSION = version("parley")


@dataclass(frozen=True, slots=True)
class Reporting:
    """Who is told what happens."""

    telemetry: Telemetry
    metrics: Metrics
    logs: Logs


@asynccontextmanager
async def reporting(
    loaded: Loaded, clock: Clock, *, quiet: bool = False
) -> AsyncGenerator[Reporting, None]:
    """Take over every log line of this process; `quiet` is for commands that a person reads."""
    log = loaded.settings.log
    logs = Logs(
        format=log.format,
        level="error" if quiet else log.level,
        clock=clock,
        secrets=secrets_of(loaded.settings),
        # An operator's own plugin speaks about its own doings, as the built-in ones do.
        speakers=[module.__name__ for module in loaded.modules.values()],
    )
    logs.install()
    metrics = Metrics(version=VERSION, node=make_rules(loaded.settings).node)
    telemetry = Telemetry(log=logs.logger, metrics=metrics, clock=clock)
    asyncio.get_running_loop().set_exception_handler(telemetry.unhandled)
    try:
        yield Reporting(telemetry, metrics, logs)
    finally:
        logs.uninstall()
