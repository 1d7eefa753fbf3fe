"""An adapter with a line to the stand-in, in a time that runs faster than ours."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from adapters.wechat import Settings, WeChatAdapter, build
from bot import (
    AdapterContext,
    Address,
    Entry,
    Health,
    Message,
    Outbound,
    Receive,
    Role,
    Sender,
    Text,
)
from tests.adapters.telegram.line import FastClock, Rows, secret
from tests.adapters.wechat.desk import Chat, Desk
from tests.fakes import RecordingObserver
from tests.loopback import serving
from tests.peers.log import Log
from tests.peers.wechat import AES_KEY, ANN, APP_ID, SECRET, TOKEN, WeChatPeer
from tests.peers.wechat_courier import Attempt, Signed

SPEED = 5.0
"""A second is the platform's five: enough for a machine that is busy with other tests."""
REPLY_WITHIN = "4s"
"""A fifth of a second of ours before the platform hangs up: a stall is no second delivery."""
ITSELF = "itself"
GOOD: dict[str, Any] = {
    "use": "adapters.wechat",
    "app_id": APP_ID,
    "app_secret": SECRET,
    "token": TOKEN,
    "aes_key": AES_KEY,
}


class Pages:
    """`ports.Transcript`: what other nodes have seen."""

    def __init__(self) -> None:
        self.lines: list[Entry] = []
        self.asked = 0

    def wrote(self, address: Address, clock: FastClock) -> None:
        """The person has written, to somebody else than this process."""
        said = Message(Role.USER, (Text("hello"),), clock.now())
        self.lines.append(Entry(said, address))

    async def page(
        self, tenant: str, address: Address, *, before: int | None, limit: int
    ) -> Sequence[Entry]:
        self.asked += 1
        return [entry for entry in self.lines if entry.address == address][-limit:]

    async def awaited(self, tenant: str, address: Address, sender: Sender) -> Sequence[Address]:
        return ()


@dataclass(slots=True)
class Line:
    """One adapter, the stand-in at the other end, and what came through."""

    peer: WeChatPeer
    adapter: WeChatAdapter
    desk: Desk
    observer: RecordingObserver
    clock: FastClock
    pages: Pages
    url: str = ""

    async def passes(self, seconds: float) -> None:
        """So much of the line's own time, which runs faster than ours."""
        await self.clock.sleep(seconds)

    def out(self, text: str, openid: str = ANN, **more: Any) -> Outbound:
        """Something to send to one of the people."""
        self.peer.person(openid)
        return Outbound("turn/answer", self.address(openid), text, **more)

    def address(self, openid: str = ANN) -> Address:
        """Where a person is reached."""
        return Address("wechat", APP_ID, openid)

    def chat(self, openid: str = ANN) -> Chat:
        """The desk's side of it."""
        return self.desk.chats[str(self.address(openid))]

    def facts(self, name: str, value: str) -> list[Any]:
        """One value of every fact of a kind that was reported."""
        return [values[value] for values in self.observer.named(name)]

    async def post(self, request: Signed) -> Attempt:
        """A request that a test has written itself."""
        return await self.peer.courier.post(request, url=self.url)

    async def call(
        self, method: str, query: str = "", body: bytes = b"", headers: Any = None
    ) -> aiohttp.ClientResponse:
        """Any call at all."""
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"{self.url}?{query}", data=body, headers=headers) as answer,
        ):
            await answer.read()
            return answer

    async def health(self) -> Health:
        """What the probe finds."""
        return await self.adapter.probe()


def settings(**changes: Any) -> Settings:
    """The peer's account; the rest as a test wants it."""
    return Settings.model_validate({**GOOD, **changes})


def context(http: aiohttp.ClientSession, clock: Any, observer: Any, **changes: Any) -> Any:
    """What the composition root would give."""
    made = AdapterContext(
        name="wechat",
        tenant="default",
        audience="customers",
        locale="en",
        public_url="https://bot.example.com",
        loopback=True,
        model_configured=True,
        clock=clock,
        http=lambda: http,
        secret=secret,
        transcript=Pages(),
        listeners=Rows(),
        observer=observer,
    )
    return replace(made, **changes)


@asynccontextmanager
async def line(
    *,
    may_send: bool = True,
    mode: str = "safe",
    public_url: str | None = ITSELF,
    receive: Receive | None = None,
    beside: "Line | None" = None,
    speed: float = SPEED,
    clock: FastClock | None = None,
    **changes: Any,
) -> AsyncIterator[Line]:
    """An adapter whose webhook stands on a real uvicorn, mounted as the server mounts it.

    `public_url` is its own address unless a test says otherwise. `receive` takes the desk's place,
    `beside` is another node's line to the same account. A test in which nothing waits has no
    need of `speed`: then a busy machine has the platform's whole five seconds.
    """
    if clock is None:
        clock = FastClock(speed) if beside is None else beside.clock
    observer, pages = RecordingObserver(), Pages()
    door = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}/in/wechat"
    if public_url == ITSELF:
        public_url = url.removesuffix("/in/wechat")
    account = WeChatPeer(
        patience=5.0 / speed,
        may_send=may_send,
        mode=mode,
        epoch=lambda: int(clock.now().timestamp()),
        log=Log(now=clock.micros),
    )
    async with (
        account if beside is None else nullcontext(beside.peer) as peer,
        aiohttp.ClientSession() as http,
    ):
        sure = changes.pop("sure", lambda: True)
        given = context(http, clock, observer, transcript=pages, public_url=public_url, sure=sure)
        wanted = {"base_url": peer.url, "reply_within": REPLY_WITHIN} | changes
        adapter = build(settings(**wanted), given)
        assert isinstance(adapter, WeChatAdapter)
        desk = Desk(clock)
        desk.adapter = adapter
        if beside is None:
            peer.aim(url)
        async with serving(adapter.asgi(receive or desk), door):
            await adapter.open()
            try:
                yield Line(peer, adapter, desk, observer, clock, pages, url)
            finally:
                await desk.close()
                await adapter.close()
