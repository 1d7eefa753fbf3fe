"""A whole application in this process: from a configuration's mapping, on a clock that we move."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

from bot import Address, Inbound, Kind, Message, Role, Sender, Text
from bot.app.reporting import reporting
from bot.app.whole import App, built
from bot.configload import load
from bot.ports import Store
from bot.store.memory import MemoryStore
from tests.fakes import FakeClock, until
from tests.journeys.listed import Listed
from tests.peers.model import ModelPeer

ANN, BOB = Sender("ann", "Ann"), Sender("bob", "Bob")
PATIENCE = 30.0


@dataclass
class Inside:
    """The application, and the people who write to it."""

    app: App
    clock: FakeClock
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    working: "asyncio.Task[None] | None" = None

    def platform(self, name: str = "list") -> Listed:
        """Where the answers of one adapter arrive."""
        return cast(Listed, self.app.adapters[name])

    async def say(
        self, text: str, *, sender: Sender = ANN, adapter: str = "list", **values: Any
    ) -> None:
        """Somebody says something, in the direct chat of that adapter if nothing else is said."""
        n = next(self.numbers)
        message = Message(
            Role.USER, (Text(text),), self.clock.now(), sender=sender, platform_id=f"p{n}"
        )
        address = Address("list", adapter, values.pop("chat", "room"))
        kind = Kind.COMMAND if text.startswith("/") else Kind.MESSAGE
        inbound = Inbound(f"e{n}", address, sender, message, kind=kind, **values)
        await self.app.intake(adapter)(inbound)

    async def ask(self, text: str, **values: Any) -> str:
        """Say something and wait; the newest of what came back."""
        adapter = values.get("adapter", "list")
        before = len(self.platform(adapter).sent)
        await self.say(text, **values)
        return (await self.has_sent(before + 1, adapter))[-1]

    async def has_sent(self, number: int, adapter: str = "list") -> list[str]:
        """What an adapter has sent, once there is so much and nothing is under way."""
        await until(lambda: len(self.platform(adapter).sent) >= number, PATIENCE)
        await self.at_rest()
        return self.platform(adapter).texts

    async def at_rest(self) -> None:
        """Wait until no lane is held."""
        await until(lambda: not self.app.engine.runner.running, PATIENCE)

    async def later(self, seconds: float) -> None:
        """Let time pass; a lease that ran out in it is taken anew."""
        self.clock.advance(seconds)
        await self.at_rest()

    async def tick(self, name: str) -> None:
        """What the schedule would do now."""
        schedule = self.app.schedule()
        (job,) = (job for job in schedule._jobs if job.name == name)
        await schedule.fire(job)

    async def wake_up(self) -> None:
        """Begin to answer."""
        await self.app.engine.runner.join()
        self.working = asyncio.create_task(self.app.engine.runner.run())

    async def fall_asleep(self) -> None:
        """Stop in the middle of everything."""
        if self.working is not None:
            self.working.cancel()
            await asyncio.wait([self.working])


@asynccontextmanager
async def inside(
    folder: Path,
    *models: ModelPeer,
    clock: FakeClock | None = None,
    store: Store | None = None,
    awake: bool = True,
    quiet: bool = True,
    **config: Any,
) -> AsyncGenerator[Inside, None]:
    """An application of this configuration; the peers are its models `main`, `second`, …."""
    clock = clock or FakeClock()
    names = ("main", "second", "third")
    served = {name: openai(model) for name, model in zip(names, models, strict=False)}
    whole = {
        "database": {"url": f"sqlite:///{folder}/parley.db"},
        "models": served or {"main": {"use": "offline"}},
        "adapters": {"list": {"use": "tests.journeys.listed"}},
        "plugins": [],
    } | config
    path = folder / "config.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    loaded = load(path, {}, folder)
    store = store or MemoryStore(clock)
    async with (
        reporting(loaded, clock, quiet=quiet) as told,
        built(loaded, store, told, clock) as app,
    ):
        found = Inside(app, clock)
        if awake:
            await found.wake_up()
        try:
            yield found
        finally:
            await found.fall_asleep()
            for model in app.models.clients.values():
                await model.close()


def openai(peer: ModelPeer, **more: Any) -> dict[str, Any]:
    """A peer as an entry under `models`."""
    entry = {"use": "openai", "model": "stand-in", "api_key": "key", "base_url": peer.base_url}
    return entry | more
