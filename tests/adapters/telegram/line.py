"""An adapter with a line to the stand-in, in a time that runs faster than ours."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from adapters.telegram import PollingAdapter, Settings, WebhookAdapter, build
from bot import (
    AdapterContext,
    Address,
    Ambiguous,
    Clock,
    Entry,
    Held,
    Inbound,
    Message,
    Outbound,
    Permanent,
    Role,
    Sender,
    Sent,
    Text,
    Transient,
)
from tests.fakes import RecordingObserver
from tests.loopback import serving
from tests.peers.log import Json, Log
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_rules import Flood

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
SPEED = 40.0


class FastClock:
    """Seconds that pass many times as fast, so that limits can be tried out on a real wire."""

    def __init__(self, speed: float = SPEED) -> None:
        self._speed = speed
        self._begin = time.monotonic()

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._begin) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    async def until_it_may(self, refused: Transient) -> None:
        """Return when what was refused may be tried again, as the engine does."""
        wait = 1.0 if refused.retry_after is None else refused.retry_after.total_seconds()
        await self.sleep(wait)

    def micros(self) -> int:
        """For a peer that shall live in the same time."""
        return int(self.monotonic() * 1_000_000)


class NewReceipt:
    """A message that was stored just now."""

    def __init__(self, *, new: bool = True) -> None:
        self.new = new

    async def reply(self, within: timedelta) -> Outbound | None:
        return None

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        return None


class Desk:
    """Where accepted messages arrive: keeps the first of each key, and can be shut."""

    def __init__(self) -> None:
        self.inbounds: list[Inbound] = []
        self.attempts = 0
        self.shut = 0
        """So many attempts will be refused."""
        self.unfit = ""
        """What is said so can never be stored."""
        self.news = asyncio.Event()
        self._keys: set[tuple[str, str]] = set()

    async def __call__(self, inbound: Inbound, open_for: timedelta | None = None, /) -> NewReceipt:
        self.attempts += 1
        if self.shut > 0:
            self.shut -= 1
            raise Transient("the database is away")
        if self.unfit and inbound.text == self.unfit:
            raise Permanent("the database refused it")
        await asyncio.sleep(0)
        key = (str(inbound.address), inbound.event_key)
        new = key not in self._keys
        self._keys.add(key)
        if new:
            self.inbounds.append(inbound)
        self.news.set()
        return NewReceipt(new=new)

    @property
    def texts(self) -> list[str]:
        """What was said, in the order of acceptance."""
        return [inbound.text for inbound in self.inbounds]

    async def has(self, count: int) -> None:
        """Return once so many messages have arrived."""
        async with asyncio.timeout(10):
            while len(self.inbounds) < count:
                self.news.clear()
                await self.news.wait()


class Rows:
    """`ports.Listeners` in memory; `ours` says whether this node holds the row."""

    def __init__(self) -> None:
        self.offset = 0
        self.ours = True
        self.asked = 0
        self.advanced: list[int] = []
        self.let_go_of = 0

    async def hold(self, listener: str) -> int | None:
        self.asked += 1
        return self.offset if self.ours else None

    async def until_free(self, listener: str) -> None:
        await asyncio.sleep(0.01)

    async def advance(self, listener: str, offset: int) -> None:
        self.offset = offset
        self.advanced.append(offset)

    async def let_go(self, listener: str) -> None:
        self.let_go_of += 1


class Pages:
    """`ports.Transcript` in memory: what was said in which conversation, and what waits there."""

    def __init__(self) -> None:
        self.said: dict[Address, list[Message]] = {}
        self.asked: list[Address] = []
        self.away = False
        self.waiting: dict[str, Sequence[Address]] = {}

    def remember(self, address: Address, name: str | None = None, sender: str = "") -> None:
        """Somebody said something there, under the platform's own name for it."""
        person = Sender(sender)
        message = Message(Role.USER, (Text("hi"),), BEGIN, sender=person, platform_id=name)
        self.said.setdefault(address, []).append(message)

    async def page(
        self, tenant: str, address: Address, *, before: int | None, limit: int
    ) -> Sequence[Entry]:
        self.asked.append(address)
        if self.away:
            raise Transient("the database is away")
        return [Entry(message, address) for message in self.said.get(address, [])[-limit:]]

    async def awaited(self, tenant: str, address: Address, sender: Sender) -> Sequence[Address]:
        return self.waiting.get(sender.id, ())


