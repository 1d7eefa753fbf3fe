"""A store of each kind with a clock that a test can move, and words for what tests say to it."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, Session, Turn, TurnId, TurnState
from bot.domain.message import Inbound, Kind, Message, Outbound, Role, Text
from bot.domain.records import Accepted, Claim, Finish, Head, Node, OutboxRow, Placement, Spent
from bot.ports import Store
from bot.store.memory import MemoryStore
from bot.store.memory_rows import Rows
from tests.fakes import FakeClock

LEASE = timedelta(seconds=15)
WEEK = timedelta(days=7)
"""How long what a platform holds back waits."""
CHAT = Address("telegram", "1001", "42")
OTHER_CHAT = Address("telegram", "1001", "43")
ANN = Sender("7", "Ann")
BOB = Sender("8", "Bob")
HERE = Placement("default", "support", "customers")


@dataclass
class World:
    """One database as the tests of the contract see it.

    `age` makes everything that is stored older: the databases' own clocks cannot be moved.
    `another` is a second server's store over the same data where there can be two.
    """

    store: Store
    age: Callable[[float], Awaitable[None]]
    now: Callable[[], datetime]
    another: Callable[[], Awaitable[Store]]
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def inbound(
        self,
        text: str = "hello",
        *,
        key: str | None = None,
        sender: Sender = ANN,
        address: Address = CHAT,
        kind: Kind = Kind.MESSAGE,
        platform_id: str | None = None,
    ) -> Inbound:
        n = next(self.numbers)
        message = Message(
            Role.USER,
            (Text(text),),
            sent_at=self.now(),
            sender=sender,
            platform_id=platform_id or f"m{n}",
        )
        return Inbound(key or f"e{n}", address, sender, message, kind=kind)

    async def accept(self, inbound: Inbound | None = None) -> Accepted:
        return await self.store.accept(inbound or self.inbound(), HERE)

    async def node(self, name: str = "one") -> Node:
        return await self.store.join(name, LEASE)

    async def claimed(self, node: Node | None = None) -> Claim:
        """A message waits, and this node holds its lane."""
        accepted = await self.accept()
        claim = await self.store.claim_one(node or await self.node(), accepted.conversation)
        assert claim is not None
        return claim

    def session(self, head: Head, n: int | None = None) -> Session:
        if head.session is not None and n is None:
            return head.session
        return Session(head.conversation.id, n or 1, head.now, head.now, first=head.next_message)

    def turn(self, head: Head) -> Turn:
        first = head.waiting[0]
        return Turn(
            TurnId(first.id),
            head.conversation.id,
            self.session(head).n,
            first.inbound.sender,
            tuple(row.id for row in head.waiting),
            head.now,
            "customers",
        )

    async def answered(
        self,
        claim: Claim,
        text: str = "an answer",
        *,
        pieces: int = 1,
        sending_first: bool = False,
        expires_at: datetime | None = None,
    ) -> list[OutboxRow]:
        """Start and finish a turn for everything that waits."""
        head = await self.store.head(claim)
        turn = self.turn(head)
        await self.store.start(claim, turn, self.session(head))
        finish = self.finish(head, turn, text, pieces=pieces, expires_at=expires_at)
        return list(await self.store.finish(claim, replace(finish, sending_first=sending_first)))

    def finish(
        self,
        head: Head,
        turn: Turn,
        text: str = "an answer",
        *,
        pieces: int = 1,
        expires_at: datetime | None = None,
    ) -> Finish:
        said = [row.inbound.message for row in head.waiting]
        said.append(Message(Role.ASSISTANT, (Text(text),), sent_at=self.now()))
        return Finish(
            replace(turn, state=TurnState.ANSWERED),
            self.session(head),
            messages=tuple(
                replace(message, id=head.next_message + n) for n, message in enumerate(said)
            ),
            pieces=tuple(
                Outbound(f"{turn.id}/{n}", head.conversation.address, text, expires_at)
                for n in range(pieces)
            ),
            done=tuple(row.id for row in head.waiting),
            spent=(Spent("main", input=100, output=20, calls=1),),
        )

    async def said(self, conversation: ConversationId, first: int = 1) -> list[str]:
        lines = await self.store.window(conversation, first=first, limit=50)
        return [line.text for line in lines]


@asynccontextmanager
async def memory_world(folder: Path) -> AsyncIterator[World]:
    clock, rows = FakeClock(), Rows()
    store = MemoryStore(clock, rows)

    async def another() -> Store:
        return MemoryStore(clock, rows)

    yield World(store, _mover(clock), clock.now, another)


@asynccontextmanager
async def sqlite_world(folder: Path) -> AsyncIterator[World]:
    from bot.store.sqlite import SqliteStore  # noqa: PLC0415

    clock = FakeClock()
    store = SqliteStore(folder / "parley.db", clock)
    await store.open()

    async def another() -> Store:
        return store

    try:
        yield World(store, _mover(clock), clock.now, another)
    finally:
        await store.close()


def _mover(clock: FakeClock) -> Callable[[float], Awaitable[None]]:
    async def age(seconds: float) -> None:
        clock.advance(seconds)

    return age


def kinds() -> list[str]:
    """The kinds of store that this checkout has."""
    found = ["memory", "sqlite", "postgres"]
    return [
        kind for kind in found if kind == "memory" or find_spec(f"bot.store.{kind}") is not None
    ]
