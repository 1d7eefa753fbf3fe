"""Sessions, retention and the operator's side of the outbox, on PostgreSQL."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.domain.conversation import ConversationId, Ending, Session, TurnId
from bot.domain.operating import StoreHealth
from bot.domain.records import (
    LONGEST_LEASE,
    Claim,
    IdleRule,
    Node,
    OutboxRow,
    OutboxState,
    Retention,
    Swept,
)
from bot.errors import ParleyError, PartlyDone, Permanent, Transient
from bot.store import statements_postgres_upkeep as say
from bot.store import statements_upkeep
from bot.store.operating import (
    AHEAD,
    LOOKED_AT,
    REMEMBERED,
    RESTS,
    Seen,
    unsure_lasts,
    usage_lasts,
)
from bot.store.postgres_room import PostgresRoom, hold, plain
from bot.store.postgres_sql import shared
from bot.store.reading import readable_rows
from bot.store.statements import Statement
from bot.store.statements_operators import COUNT_UNSURE, DROP_UNSURE, UNSURE
from bot.store.statements_signals import DROP_SIGNALS
from bot.store.times import micros_of, to_micros

SIGNALS_LAST = micros_of(3600)
TICKS_LAST = micros_of(7 * 86400)


class PostgresSessions(PostgresRoom):
    async def end_session(self, claim: Claim, session: Session, by: Ending) -> None:
        values = {"conversation": claim.conversation, "which": session.n, "how": by.value}
        async with self._pool.transaction() as transaction:
            await hold(transaction, claim)
            await transaction.fetch(shared(statements_upkeep.END_SESSION), values)

    async def sweep(self, rules: Sequence[IdleRule], limit: int = 1000) -> Sequence[Swept]:
        values = {
            "adapters": [rule.adapter for rule in rules],
            "audiences": [rule.audience for rule in rules],
            "idles": [micros_of(rule.idle_seconds) for rule in rules],
            "how": Ending.IDLE.value,
            "limit": limit,
        }
        rows = await self._pool.fetch(say.SWEEP, values) if rules else []
        return [Swept(ConversationId(where), tenant, n) for where, tenant, n in rows]


class PostgresUpkeep(PostgresRoom):
    async def retain(self, rules: Retention) -> Mapping[str, int]:
        ((now,),) = await self._pool.fetch(say.CLOCK, {})
        journal = {"before": now - micros_of(rules.journal_seconds), "limit": rules.batch}
        lines = {"before": now - micros_of(rules.retain_seconds), "limit": rules.batch}
        keys = {"before": now - micros_of(rules.keys_seconds), "limit": rules.batch}
        told = {"doing": UNSURE, "before": now - unsure_lasts(rules), "limit": rules.batch}
        signals = {"before": now - SIGNALS_LAST}
        steps = (
            partial(self._apart, statements_upkeep.BARE_INBOX, journal, "inbox"),
            partial(self._apart, statements_upkeep.BARE_SENT, journal, "outbox"),
            partial(self._apart, statements_upkeep.BARE_DEAD, lines, "outbox"),
            partial(self._drop_lines, {**lines, "over": now - usage_lasts(rules)}),
            partial(self._apart, statements_upkeep.DROP_INBOX, keys, "keys"),
            partial(self._apart, statements_upkeep.DROP_OUTBOX, keys, "keys"),
            partial(self._apart, DROP_SIGNALS, signals, "signals"),
            partial(self._apart, DROP_UNSURE, told, "unsure"),
            partial(self._apart, statements_upkeep.DROP_TICKS, {"before": now - TICKS_LAST}),
            partial(self._apart, statements_upkeep.DROP_SLOTS, signals),
            partial(self._apart, statements_upkeep.DROP_QUESTIONS, signals),
            partial(self._drop_sessions, lines["before"], LOOKED_AT * rules.batch),
            partial(
                self._apart, statements_upkeep.DROP_NODES, {"before": now - REMEMBERED}, "nodes"
            ),
        )
        return await _each(steps)

    async def _apart(
        self, statement: Statement, values: Mapping[str, int | str], kind: str | None = None
    ) -> Mapping[str, int]:
        """In a transaction of its own: one that takes too long does not undo the others."""
        async with self._pool.transaction() as transaction:
            changed = await transaction.change(shared(statement), values)
        return {} if kind is None else {kind: changed}

    async def _drop_lines(self, values: Mapping[str, int]) -> Mapping[str, int]:
        ((messages, turns, spent),) = await self._pool.fetch(say.DROP_LINES, values)
        if messages:
            self._windows.clear()
        return {"messages": messages, "turns": turns, "usage": spent}

    async def _drop_sessions(self, before: int, most: int) -> Mapping[str, int]:
        values = {"before": before, "most": most, **self._seen._asdict()}
        ((gone, looked, *last),) = await self._pool.fetch(say.DROP_SESSIONS, values)
        self._seen = Seen(*last) if looked == most else Seen()
        return {"sessions": gone}

    async def expire_outbox(self, hold: timedelta, limit: int = 1000) -> Sequence[OutboxRow]:
        values = {"hold": micros_of(hold.total_seconds()), "limit": limit}
        rows = readable_rows(await self._pool.fetch(say.EXPIRE, values))
        return sorted(rows, key=lambda row: (row.created_at, row.turn, row.piece))

    async def repair(self) -> int:
        longest = micros_of(LONGEST_LEASE.total_seconds())
        await self._pool.fetch(say.CUT_LEASES, {"longest": longest})
        return len(await self._pool.fetch(say.REPAIR, {"rests": RESTS}))

    async def health(self) -> StoreHealth:
        ((waiting,),) = await self._pool.fetch(shared(statements_upkeep.COUNT_WAITING), {})
        ((dead,),) = await self._pool.fetch(shared(statements_upkeep.COUNT_DEAD), {})
        unsent = await self._pool.fetch(shared(statements_upkeep.COUNT_UNSENT), {})
        counts = {str(state): int(count) for state, count in unsent}
        ((counts["dead"],),) = await self._pool.fetch(shared(statements_upkeep.COUNT_BURIED), {})
        ((now, size),) = await self._pool.fetch(say.SIZE, {})
        recent = {"doing": UNSURE, "since": now - REMEMBERED}
        ((unsure,),) = await self._pool.fetch(shared(COUNT_UNSURE), recent)
        return StoreHealth(
            waiting=waiting,
            outbox=tuple(
                (state.value, counts.get(state.value, 0))
                for state in OutboxState
                if state is not OutboxState.SENT
            ),
            dead=dead,
            size_bytes=size,
            unsure=unsure,
        )

    async def outbox_retry(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        values = {"conversation": conversation, "turn": turn, "piece": piece}
        return bool(await self._pool.fetch(say.RETRY, values))

    async def outbox_drop(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        values = {"conversation": conversation, "turn": turn, "piece": piece}
        return bool(await self._pool.fetch(say.DROP, values))

    async def put_setting(self, name: str, value: str) -> str:
        values = {"which": name, "value": plain(value)}
        await self._pool.fetch(say.ADD_SETTING, values)
        ((kept,),) = await self._pool.fetch(shared(statements_upkeep.GET_SETTING), values)
        return str(kept)

    async def claim_tick(self, job: str, scheduled_at: datetime, node: Node) -> bool:
        values = {
            "which": job,
            "at": to_micros(scheduled_at),
            "me": node.name,
            "holder": node.epoch,
            "ahead": AHEAD,
        }
        return bool(await self._pool.fetch(say.CLAIM_TICK, values))

    async def tick_done(self, job: str, scheduled_at: datetime) -> None:
        values = {"which": job, "at": to_micros(scheduled_at)}
        await self._pool.fetch(shared(statements_upkeep.TICK_DONE), values)


async def _each(steps: Iterable[Callable[[], Awaitable[Mapping[str, int]]]]) -> Mapping[str, int]:
    """Do them all, whichever of them fails.

    Raises:
        PartlyDone: one did.
    """
    counts: Counter[str] = Counter()
    failure: ParleyError | None = None
    for step in steps:
        try:
            counts.update(await step())
        except (Transient, Permanent) as error:
            failure = failure or error
    if failure is not None:
        raise PartlyDone(str(failure), counts) from failure
    return dict(counts)
