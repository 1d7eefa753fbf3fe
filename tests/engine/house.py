"""A whole engine on the in-memory store, with a scripted model and a platform made of lists."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from bot import (
    Activity,
    Address,
    Ambiguous,
    Inbound,
    Kind,
    Message,
    Outbound,
    Permanent,
    Role,
    Sender,
    Sent,
    Text,
    Tool,
    TurnId,
    Usage,
)
from bot.app.engine import Engine, Rules, build_engine
from bot.domain.model import Delta, Finished, Reason, Request, TextDelta, ToolCallDelta
from bot.domain.records import Placement
from bot.engine.audience import Audience
from bot.engine.outbox import AmbiguousPolicy
from bot.engine.signalling import Signalling
from bot.engine.taking import Limits
from bot.ports import Store
from bot.store.codec import JsonCodec
from bot.store.memory import MemoryStore
from tests.fakes import FakeClock, RecordingObserver, until

Script = Callable[[Request], AsyncGenerator[Delta, None]]


def says(*chunks: str, usage: Usage | None = None) -> Script:
    """A model's whole reply: these pieces of text, then the end."""

    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        for chunk in chunks:
            yield TextDelta(chunk)
        if usage is not None:
            yield usage
        yield Finished(Reason.STOP, "main")

    return script


def calls(*wanted: tuple[str, str]) -> Script:
    """A reply that asks for functions: (name, arguments) each."""

    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        for n, (name, arguments) in enumerate(wanted):
            yield ToolCallDelta(f"call{n}", name, arguments)
        yield Finished(Reason.TOOLS, "main")

    return script


def echo(request: Request) -> AsyncGenerator[Delta, None]:
    """Answers with what was said last."""
    return says(f"you said: {request.messages[-1].text}")(request)


