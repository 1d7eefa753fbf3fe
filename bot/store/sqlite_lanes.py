"""Leases, claims and the head of a lane on SQLite."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.conversation import ConversationId, InboundId, Step, Turn
from bot.domain.records import Approval, Asked, Claim, Head, Node, OutboxRow, Waiting
from bot.errors import Fenced
from bot.store import statements
from bot.store.codec import decode_inbound, decode_refusal, decode_sent, decode_step, decode_turn
from bot.store.questions import LOOK_BACK, asked_of, turn_that_asked
from bot.store.reading import (
    HEAD_LIMIT,
    approval_of,
    conversation_of,
    open_question,
    outbox_row,
    session_of,
)
from bot.store.sqlite_room import Rows, SqliteRoom, held
from bot.store.statements_upkeep import BURY_NODES, NEWEST_TURNS, PIECES_OF_TURN
from bot.store.times import from_micros, micros_of, to_micros
from bot.store.turns import in_turn

SLOT_GRACE = 2_000_000
"""How long (µs) after its slot closed a piece may still be reported."""

_ABANDONED_EVERY = 1_000_000
"""How often (µs) a claim looks for lanes whose holder died: that walks over all held lanes."""


class SqliteLanes(SqliteRoom):
    async def join(self, name: str, lease: timedelta) -> Node:
        now = self._now()
        values = {
            "name": name,
            # Behind every epoch that a node of this name may have had: its row goes some day.
            "epoch": now,
            "alive_until": now + micros_of(lease.total_seconds()),
        }

        def write(db: sqlite3.Connection) -> int:
            if not self._has_joined:
                # Whoever joined before has died: the lock on the file is ours. Its lease may lie
                # far ahead all the same, where the clock was set back since.
                db.execute(BURY_NODES)
            ((epoch,),) = db.execute(statements.JOIN, values).fetchall()
            self._abandoned_at = 0
            return int(epoch)

        epoch = await self._writer.run(write)
        self._has_joined = True
        return Node(name, epoch)

    async def renew(self, node: Node, lease: timedelta) -> bool:
        now = self._now()
        values = {**_me(node), "now": now, "until": now + micros_of(lease.total_seconds())}
        return await self._writer.run(
            lambda db: bool(db.execute(statements.RENEW, values).rowcount)
        )

    async def rejoin(self, node: Node, lease: timedelta) -> Node | None:
        now = self._now()
        values = {
            "name": node.name,
            "holder": node.epoch,
            "epoch": max(now, node.epoch + 1),
            "alive_until": now + micros_of(lease.total_seconds()),
        }

        def write(db: sqlite3.Connection) -> Node | None:
            found = db.execute(statements.REJOIN, values).fetchall()
            self._abandoned_at = 0
            return Node(node.name, found[0][0]) if found else None

        return await self._writer.run(write)

    async def leave(self, node: Node) -> None:
        def write(db: sqlite3.Connection) -> None:
            db.execute(statements.LEAVE, _me(node))
            self._abandoned_at = 0

        await self._writer.run(write)

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        now = self._now()

        def write(db: sqlite3.Connection) -> list[Claim]:
            values = {**_me(node), "now": now, "limit": limit}
            if not db.execute(statements.IS_ALIVE, values).fetchall():
                return []
            found = self._abandoned(db, {**values, "limit": (limit + 1) // 2})
            found += self._due(db, {**values, "limit": limit - len(found)})
            claims = []
            for (conversation,) in found:
                taken = {**_me(node), "conversation": conversation}
                ((fence,),) = db.execute(statements.TAKE_LANE, taken).fetchall()
                claims.append(Claim(conversation, node, fence, before=fence - 1))
            return claims

        return await self._writer.run(write)

    async def claim_one(self, node: Node, conversation: ConversationId) -> Claim | None:
        values = {**_me(node), "conversation": conversation, "now": self._now()}

        def write(db: sqlite3.Connection) -> Claim | None:
            found = db.execute(statements.CLAIM_ONE, values).fetchall()
            return next(
                (Claim(conversation, node, fence, before=fence - 1) for (fence,) in found), None
            )

        return await self._writer.run(write)

    async def head(self, claim: Claim) -> Head:
        now = self._now()
        found = self._read(statements.HEAD, {**held(claim), "now": now})
        if not found:
            raise Fenced
        row = found[0]
        last, closes_at, thinking, unsent, asked = row[8:13]
        conversation = conversation_of(row[:8])
        turn, steps = self._unfinished(claim) if thinking else (None, ())
        outbox, taken_until = self._unsent(claim) if unsent else ((), None)
        waiting = self._waiting(claim)
        session = session_of(claim.conversation, row[13:])
        return Head(
            conversation=conversation,
            now=from_micros(now),
            next_message=last + 1,
            session=session,
            turn=turn,
            steps=steps,
            waiting=waiting,
            outbox=outbox,
            approval=self._approval(claim, waiting, now) if asked else None,
            slot_closes_at=_latest(closes_at, taken_until, now),
        )

    async def newest(self, claim: Claim) -> Sequence[Waiting]:
        values = {**held(claim), "limit": HEAD_LIMIT}
        rows = self._read(statements.NEWEST_WAITING, values)
        return tuple(_waiting(row) for row in reversed(rows))

    async def asked(self, approval: Approval) -> Asked | None:
        where = {"conversation": approval.conversation}
        newest = self._read(NEWEST_TURNS, {**where, "limit": LOOK_BACK})
        turn = turn_that_asked(approval, newest)
        if turn is None:
            return None
        return asked_of(self._read(PIECES_OF_TURN, {**where, "which": turn}))

    async def release(self, claim: Claim, *, wake_at: datetime | None = None) -> bool:
        values = {**held(claim), "wake": None if wake_at is None else to_micros(wake_at)}

        def write(db: sqlite3.Connection) -> bool:
            if db.execute(statements.GIVE_BACK, values).rowcount:
                return True
            if db.execute(statements.LOOK_AGAIN, values).rowcount:
                return False
            raise Fenced

        return await self._writer.run(write)

    async def let_go(self, node: Node, held: Collection[ConversationId]) -> int:
        me, now = _me(node), self._now()

        def write(db: sqlite3.Connection) -> int:
            found = [id for (id,) in db.execute(statements.HELD_BY, me).fetchall()]
            lost = [{**me, "conversation": id, "now": now} for id in found if id not in held]
            for values in lost:
                db.execute(statements.LET_GO, values)
            return len(lost)

        return await self._writer.run(write)

    async def wake_up_in(self) -> float | None:
        times = [wake_at for _, wake_at in _tenants(self._read)]
        return max(0, min(times) - self._now()) / 1_000_000 if times else None

    def _due(self, db: sqlite3.Connection, values: dict[str, Any]) -> list[Any]:
        """Lanes whose time has come: tenants take turns."""
        waiting = {}
        for tenant, wake_at in _tenants(lambda *asked: db.execute(*asked).fetchall()):
            if wake_at <= values["now"]:
                where = {**values, "tenant": tenant}
                waiting[tenant] = db.execute(statements.DUE, where).fetchall()
        taken = in_turn(waiting, values["limit"], self._served)
        if taken:
            self._served = taken[-1][0]
        return [row for _, row in taken]

    def _abandoned(self, db: sqlite3.Connection, values: dict[str, Any]) -> list[Any]:
        """Lanes whose holder died: whether or not anything woke them, something was begun.

        They get half of the seats: what waits need not wait for all of them.
        """
        if values["now"] - self._abandoned_at < _ABANDONED_EVERY:
            return []
        self._abandoned_at = values["now"]
        found = db.execute(statements.ABANDONED, values).fetchall()
        if len(found) == values["limit"]:
            self._abandoned_at = 0
        return found

    def _unfinished(self, claim: Claim) -> tuple[Turn | None, tuple[Step, ...]]:
        where = {"conversation": claim.conversation}
        found = self._read(statements.HEAD_TURN, where)
        if not found:
            return None, ()
        id, body, draft = min(found)
        steps = self._read(statements.HEAD_STEPS, {**where, "which": id})
        turn = replace(decode_turn(body), draft=decode_sent(draft))
        return turn, tuple(decode_step(text) for (text,) in steps)

    def _unsent(self, claim: Claim) -> tuple[tuple[OutboxRow, ...], int | None]:
        found = self._read(statements.HEAD_OUTBOX, {"conversation": claim.conversation})
        taken = [row[-1] + SLOT_GRACE for row in found if row[-1] is not None]
        return tuple(outbox_row(row) for row in found), max(taken, default=None)

    def _waiting(self, claim: Claim) -> tuple[Waiting, ...]:
        values = {"conversation": claim.conversation, "limit": HEAD_LIMIT}
        return tuple(_waiting(row) for row in self._read(statements.HEAD_WAITING, values))

    def _approval(self, claim: Claim, waiting: Sequence[Waiting], now: int) -> Approval | None:
        found = self._read(statements.HEAD_APPROVALS, {"conversation": claim.conversation})
        asked = {row[0]: approval_of(claim.conversation, row) for row in found}
        return open_question(asked, waiting, from_micros(now))


def _tenants(ask: Callable[[str, Mapping[str, Any]], Rows]) -> Iterator[tuple[str, int]]:
    """Tenants that have a free lane which will wake, and when its first one does."""
    tenant = ""
    while found := ask(statements.NEXT_TENANT, {"tenant": tenant}):
        tenant, wake_at = found[0]
        yield tenant, wake_at


def _me(node: Node) -> dict[str, Any]:
    return {"node": node.name, "holder": node.epoch}


def _waiting(row: tuple[Any, ...]) -> Waiting:
    id, body, received_at, refusal = row
    return Waiting(
        InboundId(id), decode_inbound(body), from_micros(received_at), decode_refusal(refusal)
    )


def _latest(closes_at: int | None, taken_until: int | None, now: int) -> datetime | None:
    latest = max(closes_at or 0, taken_until or 0)
    return from_micros(latest) if latest > now else None
