"""The statements behind the operator's lists of what waits, what was given up, what is unknown."""

from typing import Any

from sqlalchemy import (
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from bot.store import tables
from bot.store.statements import (
    LIMIT,
    NOW,
    WAITING,
    conversation,
    inbox,
    lane,
    node,
    sql,
    table,
    turn,
)

audit = table(tables.AuditRow)

ACTOR = "parley"
UNSURE = "tool.unknown"
"""What `audit.action` says of a call of which nobody knows whether it was done."""

WHICH: Any = bindparam("which")
_NULL: Any = literal_column("NULL")
_DEAD = inbox.c.state == literal_column("2")

_ROWS = (
    select(
        inbox.c.id,
        inbox.c.conversation_id,
        conversation.c.adapter,
        inbox.c.body,
        inbox.c.state,
        inbox.c.received_at,
        turn.c.body,
    )
    .join_from(inbox, conversation, conversation.c.id == inbox.c.conversation_id)
    .outerjoin(
        turn, and_(turn.c.conversation_id == inbox.c.conversation_id, turn.c.id == inbox.c.id)
    )
    .where(inbox.c.body.is_not(None))
    .order_by(inbox.c.id)
    .limit(LIMIT)
)
INBOX_IN_STATE = {
    "waiting": sql(_ROWS.where(WAITING), by=("inbox", "ix_inbox_waiting")),
    "dead": sql(_ROWS.where(_DEAD), by=("inbox", "ix_inbox_dead")),
}
FIND_INBOX = sql(
    select(inbox.c.conversation_id, inbox.c.state).where(
        inbox.c.id == WHICH, inbox.c.state != literal_column("1"), inbox.c.body.is_not(None)
    )
)
# A new row, for the turn of the old one has ended with an apology, and a turn is named by its
# first row.
REVIVE_INBOX = sql(
    insert(inbox).from_select(
        [
            "conversation_id",
            "tenant",
            "shard",
            "event_key",
            "kind",
            "person",
            "platform_id",
            "state",
            "amended",
            "received_at",
            "body",
        ],
        select(
            inbox.c.conversation_id,
            inbox.c.tenant,
            inbox.c.shard,
            literal_column("'retry:'", type_=Text).concat(cast(inbox.c.id, Text)),
            inbox.c.kind,
            inbox.c.person,
            inbox.c.platform_id,
            literal_column("0"),
            false(),
            NOW,
            inbox.c.body,
        ).where(inbox.c.id == WHICH, _DEAD),
    )
)
REVIVED = sql(update(inbox).where(inbox.c.id == WHICH).values(state=literal_column("1")))
DROP_INBOX = sql(
    update(inbox)
    .where(inbox.c.id == WHICH, inbox.c.state != literal_column("1"))
    .values(state=literal_column("1"), done_at=NOW, body=_NULL)
)
_same = exists().where(audit.c.action == bindparam("doing"), audit.c.subject == bindparam("what"))
_held = select(func.count()).select_from(lane).where(lane.c.node == node.c.name).scalar_subquery()
NODES = sql(
    select(node.c.name, node.c.alive_until, _held.label("held"))
    .where(or_(node.c.alive_until > bindparam("since"), _held > literal_column("0")))
    .order_by(node.c.name)
)
ADD_UNSURE = sql(
    insert(audit).from_select(
        ["tenant", "done_at", "actor", "action", "subject"],
        select(
            conversation.c.tenant,
            NOW,
            literal_column(f"'{ACTOR}'", type_=Text),
            bindparam("doing", type_=Text),
            bindparam("what", type_=Text),
        ).where(conversation.c.id == bindparam("conversation"), ~_same),
    )
)
UNSURE_CALLS = sql(
    select(audit.c.done_at, audit.c.subject)
    .where(audit.c.action == bindparam("doing"), audit.c.done_at > bindparam("since"))
    .order_by(audit.c.done_at.desc(), audit.c.id.desc())
    .limit(LIMIT)
)
_old_unsure = (
    select(audit.c.id)
    .where(audit.c.action == bindparam("doing"), audit.c.done_at <= bindparam("before"))
    .limit(LIMIT)
)
DROP_UNSURE = sql(delete(audit).where(audit.c.id.in_(_old_unsure)))
COUNT_UNSURE = sql(
    select(func.count())
    .select_from(audit)
    .where(audit.c.action == bindparam("doing"), audit.c.done_at > bindparam("since"))
)