async def secret() -> bytes:
    """`server.secret`."""
    return b"the server's own secret in tests"


@dataclass(slots=True)
class Line:
    """One adapter, the stand-in at the other end, and what came through."""

    peer: TelegramPeer
    adapter: PollingAdapter | WebhookAdapter
    desk: Desk
    rows: Rows
    pages: Pages
    observer: RecordingObserver
    clock: FastClock
    url: str = ""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def address(self, chat: Json, thread: int | None = None) -> Address:
        """A chat of the peer's as an address."""
        self.peer.chats.note(chat)
        place = None if thread is None else str(thread)
        return Address("telegram", self.adapter.account, str(chat["id"]), place)

    def out(self, chat: Json, text: str, thread: int | None = None, **more: Any) -> Outbound:
        """Something to send there."""
        return Outbound("turn/answer", self.address(chat, thread), text, **more)

    def facts(self, name: str, value: str) -> list[Any]:
        """One value of every fact of a kind that was reported."""
        return [values[value] for values in self.observer.named(name)]


def context(
    http: aiohttp.ClientSession,
    clock: Clock,
    rows: Rows,
    observer: RecordingObserver,
    **changes: Any,
) -> AdapterContext:
    """What the composition root would give."""
    values: dict[str, Any] = {
        "public_url": None,
        "max_size": 1_000_000,
        "transcript": Pages(),
        **changes,
    }
    return AdapterContext(
        name="telegram",
        tenant="default",
        audience="answer",
        locale="en",
        loopback=True,
        model_configured=True,
        clock=clock,
        http=lambda: http,
        secret=secret,
        listeners=rows,
        observer=observer,
        **values,
    )


def settings(peer: TelegramPeer, **changes: Any) -> Settings:
    """The peer's token and address; the rest as a test wants it."""
    values = {"use": "adapters.telegram", "token": peer.token, "base_url": peer.url}
    return Settings.model_validate({**values, **changes})


@asynccontextmanager
async def line(
    *,
    flood: Flood | None = None,
    username: str = "parley_test_bot",
    speed: float = SPEED,
    **changes: Any,
) -> AsyncIterator[Line]:
    """An adapter that speaks; it listens to nothing yet."""
    clock = FastClock(speed)
    wanted = ("public_url", "max_size", "sure")
    given = {key: changes.pop(key) for key in wanted if key in changes}
    async with (
        TelegramPeer(flood=flood, log=Log(now=clock.micros), username=username) as peer,
        aiohttp.ClientSession() as http,
    ):
        rows, pages, observer = Rows(), Pages(), RecordingObserver()
        around = context(http, clock, rows, observer, transcript=pages, **given)
        adapter = build(settings(peer, **changes), around)
        assert isinstance(adapter, PollingAdapter | WebhookAdapter)
        made = Line(peer, adapter, Desk(), rows, pages, observer, clock)
        try:
            yield made
        finally:
            for task in made.tasks:
                task.cancel()
            await asyncio.gather(*made.tasks, return_exceptions=True)
            await adapter.close()


@asynccontextmanager
async def polling(**changes: Any) -> AsyncIterator[Line]:
    """An adapter that polls."""
    async with line(**changes) as made:
        await made.adapter.open()
        listen(made)
        yield made


def listen(made: Line) -> "asyncio.Task[None]":
    """Let it poll."""
    assert isinstance(made.adapter, PollingAdapter)
    task = asyncio.create_task(made.adapter.listen(made.desk))
    made.tasks.append(task)
    return task


@asynccontextmanager
async def webhook(**changes: Any) -> AsyncIterator[Line]:
    """An adapter whose webhook stands on a real uvicorn, mounted as the server mounts it."""
    door = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    async with line(mode="webhook", public_url=url, **changes) as made:
        assert isinstance(made.adapter, WebhookAdapter)
        made.url = f"{url}/in/telegram"
        async with serving(made.adapter.asgi(made.desk), door):
            await made.adapter.open()
            await made.peer.wait_for(lambda: made.peer.courier.webhook.url)
            yield made
