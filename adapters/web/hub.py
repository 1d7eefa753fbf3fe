"""All places where a page is open or an answer grows, on this node and, by hearsay, on others."""

from collections import OrderedDict

from adapters.web.events import Growth, Place, Position, State, Stream
from adapters.web.relay import Grown, Relay, Said, Told
from adapters.web.render import Shown, event

STREAMS_EACH = 5
"""Browsers open six connections to one host: the pages of one visitor must leave one free."""

IDLE_KEPT = 500

AWAY = event("away", {})
"""Told to the oldest page when a visitor opens too many: it stays quiet until it is looked at."""


class Hub:
    """What open pages are told, whichever node the turn runs on.

    Everything that happens here is passed on to `relay`, and what it brings from other nodes is
    shown as if it happened here, but for passing it on.
    """

    def __init__(self, relay: Relay | None = None) -> None:
        self._relay = relay or Relay.to_nobody()
        self._places: dict[str, Place] = {}
        self._idle: OrderedDict[str, Place] = OrderedDict()
        self._closed = False

    async def look(self, chat: str) -> None:
        """Where no page is open here, find out about the other nodes."""
        if not self._watched_here(chat):
            await self._relay.look()

    def watched(self, chat: str) -> bool:
        """Whether a page of this visitor is open."""
        return self._watched_here(chat) or self._relay.watched(chat)

    def _watched_here(self, chat: str) -> bool:
        place = self._places.get(chat)
        return place is not None and bool(place.streams)

    @property
    def streams(self) -> int:
        """How many pages are open here."""
        return sum(len(place.streams) for place in self._places.values())

    # ---- pages ---------------------------------------------------------------------------

    def open(self, chat: str, last: Position | None) -> Stream:
        """A page opens; the visitor's oldest one gives way when there are too many."""
        place = self._place(chat)
        stream = Stream(place, last)
        if len(place.streams) >= STREAMS_EACH:
            place.streams.pop(0).close(AWAY)
        place.streams.append(stream)
        if self._closed:
            stream.close()
        elif len(place.streams) == 1:
            self._relay.watch(chat, lambda word: self._hear(chat, word))
        return stream

    async def announced(self) -> None:
        """Wait until other nodes can know of the pages that are open."""
        await self._relay.told()

    def leave(self, chat: str, stream: Stream) -> None:
        """A page is gone."""
        place = self._place(chat)
        if stream in place.streams:
            place.streams.remove(stream)
            if not place.streams:
                self._relay.leave(chat)
                if place.growth is not None and place.growth.borrowed:
                    place.growth = None  # nobody tells us of it any more
        self._rest(chat, place)

    def said(self, chat: str) -> list[bytes]:
        """The newest that this node said there or heard, oldest first."""
        place = self._known(chat)
        return [] if place is None else place.said

    def forget(self, chat: str) -> None:
        """Nothing that was said there so far is to be shown again."""
        if (place := self._known(chat)) is not None:
            place.forget()

    def close(self) -> None:
        """Hang up on everybody, for good: the server stops."""
        self._closed = True
        for place in self._places.values():
            for stream in place.streams:
                stream.close()

    # ---- what happens here -----------------------------------------------------------------

    def grow(self, chat: str, turn: str, began: float = 0.0) -> Growth:
        """An answer begins to grow; it takes the place of one that was left behind."""
        place = self._place(chat)
        place.growth = Growth(place, turn, began)
        return place.growth

    def show(self, chat: str, growth: Growth, text: str, activities: tuple[Shown, ...]) -> None:
        """The whole text so far."""
        growth.show(text, activities)
        if growth.live:
            self._relay.grow(chat, Grown(growth.turn, growth.began, text, activities))

    def end(self, chat: str, growth: Growth, state: State, said: bytes = b"") -> None:
        """A growing answer is over, with its message or without."""
        if growth.live:
            self._place(chat).growth = None
        self._say(chat, growth.turn, said, state)

    def say(self, chat: str, turn: str, said: bytes) -> None:
        """A whole message, whether or not it grew before."""
        self._place(chat).stop(turn)
        self._say(chat, turn, said, "done")

    def drop(self, chat: str, growth: Growth) -> None:
        """It grows on elsewhere, or nowhere."""
        place = self._place(chat)
        if growth.live:
            place.growth = None
            self._relay.grow(chat, None)
        self._rest(chat, place)

    def tell(self, chat: str, data: bytes) -> None:
        """An event for whoever looks now."""
        self._relay.say(chat, Told(data.decode()))
        if (place := self._places.get(chat)) is not None:
            place.tell(data)

    def _say(self, chat: str, turn: str, said: bytes, state: State) -> None:
        self._relay.grow(chat, None)
        self._relay.say(chat, Said(turn, said.decode(), state))
        place = self._place(chat)
        place.say(turn, said, state)
        self._rest(chat, place)

    # ---- what happens on other nodes -------------------------------------------------------

    def _hear(self, chat: str, word: Grown | Said | Told) -> None:
        place = self._places.get(chat)
        if place is None:
            return
        match word:
            case Grown():
                _borrow(place, word)
            case Said():
                place.stop(word.turn)
                place.say(word.turn, word.data.encode(), word.state, heard=True)
            case Told():
                place.tell(word.data.encode())

    # ---- common ------------------------------------------------------------------------------

    def _place(self, chat: str) -> Place:
        place = self._places.get(chat)
        if place is None:
            place = self._idle.pop(chat) if chat in self._idle else Place()
            self._places[chat] = place
        return place

    def _known(self, chat: str) -> Place | None:
        return self._places.get(chat) or self._idle.get(chat)

    def _rest(self, chat: str, place: Place) -> None:
        if not place.at_rest:
            return
        self._places.pop(chat, None)
        if place.forgettable:
            return
        self._idle[chat] = place
        self._idle.move_to_end(chat)
        if len(self._idle) > IDLE_KEPT:
            self._idle.popitem(last=False)


def _borrow(place: Place, word: Grown) -> None:
    """Show what grows on another node, unless we know better."""
    if place.is_over(word.turn):
        return
    growth, run = place.growth, (int(word.turn), word.began)
    if growth is None or (int(growth.turn), growth.began) < run:
        growth = place.growth = Growth(place, word.turn, word.began, borrowed=True)
    elif not growth.borrowed or (int(growth.turn), growth.began) != run:
        return
    growth.show(word.text, word.activities)
