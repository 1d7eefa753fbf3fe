"""The statements about signals, for both databases."""

from sqlalchemy import bindparam, delete, func, insert, literal_column, select

from bot.store.statements import LIMIT, alias, signal, sql

ADD_SIGNAL = sql(
    insert(signal), ["conversation_id", "tenant", "shard", "kind", "body", "created_at"]
)
WHERE_IT_IS = sql(
    select(alias.c.conversation_id).where(
        alias.c.tenant == bindparam("tenant"), alias.c.address == bindparam("address")
    )
)
SIGNALS = sql(
    select(
        signal.c.id,
        signal.c.conversation_id,
        signal.c.kind,
        signal.c.tenant,
        signal.c.body,
        signal.c.shard,
    )
    .where(signal.c.id > bindparam("after"))
    .order_by(signal.c.id)
    .limit(LIMIT)
)
NEWEST_BEFORE = sql(
    select(func.coalesce(func.max(signal.c.id), literal_column("0"))).where(
        signal.c.created_at <= bindparam("before")
    )
)
DROP_SIGNALS = sql(delete(signal).where(signal.c.created_at <= bindparam("before")))
