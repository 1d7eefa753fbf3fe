"""The terminal's wire: orders that come through the control socket, answers to who looks on."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from adapters.terminal.chats import Chats, Growth
from adapters.terminal.events import Accepted, Attach, Attached, Ended, Look, Say, Stop, written
from adapters.terminal.normalise import address_of, message, stop, wanted
from adapters.terminal.render import doings, lines, pieces, said
from adapters.terminal.words import Words
from bot import (
    Activity,
    AdapterContext,
    Address,
    Clock,
    Draft,
    Inbound,
    Order,
    Outbound,
    Permanent,
    Receipt,
    Receive,
    Sent,
    Transient,
    TurnId,
    command_of,
)

PACE = 0.05
"""Seconds between two looks at a growing answer."""

START = 10.0
"""Seconds that a first message waits for a server that has just been started."""

Args = Mapping[str, object]
Events = AsyncGenerator[Mapping[str, object], None]


class TerminalAdapter:
    """Chat in a terminal on this machine: each name is a conversation of its own."""

    platform = "terminal"

    def __init__(self, context: AdapterContext) -> None:
        self._context = context
        self._chats = Chats()
        self._receive: Receive | None = None
        self._listening = asyncio.Event()

    @property
    def name(self) -> str:
        return self._context.name

    @property
    def account(self) -> str:
        return self._context.name

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        return pieces(outbound)

    async def send(self, piece: Outbound) -> Sent:
        """Tell who looks on. It cannot fail: who is away finds it in the history."""
        self._chats.tell(piece.address.chat, said(piece))
        return Sent(piece.key)

    def draft_is_message(self, address: Address) -> bool:
        """Never: a draft is what terminals show, and is gone with them."""
        return False

    def watched(self, address: Address) -> bool:
        return self._chats.watched(address.chat)

    async def draft(
        self,
        address: Address,
        *,
        turn: TurnId,
        reply_to: str | None,
        resume: Sent | None,
        opening: str = "",
    ) -> Draft:
        growth = self._chats.grow(address.chat, str(turn))
        if opening:
            growth.show(opening, ())
        return TerminalDraft(self._chats, address.chat, growth, self._context.clock)

    async def listen(self, receive: Receive) -> None:
        """Take what the orders bring, until cancelled."""
        self._receive = receive
        self._listening.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._listening.clear()
            self._receive = None

    async def open(self) -> None:
        """Nothing is connected to: terminals come to us."""

    async def close(self) -> None:
        """Hang up on every terminal, so that the server can stop."""
        self._chats.close()

    # ---- orders ----------------------------------------------------------------------------

    def orders(self) -> Mapping[str, Order]:
        """What a terminal may ask."""
        return {
            "chat.attach": self.attach,
            "chat.say": self.say,
            "chat.stop": self.stop,
            "chat.history": self.history,
        }

    async def attach(self, args: Args) -> Events:
        """Everything that happens in a chat, until the terminal goes."""
        order = wanted(args, Attach)
        with self._chats.looking(order.chat) as terminal:
            yield written(Attached(self._context.model_configured))
            async with aclosing(terminal.events()) as events:
                async for event in events:
                    yield written(event)

    async def say(self, args: Args) -> Events:
        """Take a message; the event comes when it is on disk."""
        order = wanted(args, Say)
        inbound = message(order, self.account, self._context.clock.now())
        if inbound is None:
            words = Words(order.locale or self._context.locale)
            raise Permanent(words("nothing"))
        receipt = await self._hand_over(inbound)
        yield written(Accepted(order.id, receipt.new, command_of(inbound) or ""))

    async def stop(self, args: Args) -> Events:
        """Take a Ctrl-C."""
        order = wanted(args, Stop)
        receipt = await self._hand_over(stop(order, self.account, self._context.clock.now()))
        yield written(Accepted(order.id, receipt.new))

    async def history(self, args: Args) -> Events:
        """The newest lines of a chat, and what waits in it."""
        order = wanted(args, Look)
        entries = await self._context.transcript.page(
            self._context.tenant,
            address_of(self.account, order.chat),
            before=None,
            limit=order.limit,
        )
        for line in lines(entries):
            yield written(line)

    async def _hand_over(self, inbound: Inbound) -> Receipt:
        try:
            async with asyncio.timeout(START):
                await self._listening.wait()
        except TimeoutError as error:
            raise Transient("this server does not take messages yet") from error
        if self._receive is None:
            raise Transient("this server takes no messages any more")
        return await self._receive(inbound)


class TerminalDraft:
    """An answer that grows in the terminals."""

    sent: Sent | None = None

    def __init__(self, chats: Chats, chat: str, growth: Growth, clock: Clock) -> None:
        self._chats = chats
        self._chat = chat
        self._growth = growth
        self._clock = clock

    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        self._growth.show(text, doings(activities))
        await self._clock.sleep(PACE)

    async def finish(self, piece: Outbound) -> Sent:
        self._chats.end(self._chat, self._growth, said(piece))
        return Sent(piece.key)

    async def abandon(self) -> None:
        self._chats.end(self._chat, self._growth, Ended(self._growth.turn))

    def leave(self) -> None:
        """The turn goes on without this server, or will be begun again."""
        self._chats.drop(self._chat, self._growth)
