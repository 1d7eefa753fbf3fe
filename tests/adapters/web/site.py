"""A web adapter on a real uvicorn and a free port, mounted as the server mounts it."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from adapters.web import HEARTBEAT, Settings, build
from adapters.web.adapter import WebAdapter
from bot import AdapterContext, Address, ASGIApp, Clock
from tests.adapters.web.engine import Answer, Gate, ScriptedEngine
from tests.adapters.web.wall_clock import WallClock
from tests.fakes import RecordingObserver
from tests.loopback import serving as serve

EXAMPLES = {
    "en": ("What time is it in Tokyo?", "What is 19.99 * 3 - 15%?", "How is the weather in Paris?"),
    "zh": ("现在东京几点？", "19.99 乘 3 再减 15% 是多少？", "巴黎天气怎么样？"),
}


@dataclass(slots=True)
class Site:
    """A running chat page, with everything behind it in the test's hands."""

    port: int
    engine: ScriptedEngine
    gate: Gate
    adapter: WebAdapter
    observer: RecordingObserver
    app: ASGIApp

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Where its endpoints are."""
        return f"{self.url}/in/web"

    def address(self, visitor: str) -> Address:
        """The conversation of a visitor."""
        return Address("web", "web", visitor)


class NoListeners:
    """The web polls nothing."""

    async def hold(self, listener: str) -> int | None:
        """Somebody else's."""
        return None

    async def advance(self, listener: str, offset: int) -> None:
        """Nothing to advance."""

    async def let_go(self, listener: str) -> None:
        """Nothing to let go."""

    async def until_free(self, listener: str) -> None:
        """Nobody asks."""


async def secret() -> bytes:
    """The server's secret; the same for every site of a test, as over a restart."""
    return b"a secret of the tests, 32 bytes."


def no_session() -> Any:
    """The adapter calls nobody."""
    raise AssertionError("the web adapter makes no requests")


def context(
    engine: ScriptedEngine, observer: RecordingObserver, clock: Clock, **changes: Any
) -> AdapterContext:
    """What `app.py` would give."""
    values: dict[str, Any] = {
        "name": "web",
        "tenant": "default",
        "audience": "answer",
        "locale": "en",
        "public_url": None,
        "loopback": True,
        "model_configured": True,
        "examples": EXAMPLES,
        **changes,
    }
    return AdapterContext(
        **values,
        clock=clock,
        http=no_session,
        secret=secret,
        transcript=engine,
        listeners=NoListeners(),
        observer=observer,
    )


def mounted(app: ASGIApp) -> ASGIApp:
    """Under /in/web, and at the root."""

    async def server(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (scope["path"] + "/").startswith("/in/web/"):
            path = scope["path"].removeprefix("/in/web")
            scope = {**scope, "root_path": "/in/web", "path": path}
        await app(scope, receive, send)

    return server


def echo(said: str) -> Answer:
    """An answer whose chunks are the words that were said."""
    words = said.split(" ")
    return Answer((*(word + " " for word in words[:-1]), words[-1]))


@asynccontextmanager
async def running(
    script: Callable[[str], Answer] = echo,
    *,
    engine: ScriptedEngine | None = None,
    gate: Gate | None = None,
    port: int = 0,
    settings: dict[str, Any] | None = None,
    heartbeat: float = HEARTBEAT,
    clock: Clock | None = None,
    **changes: Any,
) -> AsyncIterator[Site]:
    """A site for the length of a `with`."""
    clock, observer, gate = clock or WallClock(), RecordingObserver(), gate or Gate()
    engine = engine or ScriptedEngine(clock, script, gate)
    adapter = build(
        Settings(use="adapters.web", **(settings or {})),
        context(engine, observer, clock, **changes),
    )
    assert isinstance(adapter, WebAdapter)
    adapter._limits = replace(adapter._limits, heartbeat=heartbeat)
    app = mounted(adapter.asgi(engine))
    async with engine.running(adapter), serving(app, port) as bound:
        try:
            yield Site(bound, engine, gate, adapter, observer, app)
        finally:
            await adapter.close()


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[int]:
    """A uvicorn on loopback in this very loop."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        bound: int = listener.getsockname()[1]
        async with serve(app, listener):
            yield bound
