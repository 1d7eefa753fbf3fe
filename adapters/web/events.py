"""What open pages are told: growing answers, finished ones, and nothing twice.

An answer that grows is a state, not a queue: a page that reads slowly gets one longer `draft`
instead of many. Everything else waits in a short queue for each page; a page that lets its queue
overflow is hung up on, comes back with its last id and reads the rest from the history.
"""

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import Literal

from adapters.web.render import (
    Shown,
    draft_event,
    event,
    snapshot_event,
    status_event,
    tells_of_forgetting,
)

QUEUE = 64
ANSWERS_KEPT = 4
FORGOTTEN = b""
"""Stands for an answer that is not to be shown again: its turn is over all the same."""

State = Literal["done", "interrupted"]

POSITION = re.compile(r"(?P<turn>[0-9]{1,20})\.(?:(?P<characters>[0-9]{1,12})|end)")


@dataclass(frozen=True, slots=True)
class Position:
    """How much of which answer a page has: an event's id, `<turn>.<characters>`.

    `characters` is None once the page has been told that the turn is over.
    """

    turn: str
    characters: int | None

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """Read a `Last-Event-ID`; None where it is nothing that we wrote."""
        found = POSITION.fullmatch(text)
        if found is None:
            return None
        return cls(found["turn"], int(found["characters"]) if found["characters"] else None)


class Growth:
    """An answer that is still growing.

    `marks` are the lengths at which this very text was sent: only there may a page that comes
    back be given the rest; everybody else gets the whole text. A text that is replaced instead
    of appended to takes a new version and has no marks. `began` orders runs of one turn: a run
    that began later, here or on another node, takes the place of the one before. A `borrowed`
    one grows on another node.
    """

    def __init__(
        self, place: "Place", turn: str, began: float = 0.0, *, borrowed: bool = False
    ) -> None:
        self.turn = turn
        self.began = began
        self.borrowed = borrowed
        self.text = ""
        self.activities: tuple[Shown, ...] = ()
        self.version = place.new_version()
        self.marks: set[int] = set()
        self._place = place

    @property
    def live(self) -> bool:
        """Whether this is what grows there now."""
        return self._place.growth is self

    def show(self, text: str, activities: tuple[Shown, ...]) -> None:
        """The whole text so far."""
        if not text.startswith(self.text):
            self.version = self._place.new_version()
            self.marks.clear()
        self.text, self.activities = text, activities
        if self.live:
            self._place.wake()


class Stream:
    """One open page: what it has, and what waits for it."""

    def __init__(self, place: "Place", last: Position | None) -> None:
        self._place = place
        self._wake = asyncio.Event()
        self._queue: deque[bytes] = deque()
        self._turn: str | None = None
        self._version = 0
        self._characters = 0
        self._activities: tuple[Shown, ...] = ()
        self.closed = False
        # The turn of which the page may have something that we cannot vouch for: it gets a
        # snapshot. A fresh page may come in the middle of an answer.
        growing = None if place.growth is None else place.growth.turn
        self._unsure = growing if last is None else last.turn
        # The newest turn of which it had the end before its line broke.
        self._over = int(last.turn) if last is not None and last.characters is None else -1
        if last is not None:
            self._resume(last)

    def push(self, data: bytes) -> None:
        """Queue an event; a full queue closes the stream."""
        if len(self._queue) >= QUEUE:
            self.close()
            return
        self._queue.append(data)
        self._wake.set()

    def knows(self, turn: str) -> bool:
        """Whether the page had the end of this turn before its line broke."""
        return int(turn) <= self._over

    def wake(self) -> None:
        """There may be something to take."""
        self._wake.set()

    def close(self, farewell: bytes = b"") -> None:
        """Hang up after what is queued; the page may come back."""
        if farewell:
            self._queue.append(farewell)
        self.closed = True
        self._wake.set()

    async def wait(self) -> None:
        """Until there may be something to take."""
        await self._wake.wait()

    def take(self) -> bytes:
        """Everything to write now."""
        self._wake.clear()
        queued = b"".join(self._queue)
        self._queue.clear()
        growth = self._place.growth
        return queued if growth is None else queued + self._grown(growth)

    def _grown(self, growth: Growth) -> bytes:
        mine = self._turn == growth.turn and self._version == growth.version
        whole = growth.turn in (self._turn, self._unsure) and not mine
        text = growth.text[self._characters :] if mine else growth.text
        news = growth.activities != (self._activities if mine else ())
        if not (text or news or (whole and self._turn == growth.turn)):
            return b""
        seen = len(growth.text)
        self._turn, self._version, self._characters = growth.turn, growth.version, seen
        self._activities = growth.activities
        growth.marks.add(seen)
        if whole:
            return snapshot_event(growth.turn, seen, growth.text, growth.activities)
        status = status_event(growth.turn, growth.activities) if news else b""
        return status + (draft_event(growth.turn, seen, text) if text else b"")

    def _resume(self, last: Position) -> None:
        growth = self._place.growth
        if growth is not None and growth.turn == last.turn and last.characters in growth.marks:
            self._turn, self._version = growth.turn, growth.version
            self._characters = last.characters or 0
        self._queue.extend(self._place.said_since(last))


