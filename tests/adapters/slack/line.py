"""An adapter with a line to the stand-in, in a time that runs faster than ours."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from adapters.slack import HttpAdapter, Settings, SocketAdapter, build
from bot import AdapterContext, Address, Outbound
from tests.adapters.telegram.line import Desk, FastClock, Pages, Rows, secret
from tests.fakes import RecordingObserver
from tests.loopback import serving
from tests.peers.log import Log
from tests.peers.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, TEAM, SlackPeer
from tests.peers.slack_delivery import Redelivery

__all__ = ["TEAM", "Desk", "FastClock", "Line", "Pages", "http", "line", "listen", "sockets"]


@dataclass(slots=True)
class Line:
    """One adapter, the stand-in at the other end, and what came through."""

    peer: SlackPeer
    adapter: SocketAdapter | HttpAdapter
    desk: Desk
    pages: Pages
    observer: RecordingObserver
    clock: FastClock
    url: str = ""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def address(self, channel: str, thread: str | None = None) -> Address:
        """A place of the peer's as an address."""
        return Address("slack", TEAM, channel, thread)

    def out(self, channel: str, text: str, thread: str | None = None, **more: Any) -> Outbound:
        """Something to send there."""
        key = more.pop("key", "7/0")
        return Outbound(key, self.address(channel, thread), text, **more)

    async def passes(self, seconds: float) -> None:
        """Let so much of the adapter's time go by."""
        await self.clock.sleep(seconds)

    def facts(self, name: str, value: str) -> list[Any]:
        """One value of every fact of a kind that was reported."""
        return [values[value] for values in self.observer.named(name)]


def context(
    session: aiohttp.ClientSession,
    clock: Any,
    pages: Pages,
    observer: RecordingObserver,
    **changes: Any,
) -> AdapterContext:
    """What the composition root would give."""
    values: dict[str, Any] = {"public_url": None, "max_size": 1_000_000, **changes}
    return AdapterContext(
        name="slack",
        tenant="default",
        audience="answer",
        locale="en",
        loopback=True,
        model_configured=True,
        clock=clock,
        http=lambda: session,
        secret=secret,
        transcript=pages,
        listeners=Rows(),
        observer=observer,
        **values,
    )


def settings(peer: SlackPeer, **changes: Any) -> Settings:
    """The peer's tokens and address; the rest as a test wants it."""
    values = {
        "use": "adapters.slack",
        "bot_token": BOT_TOKEN,
        "app_token": APP_TOKEN,
        "signing_secret": SIGNING_SECRET,
        "base_url": peer.api_url,
    }
    return Settings.model_validate({**values, **changes})


GIVEN = ("public_url", "max_size", "sure")
"""What the composition root gives, and a test may change."""


@asynccontextmanager
async def line(
    *, peer: dict[str, Any] | None = None, clock: Any = None, **changes: Any
) -> AsyncIterator[Line]:
    """An adapter that speaks; it listens to nothing yet. `peer` changes the stand-in."""
    clock = clock or FastClock()
    given = {key: changes.pop(key) for key in GIVEN if key in changes}
    world: dict[str, Any] = {
        "log": Log(now=lambda: int(clock.monotonic() * 1_000_000)),
        "now": lambda: clock.now().timestamp(),
        "redelivery": Redelivery(pauses=(0.0, 0.05, 0.1)),
        **(peer or {}),
    }
    async with SlackPeer(**world) as slack, aiohttp.ClientSession() as session:
        pages, observer = Pages(), RecordingObserver()
        adapter = build(
            settings(slack, **changes), context(session, clock, pages, observer, **given)
        )
        assert isinstance(adapter, SocketAdapter | HttpAdapter)
        made = Line(slack, adapter, Desk(), pages, observer, clock)
        try:
            yield made
        finally:
            for task in made.tasks:
                task.cancel()
            await asyncio.gather(*made.tasks, return_exceptions=True)
            await adapter.close()


@asynccontextmanager
async def sockets(**changes: Any) -> AsyncIterator[Line]:
    """An adapter in Socket Mode whose socket is open."""
    async with line(**changes) as made:
        await made.adapter.open()
        listen(made)
        await made.peer.wait_for(lambda: made.peer.sockets.open)
        await made.peer.wait_for(lambda: made.peer.calls("auth.test"))
        yield made


def listen(made: Line) -> "asyncio.Task[None]":
    """Let it listen."""
    assert isinstance(made.adapter, SocketAdapter)
    task = asyncio.create_task(made.adapter.listen(made.desk))
    made.tasks.append(task)
    return task


@asynccontextmanager
async def http(**changes: Any) -> AsyncIterator[Line]:
    """An adapter whose request URL stands on a real uvicorn, mounted as the server mounts it."""
    door = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    async with line(mode="http", public_url=url, **changes) as made:
        assert isinstance(made.adapter, HttpAdapter)
        made.url = made.peer.courier.url = f"{url}/in/slack"
        async with serving(made.adapter.asgi(made.desk), door):
            await made.adapter.open()
            await made.peer.wait_for(lambda: made.peer.calls("auth.test"))
            yield made
