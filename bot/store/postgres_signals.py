"""Signals between nodes on PostgreSQL: one statement to leave many, one to read what is new."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from bot.domain.address import shard_of
from bot.domain.conversation import ConversationId
from bot.domain.records import NewSignal, Signal, SignalKind
from bot.store.names import WHERE_WATCHED, place_of
from bot.store.postgres_room import PostgresRoom, plain
from bot.store.postgres_sql import query
from bot.store.times import micros_of

# An address that nobody has written from yet has no conversation: its signals stand under 0.
# Only the newest text of a turn is of use.
PUT_SIGNALS = query(
    """
WITH given AS MATERIALIZED (
  SELECT one.*, coalesce(alias.conversation_id, 0) AS conversation FROM unnest(
    :kinds::text[], :tenants::text[], :addresses::text[], :shards::int[], :bodies::text[]
  ) WITH ORDINALITY AS one (kind, tenant, address, shard, body, n)
  LEFT JOIN alias ON alias.tenant = one.tenant AND alias.address = one.address
),
older AS (
  DELETE FROM signal WHERE kind = 'text' AND conversation_id IN (
    SELECT conversation FROM given WHERE kind = 'text' AND conversation <> 0)
)
INSERT INTO signal (conversation_id, tenant, shard, kind, body, created_at)
SELECT conversation, tenant, shard, kind, body, <now> FROM given
WHERE kind <> 'text' OR conversation = 0 OR NOT EXISTS (
  SELECT FROM given AS later
  WHERE later.kind = 'text' AND later.conversation = given.conversation AND later.n > given.n)
ORDER BY n
RETURNING set_config('synchronous_commit', 'off', true)
"""
)
SIGNALS = query(
    """
SELECT id, conversation_id, kind, tenant, body FROM signal
WHERE id > :after AND id <> ALL (:known::bigint[]) AND kind = ANY (:kinds::text[])
  AND (kind <> ALL (:watched::text[]) OR shard = ANY (:shards::int[]))
ORDER BY id LIMIT :limit
"""
)
NEWEST_BEFORE = query(
    "SELECT coalesce(max(id), 0) FROM signal WHERE created_at <= <now> - :age::bigint"
)
DROP_SIGNALS = query("DELETE FROM signal WHERE created_at <= <now> - :age::bigint RETURNING 1")

_KINDS = [kind.value for kind in SignalKind]
"""Those that this code knows: during an upgrade a newer node may leave others."""
_WATCHED = [kind.value for kind in WHERE_WATCHED]


class PostgresSignals(PostgresRoom):
    async def put_signals(self, signals: Sequence[NewSignal]) -> None:
        values = {
            "kinds": [new.kind.value for new in signals],
            "tenants": [new.tenant for new in signals],
            "addresses": [place_of(new.address) for new in signals],
            "shards": [shard_of(new.tenant, new.address) for new in signals],
            "bodies": [plain(new.body) for new in signals],
        }
        await self._pool.fetch(PUT_SIGNALS, values)

    async def signals(
        self,
        after: int,
        *,
        shards: Collection[int] = (),
        known: Collection[int] = (),
        limit: int = 100,
    ) -> Sequence[Signal]:
        values = {
            "after": after,
            "known": list(known),
            "kinds": _KINDS,
            "watched": _WATCHED,
            "shards": list(shards),
            "limit": limit,
        }
        return [
            Signal(id, ConversationId(where), SignalKind(kind), tenant, body)
            for id, where, kind, tenant, body in await self._pool.fetch(SIGNALS, values)
        ]

    async def signals_before(self, age: timedelta) -> int:
        ((newest,),) = await self._pool.fetch(NEWEST_BEFORE, _old(age))
        return int(newest)

    async def drop_signals(self, age: timedelta) -> int:
        return len(await self._pool.fetch(DROP_SIGNALS, _old(age)))


def _old(age: timedelta) -> dict[str, int]:
    return {"age": micros_of(age.total_seconds())}
