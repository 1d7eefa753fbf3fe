"""The web's wire: answers go to the pages that are open, and wait in the history for the others."""

from collections.abc import Sequence

from adapters.web.events import Growth
from adapters.web.hub import Hub
from adapters.web.limits import Rate
from adapters.web.pages import Pages
from adapters.web.render import line_of, message_event, pieces, shown, turn_of
from adapters.web.routes import Limits, Routes
from adapters.web.visitors import Visitors
from bot import (
    Activity,
    AdapterContext,
    Address,
    ASGIApp,
    Clock,
    Draft,
    Outbound,
    Receive,
    Sent,
    TurnId,
)

PACE = 0.04
"""Seconds between two looks at a growing answer: 25 a second look smooth."""

STOPS = 10
"""Stops a minute that every visitor has beside the messages, however few those are."""


class WebAdapter:
    """Chat in a browser. A visitor is an address; nobody else is in their conversation."""

    platform = "web"

    def __init__(
        self,
        context: AdapterContext,
        *,
        hub: Hub,
        pages: Pages,
        visitors: Visitors,
        limits: Limits,
    ) -> None:
        self._context = context
        self._hub = hub
        self._pages = pages
        self._visitors = visitors
        self._limits = limits

    @property
    def name(self) -> str:
        return self._context.name

    @property
    def account(self) -> str:
        return self._context.name

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        return pieces(outbound)

    async def send(self, piece: Outbound) -> Sent:
        """Tell the open pages. It cannot fail: who has no page open finds it in the history."""
        line = line_of(piece, self._context.clock.now())
        self._hub.say(piece.address.chat, turn_of(piece.key), message_event(line))
        return Sent(piece.key)

    def draft_is_message(self, address: Address) -> bool:
        """Never: a draft is what open pages show, and is gone with them."""
        return False

    async def look(self, address: Address) -> None:
        """A page may be open on another node."""
        if self._limits.stream:
            await self._hub.look(address.chat)

    def watched(self, address: Address) -> bool:
        return self._limits.stream and self._hub.watched(address.chat)

    async def draft(
        self,
        address: Address,
        *,
        turn: TurnId,
        reply_to: str | None,
        resume: Sent | None,
        opening: str = "",
    ) -> Draft:
        began = self._context.clock.now().timestamp()
        growth = self._hub.grow(address.chat, str(turn), began)
        if opening:
            self._hub.show(address.chat, growth, opening, ())
        return WebDraft(
            self._hub, address.chat, growth, self._context.clock, details=self._limits.details
        )

    def asgi(self, receive: Receive) -> ASGIApp:
        return Routes(
            self._context,
            hub=self._hub,
            pages=self._pages,
            visitors=self._visitors,
            rate=Rate(self._limits.rate, self._context.clock),
            stops=Rate(max(self._limits.rate, STOPS), self._context.clock),
            limits=self._limits,
            receive=receive,
        )

    async def open(self) -> None:
        """Nothing is connected to: browsers come to us."""

    async def close(self) -> None:
        """Hang up on every open page, so that the server can stop."""
        self._hub.close()


class WebDraft:
    """An answer that grows on the open pages."""

    sent: Sent | None = None

    def __init__(self, hub: Hub, chat: str, growth: Growth, clock: Clock, *, details: bool) -> None:
        self._hub = hub
        self._chat = chat
        self._growth = growth
        self._clock = clock
        self._details = details

    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        doings = shown(activities, details=self._details)
        self._hub.show(self._chat, self._growth, text, doings)
        await self._clock.sleep(PACE)

    async def finish(self, piece: Outbound) -> Sent:
        line = line_of(piece, self._clock.now(), self._growth.activities)
        self._hub.end(self._chat, self._growth, "done", message_event(line))
        return Sent(piece.key)

    async def abandon(self) -> None:
        self._hub.end(self._chat, self._growth, "interrupted")

    def leave(self) -> None:
        """The turn goes on without this node."""
        self._hub.drop(self._chat, self._growth)
