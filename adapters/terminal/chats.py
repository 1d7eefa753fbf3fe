"""The terminals that look at a chat now, and the answer that grows in it.

A growing answer is a state, not a queue: a terminal that reads slowly gets one longer piece of
it. Everything else waits in a short queue; a terminal that lets its queue overflow is hung up on,
comes back and reads the rest from the history.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from adapters.terminal.events import Activities, Doing, Draft, Ended, Event, Said

QUEUE = 256


class Growth:
    """An answer that is still growing."""

    def __init__(self, chat: "Chat", turn: str) -> None:
        self.turn = turn
        self.text = ""
        self.calls: tuple[Doing, ...] = ()
        self._chat = chat

    def show(self, text: str, calls: tuple[Doing, ...]) -> None:
        """The whole text so far."""
        self.text, self.calls = text, calls
        self._chat.wake()

    def end(self, event: Said | Ended) -> None:
        """Nothing more will come."""
        self.drop()
        self._chat.tell(event)

    def drop(self) -> None:
        """What has grown is shown to nobody any more."""
        if self._chat.growth is self:
            self._chat.growth = None


class Terminal:
    """One terminal that looks at a chat."""

    def __init__(self, chat: "Chat") -> None:
        self._chat = chat
        self._queue: deque[Event] = deque()
        self._bell = asyncio.Event()
        self._bell.set()
        self._closed = False
        self._turn = ""
        self._text = ""
        self._calls: tuple[Doing, ...] = ()

    def push(self, event: Event) -> None:
        """Queue an event; a full queue closes the connection."""
        if len(self._queue) >= QUEUE:
            self.close()
            return
        self._queue.append(event)
        self._bell.set()

    def wake(self) -> None:
        """There may be something to tell."""
        self._bell.set()

    def close(self) -> None:
        """Tell what is queued, and nothing more."""
        self._closed = True
        self._bell.set()

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens in the chat, until it is closed."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._queue:
                yield self._queue.popleft()
            for event in self._grown():
                yield event
            if self._closed:
                return

    def _grown(self) -> Iterator[Event]:
        growth = self._chat.growth
        if growth is None:
            return
        text, calls = growth.text, growth.calls
        if growth.turn != self._turn:
            self._turn, self._text, self._calls = growth.turn, "", ()
        if calls != self._calls:
            self._calls = calls
            yield Activities(growth.turn, calls)
        if text == self._text:
            return
        goes_on = text.startswith(self._text)
        new = text[len(self._text) :] if goes_on else text
        self._text = text
        yield Draft(growth.turn, new, whole=not goes_on)


class Chat:
    """One person's conversation as far as terminals are concerned."""

    def __init__(self) -> None:
        self.terminals: list[Terminal] = []
        self.growth: Growth | None = None

    def wake(self) -> None:
        """Every terminal looks again at what grows."""
        for terminal in self.terminals:
            terminal.wake()

    def tell(self, event: Event) -> None:
        """Every terminal gets this event."""
        for terminal in self.terminals:
            terminal.push(event)


class Chats:
    """All chats in which a terminal looks on or an answer grows."""

    def __init__(self) -> None:
        self._chats: dict[str, Chat] = {}

    def watched(self, name: str) -> bool:
        """Whether a terminal looks at this chat."""
        chat = self._chats.get(name)
        return chat is not None and bool(chat.terminals)

    def tell(self, name: str, event: Event) -> None:
        """Tell whoever looks; nobody is fine."""
        if name in self._chats:
            self._chats[name].tell(event)

    def grow(self, name: str, turn: str) -> Growth:
        """An answer begins to grow."""
        chat = self._chats.setdefault(name, Chat())
        chat.growth = Growth(chat, turn)
        return chat.growth

    def end(self, name: str, growth: Growth, event: Said | Ended) -> None:
        """It is finished, or given up."""
        growth.end(event)
        self._tidy(name)

    def drop(self, name: str, growth: Growth) -> None:
        """It grows on elsewhere, or nowhere."""
        growth.drop()
        self._tidy(name)

    @contextmanager
    def looking(self, name: str) -> Iterator[Terminal]:
        """A terminal looks at a chat, from the moment of the call."""
        chat = self._chats.setdefault(name, Chat())
        terminal = Terminal(chat)
        chat.terminals.append(terminal)
        try:
            yield terminal
        finally:
            chat.terminals.remove(terminal)
            self._tidy(name)

    def close(self) -> None:
        """Hang up on every terminal."""
        for chat in self._chats.values():
            for terminal in chat.terminals:
                terminal.close()

    def _tidy(self, name: str) -> None:
        chat = self._chats.get(name)
        if chat is not None and not chat.terminals and chat.growth is None:
            del self._chats[name]
