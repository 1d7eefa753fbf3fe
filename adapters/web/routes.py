"""What a browser may ask: the page and its files, the history, the stream, and to say something."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from adapters.web.events import Position
from adapters.web.hub import Hub
from adapters.web.limits import Rate
from adapters.web.normalise import Posted, is_stop, locale_of, may_write, message, posted, stop
from adapters.web.normalise import Writer as Author
from adapters.web.pages import ALWAYS_ASK, Pages, give
from adapters.web.render import STOP, accepted_event, lines_of, with_said
from adapters.web.stream import Writer
from adapters.web.visitors import Visitor, Visitors
from adapters.web.wire import NO_STORE, Exchange, Give, Header, Scope, Take, TooLarge
from bot import (
    AdapterContext,
    Address,
    Command,
    Inbound,
    Receive,
    Transient,
    command_of,
    from_loopback,
)

PAGE = 50
PAGE_MOST = 100
TURN_MOST = 40
NUMBER = re.compile("[0-9]{1,18}")
RETRY = 5
LATELY = timedelta(minutes=1)
"""How long what the history does not know is still there for a page that is loaded anew."""
STRANGER = ""
"""Whoever shows no cookie: the next post would come from somebody new again."""

NOT_PUBLIC = {
    "en": "This chat is for its own machine only; `adapters.{name}.public: true` opens it.",
    "zh": "此聊天页面仅限本机访问；要对外开放，请设置 `adapters.{name}.public: true`。",
}
TEXT = b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the settings say about to whom, how much and how."""

    public: bool
    stream: bool
    details: bool
    rate: int
    characters: int
    greeting: str | None
    title: str
    heartbeat: float


class Config(msgspec.Struct, frozen=True):
    """What a page needs to know before it shows itself.

    `known` is false while the browser has not yet sent our cookie back.
    """

    title: str
    greeting: str | None
    locale: str
    model_configured: bool
    examples: Mapping[str, tuple[str, ...]]
    known: bool
    characters: int


Endpoint = Callable[[Exchange], Awaitable[None]]


