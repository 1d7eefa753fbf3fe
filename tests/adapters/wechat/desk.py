"""An engine of a few lines: stores, thinks for as long as a test says, and hands out pieces."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bot import Adapter, Ambiguous, Clock, Held, Inbound, Kind, Outbound, Sent, Transient
from tests.fakes import until

LOOK_EVERY = 0.2
_SPOKEN = (Kind.MESSAGE, Kind.COMMAND, Kind.BUTTON)


@dataclass(slots=True, eq=False)
class Row:
    """One piece; `by` is the slot that has taken it."""

    piece: Outbound
    state: str = "queued"
    by: object = None
    takes: int = 0


@dataclass(slots=True)
class Chat:
    """One conversation: what was accepted, what is to be sent, which calls are open."""

    keys: dict[str, bool] = field(default_factory=dict)
    """By event key: whether its answer is written."""
    rows: list[Row] = field(default_factory=list)
    slots: set[object] = field(default_factory=set)

    def unsent(self) -> list[Row]:
        """In the order in which they must leave."""
        return [row for row in self.rows if row.state in ("queued", "sending", "held")]


class Desk:
    """`Receive` for one adapter; what it answers and how long that takes is a test's choice."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.adapter: Adapter | None = None
        self.inbounds: list[Inbound] = []
        self.deliveries: list[tuple[Inbound, timedelta | None]] = []
        self.shut = 0
        """So many attempts will be refused."""
        self.lost: list[Outbound] = []
        self.chats: dict[str, Chat] = {}
        self._answers: deque[tuple[str, float]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def will_say(self, text: str, after: float = 0.0) -> None:
        """The answer to the next message, after so many seconds of the desk's time."""
        self._answers.append((text, after))

    async def __call__(self, inbound: Inbound, open_for: timedelta | None = None, /) -> "Receipt":
        self.deliveries.append((inbound, open_for))
        if self.shut > 0:
            self.shut -= 1
            raise Transient("the database is away")
        await asyncio.sleep(0)
        chat = self.chats.setdefault(str(inbound.address), Chat())
        new = inbound.event_key not in chat.keys
        if new:
            chat.keys[inbound.event_key] = False
            self.inbounds.append(inbound)
        receipt = Receipt(self, chat, inbound, new=new, is_open=open_for is not None)
        if new and inbound.kind in _SPOKEN:
            self._run(inbound, chat)
        return receipt

    @property
    def texts(self) -> list[str]:
        """What was said, in the order of acceptance."""
        return [inbound.text for inbound in self.inbounds]

    async def has(self, count: int) -> None:
        """Return once so many messages are accepted."""
        await until(lambda: len(self.inbounds) >= count, 10)

    async def at_rest(self) -> None:
        """Return once everything is thought about."""
        await until(lambda: not self._tasks, 20)

    async def send_what_waits(self, chat: Chat) -> None:
        """By the front door, in order, until something has to wait."""
        assert self.adapter is not None
        while not chat.slots and (unsent := chat.unsent()):
            row = unsent[0]
            if row.state == "sending":
                return
            row.state = "sending"
            try:
                await self.adapter.send(row.piece)
            except Held:
                row.state = "held"
                return
            row.state = "sent"

    async def close(self) -> None:
        """Think no more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, inbound: Inbound, chat: Chat) -> None:
        task = asyncio.create_task(self._answer(inbound, chat))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, inbound: Inbound, chat: Chat) -> None:
        text, after = self._answers.popleft() if self._answers else (f"re: {inbound.text}", 0.0)
        await self.clock.sleep(after)
        assert self.adapter is not None
        whole = Outbound(f"{len(self.inbounds)}", inbound.address, text)
        pieces: Sequence[Outbound] = self.adapter.pieces(whole)
        chat.rows += [Row(piece) for piece in pieces]
        chat.keys[inbound.event_key] = True
        await self.send_what_waits(chat)


class Receipt:
    """What the port promises: pieces one after another, each reported once, in order."""

    def __init__(
        self, desk: Desk, chat: Chat, inbound: Inbound, *, new: bool, is_open: bool
    ) -> None:
        self.new = new
        self._desk = desk
        self._chat = chat
        self._key = inbound.event_key
        self._open = is_open
        self._taken: deque[Row] = deque()
        if is_open:
            chat.slots.add(self)

    async def reply(self, within: timedelta) -> Outbound | None:
        clock = self._desk.clock
        until_then = clock.monotonic() + within.total_seconds()
        while self._open:
            settled = self._chat.keys[self._key]
            row = self._next()
            if row is not None:
                row.state, row.by = "sending", self
                row.takes += 1
                self._taken.append(row)
                return row.piece
            rest = until_then - clock.monotonic()
            if settled or rest <= 0:
                break
            await clock.sleep(min(LOOK_EVERY, rest))
        if not self._taken:
            await self._close()
        return None

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        if not self._taken:
            return
        row = self._taken.popleft()
        row.by = None
        if isinstance(outcome, Sent):
            row.state = "sent"
        elif isinstance(outcome, Held):
            row.state = "queued"
        else:
            row.state = "lost"
            self._desk.lost.append(row.piece)
        if not self._taken:
            await self._close()

    def _next(self) -> Row | None:
        mine = [row for row in self._chat.unsent() if row.by is not self]
        return mine[0] if mine and mine[0].state != "sending" else None

    async def _close(self) -> None:
        if self._open:
            self._open = False
            self._chat.slots.discard(self)
            await self._desk.send_what_waits(self._chat)
