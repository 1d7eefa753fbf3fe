"""The journal of turns on SQLite: begun, stepped, finished in one transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from bot.domain.conversation import InboundId, Session, Step, Turn, TurnId
from bot.domain.message import Message, Outbound, Sent
from bot.domain.records import Claim, Finish, OutboxRow
from bot.errors import Permanent
from bot.store import statements
from bot.store.codec import (
    decode_inbound,
    encode_message,
    encode_outbound,
    encode_sent,
    encode_step,
    encode_turn,
)
from bot.store.lines import Line, Origin, lines_of
from bot.store.names import person_of
from bot.store.operating import subject_of
from bot.store.sqlite_room import Owner, SqliteRoom, holding, owner
from bot.store.statements_operators import ADD_UNSURE, UNSURE
from bot.store.times import aware, to_micros
from bot.store.writing import outbox_rows_of, session_values

DONE, DEAD = 1, 2
"""What `inbox.state` says of a row that needs no more work."""

_Write = tuple[str, Mapping[str, Any]]


class SqliteJournal(SqliteRoom):
    async def start(self, claim: Claim, turn: Turn, session: Session) -> None:
        body, now, values = encode_turn(turn), self._now(), session_values(session)

        def write(db: sqlite3.Connection) -> None:
            whose, address = holding(db, claim)
            person = person_of(address, turn.sender)
            db.execute(statements.PUT_TURN, _turn_values(whose, turn, (person, now, None), body))
            db.execute(statements.PUT_SESSION, {**whose._asdict(), **values})
            if not turn.keeps_question:
                who = {"conversation": claim.conversation, "who": turn.sender.id}
                db.execute(statements.DROP_APPROVAL, who)

        if turn.attempts > 1:
            # What ended the process before may do so again at once: it has to be counted.
            await self._writer.run(write)
        else:
            self._writer.post(write)

    async def step(self, claim: Claim, turn: TurnId, step: Step, *, durable: bool) -> None:
        values = {"turn": turn, "n": step.n, "body": encode_step(step)}

        def write(db: sqlite3.Connection) -> None:
            db.execute(statements.PUT_STEP, {**owner(db, claim)._asdict(), **values})

        if durable:
            await self._writer.run(write)
        else:
            self._writer.post(write)

    async def draft(self, claim: Claim, turn: TurnId, sent: Sent) -> None:
        values = {"conversation": claim.conversation, "which": turn, "stands": encode_sent(sent)}

        def write(db: sqlite3.Connection) -> None:
            owner(db, claim)
            db.execute(statements.PUT_DRAFT, values)

        await self._writer.run(write)

    async def finish(self, claim: Claim, finish: Finish) -> Sequence[OutboxRow]:
        now = self._now()
        rows = outbox_rows_of(claim, finish, now)
        ending = _Ending(claim, finish, now, rows)
        with self._windows.doubted(claim.conversation):
            messages = await self._writer.run(ending.write)
        self._windows.extend(claim.conversation, messages)
        return rows

    async def skip(self, claim: Claim, done: Sequence[InboundId]) -> None:
        now = self._now()

        def write(db: sqlite3.Connection) -> None:
            owner(db, claim)
            for id in done:
                _close(db, claim, id, DONE, now)

        await self._writer.run(write)


class _Ending:
    """The end of a turn: what can be prepared on the loop is, the rest is one transaction."""

    def __init__(self, claim: Claim, finish: Finish, now: int, rows: Sequence[OutboxRow]) -> None:
        aware(*(message.sent_at for message in finish.messages))
        self._claim = claim
        self._finish = finish
        self._now = now
        self._turn_body = encode_turn(finish.turn)
        active_at = max(to_micros(finish.session.active_at), now)
        self._session = {**session_values(finish.session), "active_at": active_at}
        self._outbox = [_outbox_values(row) for row in rows]

    def write(self, db: sqlite3.Connection) -> list[Message]:
        """What the transcript now holds, with the edits that came in while the turn ran."""
        whose, address = holding(db, self._claim)
        common = whose._asdict()
        person = person_of(address, self._finish.turn.sender)
        ended = _turn_values(
            whose, self._finish.turn, (person, self._now, self._now), self._turn_body
        )
        if not db.execute(statements.PUT_TURN, ended).rowcount:
            raise Permanent(f"turn {self._finish.turn.id} has ended already")
        lines = lines_of(self._finish, self._close_inbox(db), address)
        db.executemany(statements.ADD_MESSAGE, [{**common, **_line_values(line)} for line in lines])
        db.execute(statements.PUT_SESSION, {**common, **self._session})
        if self._outbox:
            db.executemany(statements.ADD_OUTBOX, [{**common, **row} for row in self._outbox])
        for spent in self._spent(common, person):
            db.execute(statements.ADD_USAGE, spent)
        for statement, values in self._tidy(common):
            db.execute(statement, values)
        return [line.message for line in lines]

    def _close_inbox(self, db: sqlite3.Connection) -> list[Origin]:
        origins = []
        for ids, state in ((self._finish.done, DONE), (self._finish.dead, DEAD)):
            for id in ids:
                origins += _close(db, self._claim, id, state, self._now)
        return origins

    def _spent(self, common: Mapping[str, Any], person: str) -> list[dict[str, Any]]:
        return [
            {
                **common,
                "turn": self._finish.turn.id,
                "rung": spent.rung,
                "person": person,
                "spent_at": self._now,
                "input": spent.input,
                "output": spent.output,
                "cached": spent.cached,
                "calls": spent.calls,
            }
            for spent in self._finish.spent
        ]

    def _tidy(self, common: Mapping[str, Any]) -> list[_Write]:
        where = {"conversation": self._claim.conversation, "which": self._finish.turn.id}
        writes: list[_Write] = [(statements.DROP_STEPS, where), (statements.DROP_TEXTS, where)]
        approval = self._finish.approval
        if approval is not None:
            values = {
                **common,
                "sender": approval.sender,
                "tool": approval.tool,
                "arguments": approval.arguments,
                "expires_at": to_micros(approval.expires_at),
            }
            writes.append((statements.PUT_APPROVAL, values))
        for unsure in self._finish.unsure:
            what = subject_of(self._claim.conversation, self._finish.turn.id, unsure)
            found = {"conversation": where["conversation"], "doing": UNSURE, "what": what}
            writes.append((ADD_UNSURE, {**found, "now": self._now}))
        return writes


def _turn_values(
    whose: Owner, turn: Turn, run: tuple[str, int, int | None], body: str
) -> dict[str, Any]:
    person, started_at, ended_at = run
    return {
        **whose._asdict(),
        "id": turn.id,
        "person": person,
        "state": turn.state.value,
        "draft": encode_sent(turn.draft),
        "started_at": started_at,
        "ended_at": ended_at,
        "body": body,
    }


def _line_values(line: Line) -> dict[str, Any]:
    return {
        "seq": line.message.id,
        "turn": line.turn,
        "person": line.person,
        "platform_id": line.message.platform_id,
        "event_key": line.event_key,
        "sent_at": to_micros(line.message.sent_at),
        "body": encode_message(line.message),
    }


def _outbox_values(row: OutboxRow) -> dict[str, Any]:
    outbound: Outbound = row.outbound
    expires_at = outbound.expires_at
    return {
        "turn": row.turn,
        "piece": row.piece,
        "state": row.state.value,
        "due_at": to_micros(row.due_at),
        "created_at": to_micros(row.created_at),
        "changed_at": to_micros(row.created_at),
        "expires_at": None if expires_at is None else to_micros(expires_at),
        "attempts": row.attempts,
        "repeats": row.repeats,
        "draft": encode_sent(row.draft),
        "sent": None,
        "error": row.error,
        "slot": None,
        "slot_closes_at": None,
        "body": encode_outbound(outbound),
    }


def _close(
    db: sqlite3.Connection, claim: Claim, id: InboundId, state: int, now: int
) -> list[Origin]:
    values = {"conversation": claim.conversation, "which": id, "ends": state, "now": now}
    return [
        Origin(id, event_key, platform_id, decode_inbound(body).message if was_amended else None)
        for event_key, platform_id, was_amended, body in db.execute(
            statements.CLOSE_INBOX, values
        ).fetchall()
    ]