class Routes:
    """The ASGI app of one web adapter, under `/in/<name>` and, the first one, at `/`."""

    def __init__(
        self,
        context: AdapterContext,
        *,
        hub: Hub,
        pages: Pages,
        visitors: Visitors,
        rate: Rate,
        stops: Rate,
        limits: Limits,
        receive: Receive,
    ) -> None:
        self._context = context
        self._hub = hub
        self._pages = pages
        self._visitors = visitors
        self._rate = rate
        self._stops = stops
        self._limits = limits
        self._receive = receive
        self._endpoints: dict[tuple[str, str], Endpoint] = {
            ("POST", "/messages"): self._post,
            ("POST", "/stop"): self._stop,
            ("GET", "/messages"): self._history,
            ("GET", "/events"): self._events,
            ("GET", "/config"): self._config,
            ("GET", ""): self._into,
            ("GET", "/"): self._index,
            ("HEAD", "/"): self._index,
        }
        self._paths = {path for _, path in self._endpoints}

    async def __call__(self, scope: Scope, take: Take, give_: Give) -> None:
        if scope["type"] == "websocket":
            await give_({"type": "websocket.close"})
            return
        exchange = Exchange(scope, take, give_)
        # Listening on loopback is not enough: a proxy there leads anybody here
        if not self._limits.public and not from_loopback(scope):
            await self._turn_away(exchange)
            return
        try:
            await self._answer(exchange)
        except TooLarge:
            await self._reject(exchange, 413, "too_large", "This is too long.")
        except Transient:
            sentence = "This cannot be stored just now; try again."
            await exchange.refuse(503, sentence, _retry_after(RETRY))

    async def _answer(self, exchange: Exchange) -> None:
        endpoint = self._endpoints.get((exchange.method, exchange.path))
        if endpoint is not None:
            await endpoint(exchange)
        elif exchange.path in self._paths:
            allowed = ", ".join(m for m, path in self._endpoints if path == exchange.path)
            await exchange.refuse(405, "Not this way.", (b"allow", allowed.encode()))
        elif exchange.method in {"GET", "HEAD"} and exchange.path.startswith("/static/"):
            await self._static(exchange)
        else:
            await exchange.refuse(404, "There is nothing here.")

    # ---- the page --------------------------------------------------------------------------

    async def _index(self, exchange: Exchange) -> None:
        visitor = await self._visitor(exchange)
        mounted = exchange.root.endswith(f"/in/{self._context.name}")
        page = self._pages.index("" if mounted else f"in/{self._context.name}/")
        await give(exchange, page, ALWAYS_ASK, *_cookie(visitor))

    async def _into(self, exchange: Exchange) -> None:
        """The page's addresses are relative: without the slash they would lead elsewhere."""
        there = (b"location", (exchange.root + "/").encode())
        await exchange.answer(308, kind=b"text/plain", headers=[there])

    async def _static(self, exchange: Exchange) -> None:
        found = self._pages.file(exchange.path)
        if found is None:
            await exchange.refuse(404, "There is nothing here.")
            return
        await give(exchange, *found)

    async def _config(self, exchange: Exchange) -> None:
        visitor = await self._visitor(exchange)
        config = Config(
            title=self._limits.title,
            greeting=self._limits.greeting,
            locale=self._context.locale,
            model_configured=self._context.model_configured,
            examples=self._context.examples or {},
            known=visitor.cookie is None,
            characters=self._limits.characters,
        )
        await exchange.json(200, config, *_cookie(visitor))

    # ---- reading ---------------------------------------------------------------------------

    async def _history(self, exchange: Exchange) -> None:
        before, limit = exchange.asked("before"), exchange.asked("limit") or str(PAGE)
        if not (NUMBER.fullmatch(limit) and (before is None or NUMBER.fullmatch(before))):
            await self._reject(exchange, 400, "unreadable", "before and limit are numbers.")
            return
        visitor = await self._visitor(exchange)
        count = min(max(int(limit), 1), PAGE_MOST)
        # A turn has many entries: the oldest may have to be left out to keep it whole
        asked = max(count, TURN_MOST) + 1
        # Before the history is read: what is said while that goes on is not taken for unknown
        said = self._hub.said(visitor.id) if before is None else []
        entries = await self._context.transcript.page(
            self._context.tenant,
            self._address(visitor),
            before=None if before is None else int(before),
            limit=asked,
        )
        lines = lines_of(entries, asked, count, details=self._limits.details)
        if said:
            lines = with_said(lines, entries, said, self._context.clock.now() - LATELY)
        await exchange.json(200, lines, *_cookie(visitor))

    async def _events(self, exchange: Exchange) -> None:
        visitor = await self._visitor(exchange)
        last = exchange.header(b"last-event-id") or exchange.asked("last") or ""
        stream = self._hub.open(visitor.id, Position.parse(last))
        try:
            await self._hub.announced()
            writer = Writer(exchange, stream, heartbeat=self._limits.heartbeat)
            await writer.run(*_cookie(visitor))
        finally:
            self._hub.leave(visitor.id, stream)

    # ---- writing ---------------------------------------------------------------------------

    async def _post(self, exchange: Exchange) -> None:
        await self._take(exchange, message)

    async def _stop(self, exchange: Exchange) -> None:
        await self._take(exchange, stop)

    async def _take(
        self,
        exchange: Exchange,
        read: Callable[[Posted, Author], Inbound | None],
    ) -> None:
        if not self._may_write(exchange):
            sentence = "Only this site's own page may write here; server.public_url names it."
            await self._reject(exchange, 403, "origin", sentence)
            return
        kind = (exchange.header(b"content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            await self._reject(exchange, 415, "content_type", "Send application/json.")
            return
        post = posted(await exchange.body(self._context.max_size))
        if post is None:
            await self._reject(exchange, 400, "unreadable", "Send JSON: {id, text}.")
            return
        if len(post.text) > self._limits.characters:
            raise TooLarge
        visitor = await self._visitor(exchange)
        inbound = read(post, self._writer(exchange, post, visitor))
        if inbound is None:
            await self._reject(exchange, 400, "empty", "There is nothing in this message.")
            return
        await self._accept(exchange, visitor, inbound)

    async def _accept(self, exchange: Exchange, visitor: Visitor, inbound: Inbound) -> None:
        # Whoever has sent too much must still be able to stop the answer to it.
        rate = self._stops if is_stop(inbound) else self._rate
        if wait := rate.wait(visitor.id if visitor.cookie is None else STRANGER):
            sentence = "That was a lot at once; try again in a moment."
            await self._reject(exchange, 429, "rate", sentence, _retry_after(wait))
            return
        if command_of(inbound) is Command.FORGET:
            self._hub.forget(visitor.id)
        receipt = await self._receive(inbound)
        if receipt.new and not inbound.event_key.startswith(STOP):
            sent_at = inbound.message.sent_at
            event = accepted_event(inbound.event_key, inbound.text, sent_at)
            self._hub.tell(visitor.id, event)
        id = inbound.event_key.removeprefix(STOP)
        await exchange.json(202, {"id": id, "new": receipt.new}, *_cookie(visitor))

    def _may_write(self, exchange: Exchange) -> bool:
        return may_write(
            origin=exchange.header(b"origin"),
            site=exchange.header(b"sec-fetch-site"),
            host=exchange.header(b"host") or "",
            # Where the page is not public, public_url is for the platforms alone
            public_url=self._context.public_url if self._limits.public else None,
            loopback=self._context.loopback,
        )

    def _writer(self, exchange: Exchange, post: Posted, visitor: Visitor) -> Author:
        accept = exchange.header(b"accept-language") or ""
        locale = locale_of(post.lang, accept)
        return Author(self._context.name, visitor.id, locale, self._context.clock.now())

    # ---- common ----------------------------------------------------------------------------

    async def _turn_away(self, exchange: Exchange) -> None:
        self._context.observer.rejected(adapter=self._context.name, why="not_public")
        wished = locale_of(None, exchange.header(b"accept-language") or "")
        sentence = NOT_PUBLIC[wished or self._context.locale].format(name=self._context.name)
        await exchange.answer(403, f"{sentence}\n".encode(), kind=TEXT, headers=[NO_STORE])

    async def _visitor(self, exchange: Exchange) -> Visitor:
        return await self._visitors.of(exchange.header(b"cookie") or "")

    def _address(self, visitor: Visitor) -> Address:
        return Address("web", self._context.name, visitor.id)

    async def _reject(
        self, exchange: Exchange, status: int, why: str, sentence: str, *headers: Header
    ) -> None:
        self._context.observer.rejected(adapter=self._context.name, why=why)
        await exchange.refuse(status, sentence, *headers)


def _cookie(visitor: Visitor) -> tuple[Header, ...]:
    if visitor.cookie is None:
        return ()
    return ((b"set-cookie", visitor.cookie.encode()),)


def _retry_after(seconds: int) -> Header:
    return (b"retry-after", str(seconds).encode())