class ScriptedModel:
    """Plays its scripts in order, then echoes; keeps every request."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.requests: list[Request] = []
        self.open = 0
        self.most_open = 0

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        script = self.scripts.pop(0) if self.scripts else echo
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            async for delta in script(request):
                yield delta
        finally:
            self.open -= 1


class Gate:
    """A script that says something, then waits until a test lets it go on."""

    def __init__(self, before: str = "", after: str = "done") -> None:
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()
        self.closed = asyncio.Event()
        self._before = before
        self._after = after

    async def __call__(self, request: Request) -> AsyncGenerator[Delta, None]:
        try:
            if self._before:
                yield TextDelta(self._before)
            self.reached.set()
            await self.let_go.wait()
            yield TextDelta(self._after)
            yield Finished(Reason.STOP, "main")
        finally:
            self.closed.set()


@dataclass
class ListDraft:
    """A draft that keeps what it showed."""

    platform: "ListPlatform"
    address: Address
    turn: TurnId
    sent: Sent | None
    shown: list[str] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    abandoned: bool = False
    left: bool = False

    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        self.shown.append(text)
        self.activities = list(activities)
        self.platform.bell.set()

    async def finish(self, piece: Outbound) -> Sent:
        return await self.platform.take(piece, self.sent)

    async def abandon(self) -> None:
        self.abandoned = True

    def leave(self) -> None:
        self.left = True


class ListPlatform:
    """An adapter made of lists; `faults` are raised by the next sends, in order."""

    platform = "list"
    account = "me"

    def __init__(self, name: str = "list", *, limit: int = 10_000, drafts: str = "off") -> None:
        self.name = name
        self.limit = limit
        self.drafts_mode = drafts
        self.sent: list[Outbound] = []
        self.faults: list[BaseException] = []
        self.taken_although_lost: list[Outbound] = []
        self.before_send: Callable[[Outbound], Awaitable[None]] | None = None
        self.drafts: list[ListDraft] = []
        self.bell = asyncio.Event()

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        text = outbound.text
        cut = [text[i : i + self.limit] for i in range(0, len(text), self.limit)]
        return [replace(outbound, text=part) for part in cut]

    async def send(self, piece: Outbound) -> Sent:
        return await self.take(piece, None)

    async def take(self, piece: Outbound, sent: Sent | None) -> Sent:
        if self.before_send is not None:
            await self.before_send(piece)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Ambiguous):
                self.taken_although_lost.append(piece)
            self.bell.set()
            raise fault
        self.sent.append(piece)
        self.bell.set()
        return sent or Sent(f"m{len(self.sent)}")

    def watched(self, address: Address) -> bool:
        return self.drafts_mode != "off"

    def draft_is_message(self, address: Address) -> bool:
        return self.drafts_mode == "message"

    async def draft(
        self,
        address: Address,
        *,
        turn: TurnId,
        reply_to: str | None,
        resume: Sent | None,
        opening: str = "",
    ) -> ListDraft:
        if self.drafts_mode == "off":
            raise Permanent("no drafts here")
        where = resume or (Sent(f"d{turn}") if self.drafts_mode == "message" else None)
        draft = ListDraft(self, address, turn, where)
        self.drafts.append(draft)
        return draft

    @property
    def texts(self) -> list[str]:
        return [piece.text for piece in self.sent]


RULES = Rules(
    node="test:1",
    lease=timedelta(seconds=15),
    limits=Limits(max_age=timedelta(hours=1), lane_limit=50),
    expires=timedelta(hours=1),
    hold=timedelta(days=7),
    ambiguous=AmbiguousPolicy.REPEAT,
    locale="en",
    interrupts=False,
    polls=False,
    max_characters=100_000,
    idle_of_adapter={},
    roles={},
)


def http() -> Any:
    raise AssertionError("nothing here speaks HTTP")


class House:
    """The engine and everything around it, by name."""

    def __init__(
        self,
        model: ScriptedModel,
        *,
        clock: FakeClock | None = None,
        store: Store | None = None,
        platform: ListPlatform | None = None,
        tools: Sequence[Tool] = (),
        rules: Rules = RULES,
        audience: Mapping[str, Any] | None = None,
        among_others: bool = False,
    ) -> None:
        """`among_others`: this is one of several nodes over the same rows."""
        self.model = model
        self.clock = clock or FakeClock()
        self.store = store or MemoryStore(self.clock)
        self.platform = platform or ListPlatform()
        self.observer = RecordingObserver()
        changes = dict(audience or {})
        self.audience = Audience(
            name="",
            persona=changes.get("persona", "You are kind."),
            model=model,
            listed=changes.get("listed"),
            max_steps=changes.get("max_steps", 8),
            deadline=changes.get("deadline", timedelta(seconds=120)),
            idle=changes.get("idle", timedelta(hours=2)),
            window_messages=changes.get("window_messages", 50),
            window_tokens=changes.get("window_tokens", 8000),
        )
        self.signalling = (
            Signalling(self.store, node=rules.node, clock=self.clock, observer=self.observer)
            if among_others
            else None
        )
        self.engine: Engine = build_engine(
            store=self.store,
            codec=JsonCodec(),
            adapters={self.platform.name: self.platform},
            audiences={"": self.audience},
            tools={one.name: one for one in tools},
            rules=rules,
            clock=self.clock,
            observer=self.observer,
            http=http,
            signalling=self.signalling,
        )
        self.receive = self.engine.intake(Placement("default", self.platform.name, ""))
        self._count = 0

    def said(self, text: str, **values: Any) -> Inbound:
        """An inbound of the one person there is, in their direct chat."""
        self._count += 1
        sender = values.pop("sender", Sender("u1", "Ann"))
        address = values.pop("address", Address("list", "me", "room"))
        message = Message(
            Role.USER,
            (Text(text),),
            sent_at=self.clock.now(),
            sender=sender,
            platform_id=values.pop("platform_id", f"p{self._count}"),
        )
        return Inbound(
            event_key=values.pop("event_key", f"e{self._count}"),
            address=address,
            sender=sender,
            message=message,
            kind=values.pop("kind", Kind.MESSAGE),
            **values,
        )

    async def say(self, text: str, **values: Any) -> None:
        await self.receive(self.said(text, **values))

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["House", None]:
        """Run until the block ends; the node is killed then, not drained."""
        await self.engine.runner.join()
        running = asyncio.ensure_future(self.engine.runner.run())
        signalling = asyncio.ensure_future(self.engine.signal())
        try:
            yield self
        finally:
            running.cancel()
            signalling.cancel()
            await asyncio.wait([running, signalling])

    async def has_sent(self, count: int) -> list[str]:
        """The texts, once there are so many."""
        async with asyncio.timeout(5):
            while len(self.platform.sent) < count:
                self.platform.bell.clear()
                await self.platform.bell.wait()
        return self.platform.texts

    async def at_rest(self) -> None:
        """Wait until no lane is held."""
        await until(lambda: not self.engine.runner.running)
