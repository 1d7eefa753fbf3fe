"""Signals on SQLite, where one server is alone: the same words, for the same contract."""

import sqlite3
from collections.abc import Collection, Sequence
from datetime import timedelta

from bot.domain.address import shard_of
from bot.domain.conversation import ConversationId
from bot.domain.records import NewSignal, Signal, SignalKind
from bot.store import statements_signals as say
from bot.store.names import WHERE_WATCHED, place_of
from bot.store.sqlite_room import SqliteRoom
from bot.store.statements import DROP_TEXTS
from bot.store.times import micros_of

_EVERY = 10_000


class SqliteSignals(SqliteRoom):
    async def put_signals(self, signals: Sequence[NewSignal]) -> None:
        now = self._now()

        def write(db: sqlite3.Connection) -> None:
            for new in signals:
                _put(db, new, now)

        await self._writer.run(write)

    async def signals(
        self,
        after: int,
        *,
        shards: Collection[int] = (),
        known: Collection[int] = (),
        limit: int = 100,
    ) -> Sequence[Signal]:
        rows = self._read(say.SIGNALS, {"after": after, "limit": _EVERY})
        return [
            Signal(id, ConversationId(where), SignalKind(kind), tenant, body)
            for id, where, kind, tenant, body, shard in rows
            if id not in known and (SignalKind(kind) not in WHERE_WATCHED or shard in shards)
        ][:limit]

    async def signals_before(self, age: timedelta) -> int:
        ((newest,),) = self._read(say.NEWEST_BEFORE, {"before": self._before(age)})
        return int(newest)

    async def drop_signals(self, age: timedelta) -> int:
        values = {"before": self._before(age)}
        return await self._writer.run(lambda db: db.execute(say.DROP_SIGNALS, values).rowcount)

    def _before(self, age: timedelta) -> int:
        return self._now() - micros_of(age.total_seconds())


def _put(db: sqlite3.Connection, new: NewSignal, now: int) -> None:
    place = {"tenant": new.tenant, "address": place_of(new.address)}
    found = db.execute(say.WHERE_IT_IS, place).fetchall()
    where = found[0][0] if found else 0
    if new.kind is SignalKind.TEXT and where:
        # Only the newest text of a turn is of use.
        db.execute(DROP_TEXTS, {"conversation": where})
    row = {
        "conversation_id": where,
        "tenant": new.tenant,
        "shard": shard_of(new.tenant, new.address),
        "kind": new.kind.value,
        "body": new.body,
        "created_at": now,
    }
    db.execute(say.ADD_SIGNAL, row)
