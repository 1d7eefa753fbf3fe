"""A room with a terminal in it: the real engine on memory, and a surface made of lists."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import UnionType

from adapters.terminal import Settings, build
from adapters.terminal.adapter import TerminalAdapter
from adapters.terminal.events import Doing, Event, Line, read
from adapters.terminal.talk import Talk, Waits
from adapters.terminal.words import Words
from bot import AdapterContext, Tool
from bot.app.engine import build_engine
from bot.clock import SystemClock
from bot.domain.records import Placement
from bot.engine.audience import Audience
from bot.engine.listening import PatientListeners
from bot.store.codec import JsonCodec
from bot.store.memory import MemoryStore
from tests.engine.house import RULES, ScriptedModel, http
from tests.fakes import RecordingObserver

Events = AsyncGenerator[Mapping[str, object], None]
WAITS = Waits(quiet=0.05, pause=0.01, limit=2.0)


class Room:
    """Engine, adapter and the orders that a terminal may give."""

    def __init__(self, model: ScriptedModel, tools: Sequence[Tool] = ()) -> None:
        self.clock = SystemClock()
        self.observer = RecordingObserver()
        store = MemoryStore(self.clock)
        context = AdapterContext(
            name="terminal",
            tenant="default",
            audience="",
            locale="en",
            public_url=None,
            loopback=True,
            model_configured=True,
            clock=self.clock,
            http=http,
            secret=_no_secret,
            transcript=store,
            listeners=PatientListeners(
                store.listeners(lambda: self.engine.runner.node, "default"),
                store.hints(self.clock),
                self.clock,
            ),
            observer=self.observer,
        )
        adapter = build(Settings(use="adapters.terminal"), context)
        assert isinstance(adapter, TerminalAdapter)
        self.adapter = adapter
        audience = Audience(
            name="",
            persona="You are kind.",
            model=model,
            listed=None,
            max_steps=8,
            deadline=timedelta(seconds=30),
            idle=timedelta(hours=2),
        )
        self.engine = build_engine(
            store=store,
            codec=JsonCodec(),
            adapters={"terminal": adapter},
            audiences={"": audience},
            tools={tool.name: tool for tool in tools},
            rules=RULES,
            clock=self.clock,
            observer=self.observer,
            http=http,
        )
        self.store = store

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Room"]:
        """Run until the block ends."""
        await self.engine.runner.join()
        receive = self.engine.intake(Placement("default", "terminal", ""))
        running = [
            asyncio.ensure_future(self.engine.runner.run()),
            asyncio.ensure_future(self.adapter.listen(receive)),
        ]
        try:
            async with asyncio.timeout(20):
                yield self
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    def call(self, command: str, args: Mapping[str, object]) -> Events:
        """Give an order without a socket."""
        return self.adapter.orders()[command](args)

    async def asked(self, command: str, **args: object) -> list[Event]:
        told = [read(event) async for event in self.call(command, {"chat": "ann", **args})]
        return [event for event in told if event is not None]

    @asynccontextmanager
    async def attached(self, chat: str = "ann") -> AsyncIterator["Watcher"]:
        watcher = Watcher(self.call("chat.attach", {"chat": chat}))
        try:
            yield watcher
        finally:
            await watcher.close()

    def talk(
        self,
        surface: "ListSurface",
        call: Callable[..., Events] | None = None,
        waits: Waits = WAITS,
    ) -> Talk:
        return Talk(call or self.call, surface, Words("en"), chat="ann", waits=waits)


class Watcher:
    """What a terminal is told."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def next(self, kind: type[Event] | UnionType) -> Event:
        """The next event of a kind; others are passed over."""
        async for raw in self._events:
            event = read(raw)
            if isinstance(event, kind):
                return event
        raise AssertionError(f"the stream ended without {kind}")

    async def close(self) -> None:
        with suppress(RuntimeError):
            await self._events.aclose()


class ListSurface:
    """A person who writes these lines and leaves, or stays and says nothing more."""

    def __init__(self, *lines: str, stays: bool = False, presses: int = 1) -> None:
        self._lines = lines
        self._stays = stays
        self._presses = presses
        self.resting = False
        self.earlier: list[str] = []
        self.model = True
        self.grown: list[str] = []
        self.calls: list[tuple[Doing, ...]] = []
        self.said: list[str] = []
        self.choices: list[tuple[str, ...]] = []
        self.notices: list[str] = []
        self.forgotten = 0

    async def lines(self) -> AsyncGenerator[str, None]:
        for line in self._lines:
            yield line
        if self._stays:
            self.resting = True
            await asyncio.Event().wait()

    def interrupted(self) -> bool:
        self._presses -= 1
        return self._presses == 0

    def welcome(self, chat: str, earlier: Sequence[Line], *, model: bool) -> None:
        self.earlier = [line.text for line in earlier]
        self.model = model

    def grow(self, text: str, calls: Sequence[Doing]) -> None:
        self.grown.append(text)
        self.calls.append(tuple(calls))

    def say(self, text: str, choices: Sequence[str] = ()) -> None:
        self.said.append(text)
        self.choices.append(tuple(choices))

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def forget(self) -> None:
        self.forgotten += 1


async def _no_secret() -> bytes:
    return b"secret"