class Place:
    """One visitor's conversation as far as open pages are concerned."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.growth: Growth | None = None
        self._versions = 0
        self._said: deque[tuple[str, bytes]] = deque(maxlen=ANSWERS_KEPT)

    @property
    def at_rest(self) -> bool:
        """Nobody looks and nothing grows."""
        return not self.streams and self.growth is None

    @property
    def forgettable(self) -> bool:
        """Nothing here would be missed."""
        return self.at_rest and not self.said

    @property
    def said(self) -> list[bytes]:
        """The newest that was said, oldest first."""
        return [data for _, data in self._said if data != FORGOTTEN]

    def forget(self) -> None:
        """Nothing that was said so far is to be shown again."""
        turns = [turn for turn, _ in self._said]
        self._said.clear()
        self._said.extend((turn, FORGOTTEN) for turn in turns)

    def new_version(self) -> int:
        """A number that no text here had before."""
        self._versions += 1
        return self._versions

    def wake(self) -> None:
        """Every page looks again at what grows."""
        for stream in self.streams:
            stream.wake()

    def tell(self, data: bytes) -> None:
        """Every open page gets this event."""
        for stream in self.streams:
            stream.push(data)

    def say(self, turn: str, said: bytes, state: State, *, heard: bool = False) -> None:
        """A turn is over; kept a while for pages whose connection is being mended.

        What is `heard` from another node may be known: here, or to a page that came from there.
        """
        data = said + event("ended", {"turn": turn, "state": state}, id=f"{turn}.end")
        if heard and any(known in self._said for known in ((turn, data), (turn, FORGOTTEN))):
            return
        if tells_of_forgetting(said):
            self.forget()
        self._said.append((turn, data))
        for stream in self.streams:
            if not (heard and stream.knows(turn)):
                stream.push(data)

    def stop(self, turn: str) -> None:
        """This turn grows no more."""
        if self.growth is not None and self.growth.turn == turn:
            self.growth = None

    def is_over(self, turn: str) -> bool:
        """Whether the end of this turn was told."""
        return any(turn == known for known, _ in self._said)

    def said_since(self, last: Position) -> list[bytes]:
        """What was said while a page was away, from the turn that it knows."""
        turns = [turn for turn, _ in self._said]
        if last.turn not in turns:
            # A page that was cut off in a turn that still grows knows all that went before, and
            # numbers of turns rise: what is younger was said elsewhere, or before a restart. Not
            # all of it is in the history (the answers to commands are not).
            return [data for turn, data in self._said if _is_younger(turn, last.turn)]
        first = turns.index(last.turn)
        if last.characters is None:
            first = len(turns) - turns[::-1].index(last.turn)
        return [data for _, data in list(self._said)[first:]]


def _is_younger(turn: str, than: str) -> bool:
    return turn.isdecimal() and than.isdecimal() and int(turn) > int(than)
