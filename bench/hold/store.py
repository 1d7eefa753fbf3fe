"""PostgreSQL's part of a turn: what accepting, claiming, reading and finishing cost the server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from bench import alone
from bench.hold.figures import Figure
from bench.hold.house import House
from bench.hold.plan import Row, Sizes
from bot.domain.conversation import Session, Turn, TurnId, TurnState
from bot.domain.message import Message, Outbound, Role, Sent, Text
from bot.domain.records import Claim, Finish, Head, OutboxRow, Spent
from bot.engine.runner import BATCH
from bot.ports import Store

LEASE = timedelta(minutes=10)
GATE = 64
"""Statements that are asked for at once; the pool has fewer connections."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Phase:
    """How long a step took for all lanes, and what the server used."""

    name: str
    seconds: float
    server: float


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """One message in each of so many conversations, one step after the other for all of them."""
    server = await house.server()
    store = alone.open_store(await house.database(row))
    await store.open()
    phases: list[Phase] = []

    async def timed(name: str, work: Awaitable[R]) -> R:
        began, used = time.monotonic(), server.cpu()
        found = await work
        phases.append(Phase(name, time.monotonic() - began, server.cpu() - used))
        return found

    try:
        lanes = sizes.lanes
        await timed("accept", alone.fill(store, lanes, lanes))
        claims = await timed(f"claim, {BATCH} at a time", _claim_all(store, lanes))
        heads = await timed("head", _each(store.head, claims))
        work = [_Turn(store, claim, head) for claim, head in zip(claims, heads, strict=True)]
        await timed("start", _each(_Turn.start, work))
        queued = await timed("finish", _each(_Turn.finish, work))
        sent = [(claim, rows[0]) for claim, rows in zip(claims, queued, strict=True)]

        async def has_left(one: tuple[Claim, OutboxRow]) -> None:
            await store.sent(*one, Sent("1"))

        await timed("sent", _each(has_left, sent))
        await timed("release", _each(store.release, claims))
    finally:
        await store.close()
    rates = [Figure(f"{one.name}: lanes a second", lanes / one.seconds, "/s") for one in phases]
    costs = [
        Figure(f"{one.name}: CPU of PostgreSQL", one.server * 1e3 / lanes, "ms") for one in phases
    ]
    total = sum(one.server for one in phases) * 1e3 / lanes
    return [*rates, *costs, Figure("all of them: CPU of PostgreSQL a turn", total, "ms")]


async def _claim_all(store: Store, lanes: int) -> list[Claim]:
    node = await store.join("bench:1", LEASE)
    found: list[Claim] = []
    while len(found) < lanes:
        found += await store.claim(node, BATCH)
    return found


async def _each(do: Callable[[T], Awaitable[R]], things: Sequence[T]) -> list[R]:
    gate = asyncio.Semaphore(GATE)

    async def one(thing: T) -> R:
        async with gate:
            return await do(thing)

    return await asyncio.gather(*(one(thing) for thing in things))


class _Turn:
    """One turn of one lane."""

    def __init__(self, store: Store, claim: Claim, head: Head) -> None:
        self._store = store
        self._claim = claim
        self._head = head
        id = head.conversation.id
        self._session = Session(id, 1, head.now, head.now, first=head.next_message)
        row = head.waiting[0]
        self._turn = Turn(TurnId(row.id), id, 1, row.inbound.sender, (row.id,), head.now, "")

    async def start(self) -> None:
        await self._store.start(self._claim, self._turn, self._session)

    async def finish(self) -> Sequence[OutboxRow]:
        head, row = self._head, self._head.waiting[0]
        answer = Message(Role.ASSISTANT, (Text(alone.ANSWER),), head.now, id=head.next_message + 1)
        piece = Outbound(f"{self._turn.id}/0", head.conversation.address, alone.ANSWER)
        finish = Finish(
            replace(self._turn, state=TurnState.ANSWERED),
            self._session,
            messages=(replace(row.inbound.message, id=head.next_message), answer),
            pieces=(piece,),
            done=(row.id,),
            spent=(Spent("main", input=400, output=40, calls=1),),
            sending_first=True,
        )
        return await self._store.finish(self._claim, finish)
