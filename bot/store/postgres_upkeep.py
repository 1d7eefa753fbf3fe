"""Sessions, retention and the operator's side of the outbox, on PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.conversation import ConversationId, Ending, Session, TurnId
from bot.domain.operating import StoreHealth
from bot.domain.records import Claim, IdleRule, Node, OutboxRow, OutboxState, Retention, Swept
from bot.store import statements_postgres_upkeep as say
from bot.store import statements_upkeep
from bot.store.operating import REMEMBERED, unsure_lasts, usage_lasts
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
        over = {"over": now - usage_lasts(rules)}
        ((messages, turns, spent),) = await self._pool.fetch(say.DROP_LINES, {**lines, **over})
        if messages:
            self._windows.clear()
        async with self._pool.transaction() as transaction:

            async def count(statement: Statement, values: Mapping[str, int | str]) -> int:
                return await transaction.change(shared(statement), values)

            await count(statements_upkeep.FORGET_SUMMARIES, lines)
            for statement, lasts in (
                (statements_upkeep.DROP_TICKS, TICKS_LAST),
                (statements_upkeep.DROP_SLOTS, SIGNALS_LAST),
                (statements_upkeep.DROP_QUESTIONS, SIGNALS_LAST),
            ):
                await count(statement, {"before": now - lasts})
            return {
                "inbox": await count(statements_upkeep.BARE_INBOX, journal),
                "outbox": await count(statements_upkeep.BARE_SENT, journal)
                + await count(statements_upkeep.BARE_DEAD, lines),
                "messages": messages,
                "turns": turns,
                "keys": await count(statements_upkeep.DROP_INBOX, keys)
                + await count(statements_upkeep.DROP_OUTBOX, keys),
                "signals": await count(DROP_SIGNALS, {"before": now - SIGNALS_LAST}),
                "unsure": await count(DROP_UNSURE, told),
                "usage": spent,
                "sessions": await transaction.change(say.DROP_SESSIONS, lines),
                "nodes": await count(statements_upkeep.DROP_NODES, {"before": now - REMEMBERED}),
            }

    async def expire_outbox(self, hold: timedelta, limit: int = 1000) -> Sequence[OutboxRow]:
        values = {"hold": micros_of(hold.total_seconds()), "limit": limit}
        rows = readable_rows(await self._pool.fetch(say.EXPIRE, values))
        return sorted(rows, key=lambda row: (row.created_at, row.turn, row.piece))

    async def repair(self) -> int:
        return len(await self._pool.fetch(say.REPAIR, {}))

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
        }
        return bool(await self._pool.fetch(say.CLAIM_TICK, values))

    async def tick_done(self, job: str, scheduled_at: datetime) -> None:
        values = {"which": job, "at": to_micros(scheduled_at)}
        await self._pool.fetch(shared(statements_upkeep.TICK_DONE), values)
