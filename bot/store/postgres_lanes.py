"""Leases, claims and the head of a lane on PostgreSQL, all by the database's clock."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.conversation import ConversationId, InboundId, Step, Turn
from bot.domain.records import Approval, Asked, Claim, Head, Node, Waiting
from bot.errors import Transient
from bot.store import statements_postgres as say
from bot.store import statements_postgres_claims as claims
from bot.store.codec import decode_inbound, decode_refusal, decode_sent, decode_step, decode_turn
from bot.store.lines import Origin
from bot.store.postgres_pool import Row
from bot.store.postgres_room import CHANNEL, FRESH, PostgresRoom, held
from bot.store.postgres_sql import shared
from bot.store.questions import LOOK_BACK, asked_of, turn_that_asked
from bot.store.reading import (
    HEAD_LIMIT,
    approval_of,
    conversation_of,
    open_question,
    outbox_row,
    session_of,
)
from bot.store.statements import NEWEST_WAITING
from bot.store.statements_postgres_upkeep import CLOCK
from bot.store.statements_upkeep import NEWEST_TURNS, PIECES_OF_TURN
from bot.store.times import from_micros, micros_of, to_micros

SLOT_GRACE = 2_000_000
"""How long (µs) after its slot closed a piece may still be reported."""

_CONVERSATION = slice(0, 8)
_SESSION = slice(8, 15)
_REST = slice(15, None)


class PostgresLanes(PostgresRoom):
    async def join(self, name: str, lease: timedelta) -> Node:
        values = {"name": name, "lease": micros_of(lease.total_seconds())}
        ((epoch,),) = await self._pool.fetch(claims.JOIN, values)
        asked = asyncio.get_running_loop().time()
        ((now,),) = await self._pool.fetch(CLOCK, {})
        self._tell(now, asked)
        return Node(name, epoch)

    async def renew(self, node: Node, lease: timedelta) -> bool:
        seconds = lease.total_seconds()
        values = {**_me(node), "lease": micros_of(seconds)}
        asked = asyncio.get_running_loop().time()
        try:
            # An answer that comes later than the next renewal is due is of no use.
            async with asyncio.timeout(seconds / 3):
                rows = await self._lease_pool.fetch(claims.RENEW, values)
        except TimeoutError as error:
            raise Transient("the lease could not be renewed in time") from error
        if rows:
            self._tell(rows[0][0], asked)
        if rows and rows[0][0] - self._windows_since > FRESH:
            self._windows.clear()
            self._windows_since = rows[0][0]
        return bool(rows)

    def _tell(self, now: int, asked: float) -> None:
        """A node's clock may be wrong; what it writes is compared with what others wrote."""
        if self._follow is not None:
            self._follow(from_micros(now), asyncio.get_running_loop().time() - asked)

    async def rejoin(self, node: Node, lease: timedelta) -> Node | None:
        following = node.epoch + self._stride
        values = {**_me(node), "next": following, "lease": micros_of(lease.total_seconds())}
        rows = await self._lease_pool.fetch(claims.REJOIN, values)
        return Node(node.name, rows[0][0]) if rows else None

    async def leave(self, node: Node) -> None:
        await self._pool.fetch(claims.LEAVE, {**_me(node), "channel": CHANNEL})

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        values = {**_me(node), "limit": limit, "after": self._served}
        rows = await self._pool.fetch(claims.CLAIM, values)
        if rows and rows[0][3] is not None:
            self._served = rows[0][3]
        return [self._claimed(node, row) for row in rows]

    async def claim_one(self, node: Node, conversation: ConversationId) -> Claim | None:
        values = {**_me(node), "conversation": conversation}
        rows = await self._pool.fetch(claims.CLAIM_ONE, values)
        return self._claimed(node, rows[0]) if rows else None

    async def head(self, claim: Claim) -> Head:
        row = await self._write(claim, say.HEAD, {"most": HEAD_LIMIT})
        now, last, closes_at, waits, turns, steps, unsent, asked = row[_REST]
        conversation = conversation_of(row[_CONVERSATION])
        waiting = tuple(_waiting(one) for one in waits or ())
        turn = _unfinished(turns)
        self._saw(claim, conversation.address, [_origin(one) for one in waiting])
        return Head(
            conversation=conversation,
            now=from_micros(now),
            next_message=last + 1,
            session=session_of(claim.conversation, row[_SESSION]),
            turn=turn,
            steps=_steps(turn, steps),
            waiting=waiting,
            outbox=tuple(outbox_row(one) for one in unsent or ()),
            approval=open_question(
                {one[0]: approval_of(claim.conversation, one) for one in asked or ()},
                waiting,
                from_micros(now),
            ),
            slot_closes_at=_parked(closes_at, unsent or (), now),
        )

    async def newest(self, claim: Claim) -> Sequence[Waiting]:
        values = {**held(claim), "limit": HEAD_LIMIT}
        rows = await self._pool.fetch(shared(NEWEST_WAITING), values)
        return tuple(_waiting(row) for row in reversed(rows))

    async def asked(self, approval: Approval) -> Asked | None:
        where = {"conversation": approval.conversation}
        newest = await self._pool.fetch(shared(NEWEST_TURNS), {**where, "limit": LOOK_BACK})
        turn = turn_that_asked(approval, newest)
        if turn is None:
            return None
        return asked_of(await self._pool.fetch(shared(PIECES_OF_TURN), {**where, "which": turn}))

    async def release(self, claim: Claim, *, wake_at: datetime | None = None) -> bool:
        wake = None if wake_at is None else to_micros(wake_at)
        (given_back,) = await self._write(claim, say.RELEASE, {"wake": wake})
        if given_back:
            self._lost(claim)
        return bool(given_back)

    async def let_go(self, node: Node, held: Collection[ConversationId]) -> int:
        values = {**_me(node), "held": list(held)}
        return len(await self._pool.fetch(claims.LET_GO, values))

    async def wake_up_in(self) -> float | None:
        ((rest,),) = await self._pool.fetch(claims.NEXT_WAKE, {})
        return None if rest is None else max(0, rest) / 1_000_000


def _me(node: Node) -> dict[str, Any]:
    return {"node": node.name, "holder": node.epoch}


def _waiting(row: Row) -> Waiting:
    id, body, received_at, refusal = row
    return Waiting(
        InboundId(id), decode_inbound(body), from_micros(received_at), decode_refusal(refusal)
    )


def _origin(waiting: Waiting) -> Origin:
    inbound = waiting.inbound
    return Origin(waiting.id, inbound.event_key, inbound.message.platform_id)


def _unfinished(rows: Sequence[Row] | None) -> Turn | None:
    if not rows:
        return None
    _, body, draft = rows[0]
    return replace(decode_turn(body), draft=decode_sent(draft))


def _steps(turn: Turn | None, rows: Sequence[Row] | None) -> tuple[Step, ...]:
    if turn is None or not rows:
        return ()
    return tuple(decode_step(body) for id, body in rows if id == turn.id)


def _parked(closes_at: int | None, unsent: Sequence[Row], now: int) -> datetime | None:
    """Until when a platform's request may still take, or report, a piece."""
    taken = [row[-1] + SLOT_GRACE for row in unsent if row[-1] is not None]
    latest = max(closes_at or 0, *taken, 0)
    return from_micros(latest) if latest > now else None
