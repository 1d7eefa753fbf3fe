"""Sessions, retention and the operator's side of the outbox, on SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.domain.conversation import ConversationId, Ending, Session, TurnId
from bot.domain.operating import StoreHealth
from bot.domain.records import Claim, IdleRule, Node, OutboxRow, OutboxState, Retention, Swept
from bot.errors import PartlyDone, Transient
from bot.store import statements_upkeep as say
from bot.store.operating import (
    AHEAD,
    LOOKED_AT,
    REMEMBERED,
    RESTS,
    Seen,
    unsure_lasts,
    usage_lasts,
)
from bot.store.reading import readable_rows
from bot.store.sqlite_room import Rows, SqliteRoom, owner
from bot.store.sqlite_wiping import SqliteWiping
from bot.store.statements import LIMIT, WAKE_AT, sql
from bot.store.statements_operators import COUNT_UNSURE, DROP_UNSURE, UNSURE
from bot.store.statements_signals import DROP_SIGNALS
from bot.store.times import micros_of, to_micros

SIGNALS_LAST = micros_of(3600)
TICKS_LAST = micros_of(7 * 86400)


class SqliteSessions(SqliteRoom):
    async def end_session(self, claim: Claim, session: Session, by: Ending) -> None:
        values = {
            "conversation": claim.conversation,
            "which": session.n,
            "how": by.value,
            "now": self._now(),
        }

        def write(db: sqlite3.Connection) -> None:
            owner(db, claim)
            db.execute(say.END_SESSION, values)

        await self._writer.run(write)

    async def sweep(self, rules: Sequence[IdleRule], limit: int = 1000) -> Sequence[Swept]:
        if not rules:
            return []
        now = self._now()
        shortest = min(micros_of(rule.idle_seconds) for rule in rules)
        resting = say.OPEN_SESSIONS.where(say.rested(rules, now)).limit(LIMIT)
        text = sql(resting, by=("session", "ix_session_open"))
        values = {**resting.compile().params, "before": now - shortest, "limit": limit}
        # Found beside the loop; each is asked again when it is ended, in case it woke up.
        found = await self._scan(lambda db: db.execute(text, values).fetchall())

        def write(db: sqlite3.Connection) -> list[Swept]:
            return [
                Swept(ConversationId(where), tenant, n)
                for where, n, active_at, tenant in found
                if db.execute(
                    say.SWEEP,
                    {
                        "conversation": where,
                        "which": n,
                        "how": Ending.IDLE.value,
                        "now": now,
                        "before": active_at,
                    },
                ).rowcount
            ]

        return await self._writer.run(write) if found else []


class SqliteUpkeep(SqliteWiping):
    async def retain(self, rules: Retention) -> Mapping[str, int]:
        now = self._now()
        retain = now - micros_of(rules.retain_seconds)
        journal = {"before": now - micros_of(rules.journal_seconds), "limit": rules.batch}
        lines = {"before": retain, "limit": rules.batch}
        keys = {"before": now - micros_of(rules.keys_seconds), "limit": rules.batch}
        told = {"doing": UNSURE, "before": now - unsure_lasts(rules), "limit": rules.batch}
        most = {"most": LOOKED_AT * rules.batch, **self._seen._asdict()}
        over = {**lines, **most, "over": now - usage_lasts(rules)}
        old = await self._scan(lambda db: _look(db, over))

        def write(db: sqlite3.Connection) -> dict[str, int]:
            for where in {where for where, _ in old.messages}:
                db.execute(say.RAISE_FLOOR, {"conversation": where})
            db.executemany(say.DROP_MESSAGE, _named(old.messages))
            db.executemany(say.EMPTY_TURN, _named(old.emptied))
            spent = _changed(db, say.DROP_USAGE, old.turns)
            db.executemany(say.DROP_TURN, _named(old.turns))
            sessions = _changed(db, say.DROP_SESSION, old.sessions)
            db.executemany(say.FORGET_SUMMARY, _named(old.summaries))
            for statement, lasts in (
                (say.DROP_TICKS, TICKS_LAST),
                (say.DROP_SLOTS, SIGNALS_LAST),
                (say.DROP_QUESTIONS, SIGNALS_LAST),
            ):
                db.execute(statement, {"before": now - lasts})
            return {
                "inbox": db.execute(say.BARE_INBOX, journal).rowcount,
                "outbox": db.execute(say.BARE_SENT, journal).rowcount
                + db.execute(say.BARE_DEAD, lines).rowcount,
                "messages": len(old.messages),
                "turns": len(old.turns) + len(old.emptied),
                "keys": db.execute(say.DROP_INBOX, keys).rowcount
                + db.execute(say.DROP_OUTBOX, keys).rowcount,
                "signals": db.execute(DROP_SIGNALS, {"before": now - SIGNALS_LAST}).rowcount,
                "unsure": db.execute(DROP_UNSURE, told).rowcount,
                "usage": spent,
                "sessions": sessions,
                "nodes": db.execute(say.DROP_NODES, {"before": now - REMEMBERED}).rowcount,
            }

        counts = await self._writer.run(write)
        # Before anything that may fail: those lines are gone.
        for where in {where for where, _ in old.messages}:
            self._windows.drop(ConversationId(where))
        self._seen = old.seen
        try:
            await self._writer.run(_shrink, alone=True)
            await self._wipe_what_is_owed()
        except Transient as error:
            raise PartlyDone(str(error), counts) from error
        return counts

    async def expire_outbox(self, hold: timedelta, limit: int = 1000) -> Sequence[OutboxRow]:
        now = self._now()
        values = {"now": now, "before": now - hold // timedelta(microseconds=1), "limit": limit}

        def write(db: sqlite3.Connection) -> Rows:
            rows = db.execute(say.FIND_EXPIRED, values).fetchall()
            db.executemany(
                say.EXPIRE,
                [
                    {"conversation": where, "which": turn, "nth": piece, "now": now}
                    for where, turn, piece, *_ in rows
                ],
            )
            # Whatever stands behind what was held is in nobody's shadow any longer.
            held = {row[0] for row in rows if row[4] == OutboxState.HELD}
            db.executemany(WAKE_AT, [{"conversation": where, "now": now} for where in held])
            return rows

        # Read only now: a text that cannot be read keeps no other piece from its end.
        rows = readable_rows(await self._writer.run(write))
        return [replace(row, state=OutboxState.DEAD, error="expired") for row in rows]

    async def repair(self) -> int:
        now = self._now()
        latest = {"latest": now + RESTS}
        found = await self._scan(
            lambda db: [
                *db.execute(say.SLEEPING).fetchall(),
                *db.execute(say.OVERSLEEPING, latest).fetchall(),
            ]
        )
        if not found:
            return 0

        def write(db: sqlite3.Connection) -> int:
            return sum(
                db.execute(
                    say.WAKE_SLEEPING, {"conversation": where, "now": now, **latest}
                ).rowcount
                for (where,) in found
            )

        return await self._writer.run(write)

    async def health(self) -> StoreHealth:
        def look(db: sqlite3.Connection) -> StoreHealth:
            ((waiting,),) = db.execute(say.COUNT_WAITING).fetchall()
            ((dead,),) = db.execute(say.COUNT_DEAD).fetchall()
            counts = dict(db.execute(say.COUNT_UNSENT).fetchall())
            ((counts["dead"],),) = db.execute(say.COUNT_BURIED).fetchall()
            recent = {"doing": UNSURE, "since": self._now() - REMEMBERED}
            ((unsure,),) = db.execute(COUNT_UNSURE, recent).fetchall()
            ((pages,),) = db.execute("PRAGMA page_count").fetchall()
            ((size,),) = db.execute("PRAGMA page_size").fetchall()
            return StoreHealth(
                waiting=waiting,
                outbox=tuple(
                    (state.value, counts.get(state.value, 0))
                    for state in OutboxState
                    if state is not OutboxState.SENT
                ),
                dead=dead,
                size_bytes=pages * size,
                unsure=unsure,
            )

        return await self._scan(look)

    async def outbox_retry(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        values = {"conversation": conversation, "which": turn, "nth": piece, "now": self._now()}

        def write(db: sqlite3.Connection) -> bool:
            if not db.execute(say.RETRY, values).rowcount:
                return False
            db.execute(WAKE_AT, values)
            return True

        return await self._writer.run(write)

    async def outbox_drop(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        values = {"conversation": conversation, "which": turn, "nth": piece, "now": self._now()}

        def write(db: sqlite3.Connection) -> bool:
            if not db.execute(say.DROP, values).rowcount:
                return False
            db.execute(WAKE_AT, values)
            return True

        return await self._writer.run(write)

    async def put_setting(self, name: str, value: str) -> str:
        def write(db: sqlite3.Connection) -> str:
            db.execute(say.ADD_SETTING, {"name": name, "value": value})
            ((kept,),) = db.execute(say.GET_SETTING, {"which": name}).fetchall()
            return str(kept)

        return await self._writer.run(write)

    async def claim_tick(self, job: str, scheduled_at: datetime, node: Node) -> bool:
        at, now = to_micros(scheduled_at), self._now()
        row = {"job": job, "scheduled_at": at, "node": node.name, "epoch": node.epoch}
        again = {
            "which": job,
            "at": at,
            "me": node.name,
            "holder": node.epoch,
            "now": now,
            "ahead": now + AHEAD,
        }

        def write(db: sqlite3.Connection) -> bool:
            db.execute(say.DROP_RELIVED, again)
            first = db.execute(say.ADD_TICK, row).rowcount
            return bool(first or db.execute(say.TAKE_TICK, again).rowcount)

        return await self._writer.run(write)

    async def tick_done(self, job: str, scheduled_at: datetime) -> None:
        values = {"which": job, "at": to_micros(scheduled_at), "now": self._now()}
        await self._writer.run(lambda db: db.execute(say.TICK_DONE, values).rowcount)


def _shrink(db: sqlite3.Connection) -> None:
    """Give some of the freed pages back to the disk."""
    db.execute("PRAGMA incremental_vacuum(1000)").fetchall()


class _Old(NamedTuple):
    """What is past its time, each by its conversation and its own number there."""

    messages: list[tuple[int, int]]
    turns: list[tuple[int, int]]
    emptied: list[tuple[int, int]]
    sessions: list[tuple[int, int]]
    summaries: list[tuple[int, int]]
    seen: Seen


def _look(db: sqlite3.Connection, values: Mapping[str, int]) -> _Old:
    """Turns that ended long ago, the transcript's entries that they wrote, their sessions."""
    turns = db.execute(say.OLD_TURNS, values).fetchall()
    newest: dict[int, int] = {}
    for where, turn, _ in turns:
        newest[where] = max(turn, newest.get(where, turn))
    messages = [
        (where, seq)
        for where, turn in newest.items()
        for (seq,) in db.execute(say.OLD_MESSAGES, {"conversation": where, "which": turn})
    ]
    ended = db.execute(say.OLD_SESSIONS, values).fetchall()
    seen = Seen()
    if len(ended) == values["most"]:
        where, n, at, *_ = ended[-1]
        seen = Seen(at, where, n)
    return _Old(
        messages,
        turns=[(where, turn) for where, turn, is_over in turns if is_over],
        emptied=[(where, turn) for where, turn, is_over in turns if not is_over],
        sessions=[(where, n) for where, n, _, is_over, _ in ended if is_over],
        summaries=[(where, n) for where, n, *_, has_summary in ended if has_summary],
        seen=seen,
    )


def _changed(db: sqlite3.Connection, statement: str, keys: Sequence[tuple[int, int]]) -> int:
    return sum(db.execute(statement, one).rowcount for one in _named(keys))


def _named(keys: Sequence[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"conversation": where, "which": which} for where, which in keys]
