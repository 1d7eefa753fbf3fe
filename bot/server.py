"""The one ASGI app: adapters under `/in/<name>`, the operator's pages, and the web at `/`."""

import asyncio
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from bot.asgi import Answer, Give, Header, Scope, Take, respond, sentence_answer
from bot.errors import Transient
from bot.ports import ASGIApp, Observer

IN = "/in/"
BODY_TIME = 30.0
"""Seconds that a body may take to arrive."""
CLOSE = (b"connection", b"close")
RETRY = (b"retry-after", b"5")


class Site:
    """Finds who answers a request, bounds what it may send, and has the last word on errors.

    `adapters` are the apps under `/in/<name>`; `front` is the one that answers everything else,
    `own` are our pages by path. `max_size` bounds bodies; adapters may be stricter.
    """

    def __init__(
        self,
        *,
        adapters: Mapping[str, ASGIApp],
        front: str | None,
        own: Mapping[str, ASGIApp],
        observer: Observer,
        max_size: int,
        body_time: float = BODY_TIME,
    ) -> None:
        self._adapters = adapters
        self._front = front
        self._own = own
        self._observer = observer
        self._max_size = max_size
        self._body_time = body_time
        self._hung_up = asyncio.Event()

    def hang_up(self) -> None:
        """Tell every app that waits for its caller to go that the caller has gone."""
        self._hung_up.set()

    async def __call__(self, scope: Scope, take: Take, give: Give) -> None:
        if scope["type"] != "http":
            return
        exchange = _Exchange(
            scope,
            take,
            give,
            max_size=self._max_size,
            body_time=self._body_time,
            hung_up=self._hung_up,
        )
        name, app = self._route(scope)
        if app is None:
            await exchange.refuse(404, "There is nothing here.", "这里什么也没有。")
            return
        try:
            await app(scope, exchange.take, exchange.give)
            await exchange.end_stream()
        except _BadBody as error:
            self._observer.rejected(adapter=name, why=error.why)
            await exchange.refuse(error.status, *error.sentences, CLOSE)
        except Transient:
            sentences = "This cannot be taken just now; try again.", "暂时无法处理，请稍后再试。"
            await exchange.refuse(503, *sentences, RETRY)
        except Exception as error:  # the outermost ASGI wrapper
            if exchange.gone:
                self._observer.rejected(adapter=name, why="hung_up")
                return
            self._observer.failed(place="asgi", error=error)
            await exchange.refuse(500, "Something went wrong here.", "这里出了点问题。")

    def _route(self, scope: Scope) -> tuple[str, ASGIApp | None]:
        path: str = scope["path"]
        if path.startswith(IN):
            name = path[len(IN) :].partition("/")[0]
            app = self._adapters.get(name)
            scope["root_path"] = f"{IN}{name}"
            return name, app
        if (page := self._own.get(path)) is not None:
            return "own", page
        if self._front is None:
            return "", None
        return self._front, self._adapters[self._front]


class _BadBody(Exception):
    """The body is not as it may be; our own refusal of it travels through the adapter's app."""

    def __init__(self, status: int, why: str, english: str, chinese: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.sentences = english, chinese


class _Exchange:
    """A request's two ends, with an eye on both."""

    __slots__ = (
        *("_begun", "_body_time", "_ended", "_give", "_headers", "_hung_up", "_left", "_scope"),
        *("_take", "_until", "_whole", "gone"),
    )

    def __init__(
        self,
        scope: Scope,
        take: Take,
        give: Give,
        *,
        max_size: int,
        body_time: float,
        hung_up: asyncio.Event,
    ) -> None:
        self._scope = scope
        self._take = take
        self._give = give
        self._left = max_size
        self._body_time = body_time
        self._until: float | None = None
        self._hung_up = hung_up
        self._whole = False
        self._begun = False
        self._ended = False
        self._headers: Iterable[Header] = ()
        self.gone = False

    async def take(self) -> MutableMapping[str, Any]:
        """The next part of the body; after the last one, wait for the caller to go."""
        if self._whole:
            return await self._take_disconnect()
        if self._until is None:
            # For all parts together: a drop now and then is no reason to wait for ever.
            self._until = asyncio.get_running_loop().time() + self._body_time
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._take()
        except TimeoutError as error:
            sentences = "The body took too long to arrive.", "请求内容到达得太慢。"
            raise _BadBody(408, "slow", *sentences) from error
        if message["type"] == "http.disconnect":
            self.gone = True
            return message
        self._left -= len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._left < 0:
            raise _BadBody(413, "too_large", "This is too long.", "内容太长了。")
        return message

    async def give(self, message: MutableMapping[str, Any]) -> None:
        if self._begun:
            self._ended = not message.get("more_body", False)
        else:
            self._begun, self._headers = True, message.get("headers", ())
        await self._give(message)

    async def end_stream(self) -> None:
        """Finish what an app left open because we told it that its caller has gone."""
        if not self._begun or self._ended or not self._hung_up.is_set():
            return
        if not any(name.lower() == b"content-length" for name, _ in self._headers):
            await self.give({"type": "http.response.body", "body": b""})

    async def refuse(self, status: int, english: str, chinese: str, *headers: Header) -> None:
        """Answer with a sentence; once an answer has begun, the server can only cut it off."""
        if self._begun or self.gone:
            return
        self._begun = True
        said = sentence_answer(status, english, chinese, self._scope)
        await respond(self._give, Answer(status, said.body, said.kind, headers))

    async def _take_disconnect(self) -> MutableMapping[str, Any]:
        taking = asyncio.ensure_future(self._take())
        hanging_up = asyncio.ensure_future(self._hung_up.wait())
        try:
            await asyncio.wait({taking, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            taking.cancel()
            hanging_up.cancel()
        # An app whose caller waits for one short answer can still give it while we stop.
        stopping = not taking.done()
        self.gone = not stopping
        return {"type": "http.disconnect", "stopping": stopping}
