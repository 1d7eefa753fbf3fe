"""The statements of the hot path, compiled once from the tables into SQLite's text.

Parameters are named; a constant that a partial index is chosen by stands in the text itself,
because the planner looks at the text only.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.dialects.sqlite import insert as insert_into
from sqlalchemy.sql import ClauseElement

from bot.store import tables

_DIALECT = dialect(paramstyle="named")


class Statement(str):
    """A statement as SQLite reads it, and what it was made from, for the other database."""

    __slots__ = ("expression",)
    expression: ClauseElement

    def __new__(cls, text: str, expression: ClauseElement) -> "Statement":
        """The text is what counts; the expression rides along."""
        made = super().__new__(cls, text)
        made.expression = expression
        return made


def sql(
    statement: ClauseElement, keys: list[str] | None = None, *, by: tuple[str, str] | None = None
) -> Statement:
    """The statement as SQLite reads it; `by` (table, index) where its planner chooses badly."""
    text = str(statement.compile(dialect=_DIALECT, column_keys=keys))
    # The dialect adds an offset, with a value of its own, to every limit that is a parameter.
    text = text.replace(" OFFSET :param_1", "")
    if by is not None:
        name, index = by
        text = text.replace(f"FROM {name}", f"FROM {name} INDEXED BY {index}", 1)
    return Statement(text, statement)


def table(row: type[tables.Row]) -> Table:
    """The table that a class declares."""
    found: Table = Table(str(row.__tablename__), tables.Row.metadata)
    return found


conversation = table(tables.ConversationRow)
alias = table(tables.AliasRow)
session = table(tables.SessionRow)
message = table(tables.MessageRow)
inbox = table(tables.InboxRow)
lane = table(tables.LaneRow)
node = table(tables.NodeRow)
turn = table(tables.TurnRow)
step = table(tables.StepRow)
outbox = table(tables.OutboxRow)
slot = table(tables.SlotRow)
signal = table(tables.SignalRow)
approval = table(tables.ApprovalRow)
usage = table(tables.UsageRow)

HERE: Any = bindparam("conversation")
NOW: Any = bindparam("now")
LIMIT: Any = bindparam("limit")

WAITING: ColumnElement[bool] = inbox.c.state == literal_column("0")
THINKING: ColumnElement[bool] = turn.c.state == literal_column("'thinking'")


def is_unsent(rows: FromClause) -> ColumnElement[bool]:
    """What the index of unsent rows is chosen by."""
    return rows.c.state.in_(
        [literal_column(f"'{state}'") for state in ("queued", "sending", "held")]
    )


UNSENT: ColumnElement[bool] = is_unsent(outbox)


def insert(target: Table, **changes: Any) -> Statement:
    """Insert a whole row; its parameters are named like the columns."""
    keys = [column.name for column in target.columns if column.name != "id" or target is turn]
    statement = insert_into(target)
    if changes:
        statement = statement.on_conflict_do_update(
            index_elements=list(target.primary_key.columns), **changes
        )
    return sql(statement, keys)


def excluded(target: Table, *names: str) -> dict[str, Any]:
    """What the row that could not be inserted would have held."""
    row = insert_into(target).excluded
    return {name: row[name] for name in names}


# ---- accept ------------------------------------------------------------------------------

FIND_HOME = sql(
    select(
        conversation.c.id,
        conversation.c.shard,
        conversation.c.adapter,
        conversation.c.audience,
        conversation.c.direct,
    )
    .join_from(alias, conversation, conversation.c.id == alias.c.conversation_id)
    .where(alias.c.tenant == bindparam("tenant"), alias.c.address == bindparam("address"))
)
ADD_CONVERSATION = insert(conversation)
ADD_ALIAS = insert(alias, set_=excluded(alias, "conversation_id", "shard"))
SETTLE = sql(
    update(conversation)
    .where(conversation.c.id == HERE)
    .values(adapter=bindparam("by"), audience=bindparam("whom"), direct=bindparam("is_direct"))
)
ADD_INBOX = sql(
    insert_into(inbox).on_conflict_do_nothing(),
    [column.name for column in inbox.columns if column.name != "id"],
)
FIND_EVENT = sql(
    select(inbox.c.id).where(inbox.c.conversation_id == HERE, inbox.c.event_key == bindparam("key"))
)
_new_lane = insert_into(lane)
WAKE = sql(
    _new_lane.on_conflict_do_update(
        index_elements=[lane.c.conversation_id],
        set_={
            "wake_at": func.min(
                func.coalesce(lane.c.wake_at, _new_lane.excluded.wake_at),
                _new_lane.excluded.wake_at,
            )
        },
    ),
    ["conversation_id", "tenant", "shard", "wake_at", "fence"],
)
WAKE_AT = sql(
    update(lane)
    .where(lane.c.conversation_id == HERE)
    .values(wake_at=func.min(func.coalesce(lane.c.wake_at, NOW), NOW))
)
ADD_SLOT = insert(slot)

# ---- leases and claims -------------------------------------------------------------------

JOIN = sql(
    insert_into(node)
    .on_conflict_do_update(
        index_elements=[node.c.name],
        set_={"epoch": node.c.epoch + literal_column("1"), **excluded(node, "alive_until")},
    )
    .returning(node.c.epoch),
    ["name", "epoch", "alive_until"],
)
_ME = and_(node.c.name == bindparam("node"), node.c.epoch == bindparam("holder"))
RENEW = sql(
    update(node).where(_ME, node.c.alive_until > NOW).values(alive_until=bindparam("until"))
)
# Whoever stood still for a week finds no row of his own: nobody has taken the name either.
REJOIN = sql(
    insert_into(node)
    .on_conflict_do_update(
        index_elements=[node.c.name],
        set_={**excluded(node, "alive_until"), "epoch": node.c.epoch + literal_column("1")},
        where=node.c.epoch == bindparam("holder"),
    )
    .returning(node.c.epoch),
    ["name", "epoch", "alive_until"],
)
LEAVE = sql(update(node).where(_ME).values(alive_until=literal_column("0")))
IS_ALIVE = sql(select(literal_column("1")).select_from(node).where(_ME, node.c.alive_until > NOW))

_HOLDER_LIVES = exists().where(
    node.c.name == lane.c.node, node.c.epoch == lane.c.epoch, node.c.alive_until > NOW
)
_FREE = and_(lane.c.node.is_(None), lane.c.wake_at.is_not(None))
_TAKEN = {
    "node": bindparam("node"),
    "epoch": bindparam("holder"),
    "fence": lane.c.fence + literal_column("1"),
    "wake_at": literal_column("NULL"),
}
DUE = sql(
    select(lane.c.conversation_id)
    .where(_FREE, lane.c.tenant == bindparam("tenant"), lane.c.wake_at <= NOW)
    .order_by(lane.c.wake_at)
    .limit(LIMIT)
)
# From one tenant to the next by the index, with the first time at which a lane of its wakes.
NEXT_TENANT = sql(
    select(lane.c.tenant, lane.c.wake_at)
    .where(_FREE, lane.c.tenant > bindparam("tenant"))
    .order_by(lane.c.tenant, lane.c.wake_at)
    .limit(literal_column("1"))
)
ABANDONED = sql(
    select(lane.c.conversation_id).where(lane.c.node.is_not(None), not_(_HOLDER_LIVES)).limit(LIMIT)
)
TAKE_LANE = sql(
    update(lane).where(lane.c.conversation_id == HERE).values(_TAKEN).returning(lane.c.fence)
)
CLAIM_ONE = sql(
    update(lane)
    .where(
        lane.c.conversation_id == HERE,
        or_(
            and_(_FREE, lane.c.wake_at <= NOW),
            and_(lane.c.node.is_not(None), not_(_HOLDER_LIVES)),
        ),
        exists().where(_ME, node.c.alive_until > NOW),
    )
    .values(_TAKEN)
    .returning(lane.c.fence)
)

HELD = and_(
    lane.c.conversation_id == HERE,
    lane.c.fence == bindparam("fence"),
    lane.c.node == bindparam("node"),
    lane.c.epoch == bindparam("holder"),
)
"""The claim's own lane: what every write of a turn or a send asks for."""

IS_HELD = sql(select(lane.c.tenant, lane.c.shard).where(HELD))
HOLDING = sql(
    select(lane.c.tenant, lane.c.shard, conversation.c.address)
    .join_from(lane, conversation, conversation.c.id == lane.c.conversation_id)
    .where(HELD)
)
GIVE_BACK = sql(
    update(lane)
    .where(HELD, lane.c.wake_at.is_(None))
    .values(node=literal_column("NULL"), epoch=literal_column("NULL"), wake_at=bindparam("wake"))
)
LOOK_AGAIN = sql(update(lane).where(HELD).values(wake_at=literal_column("NULL")))
HELD_BY = sql(
    select(lane.c.conversation_id).where(
        lane.c.node == bindparam("node"), lane.c.epoch == bindparam("holder")
    )
)
LET_GO = sql(
    update(lane)
    .where(
        lane.c.conversation_id == HERE,
        lane.c.node == bindparam("node"),
        lane.c.epoch == bindparam("holder"),
    )
    .values(node=literal_column("NULL"), epoch=literal_column("NULL"), wake_at=NOW)
)

# ---- the head of a lane ------------------------------------------------------------------


def _number(query: Select[Any]) -> ColumnElement[Any]:
    return query.scalar_subquery()


SESSION_COLUMNS = (
    session.c.n,
    session.c.started_at,
    session.c.active_at,
    session.c.first,
    session.c.ended_at,
    session.c.ended_by,
    session.c.summary,
)
CONVERSATION_COLUMNS = (
    conversation.c.id,
    conversation.c.tenant,
    conversation.c.address,
    conversation.c.adapter,
    conversation.c.audience,
    conversation.c.attended_by,
    conversation.c.epoch,
    conversation.c.direct,
)
OUTBOX_COLUMNS = (
    outbox.c.conversation_id,
    outbox.c.turn,
    outbox.c.piece,
    outbox.c.body,
    outbox.c.state,
    outbox.c.due_at,
    outbox.c.created_at,
    outbox.c.expires_at,
    outbox.c.attempts,
    outbox.c.repeats,
    outbox.c.draft,
    outbox.c.sent,
    outbox.c.error,
    outbox.c.slot_closes_at,
)
LAST_SEQ = _number(
    select(func.max(message.c.seq)).where(message.c.conversation_id == conversation.c.id)
)
_older = session.alias("older")
_last_session = _number(
    select(func.max(_older.c.n))
    .where(_older.c.conversation_id == conversation.c.id)
    .correlate(conversation)
)
HEAD = sql(
    select(
        *CONVERSATION_COLUMNS,
        func.max(conversation.c.floor, func.coalesce(LAST_SEQ, literal_column("0"))),
        _number(
            select(func.max(slot.c.closes_at)).where(
                slot.c.conversation_id == conversation.c.id, slot.c.closes_at > NOW
            )
        ),
        exists().where(turn.c.conversation_id == conversation.c.id, THINKING),
        exists().where(outbox.c.conversation_id == conversation.c.id, UNSENT),
        exists().where(approval.c.conversation_id == conversation.c.id),
        *SESSION_COLUMNS,
    )
    .select_from(lane)
    .join(conversation, conversation.c.id == lane.c.conversation_id)
    .outerjoin(
        session,
        and_(session.c.conversation_id == conversation.c.id, session.c.n == _last_session),
    )
    .where(HELD)
)
HEAD_WAITING = sql(
    select(inbox.c.id, inbox.c.body, inbox.c.received_at, inbox.c.refusal)
    .where(inbox.c.conversation_id == HERE, WAITING)
    .order_by(inbox.c.id)
    .limit(LIMIT)
)
NEWEST_WAITING = sql(
    select(inbox.c.id, inbox.c.body, inbox.c.received_at, inbox.c.refusal)
    .where(inbox.c.conversation_id == HERE, WAITING, exists().where(HELD))
    .order_by(inbox.c.id.desc())
    .limit(LIMIT)
)
# Without an order: asked for one, SQLite's planner walks every turn of the conversation by key.
HEAD_TURN = sql(
    select(turn.c.id, turn.c.body, turn.c.draft).where(turn.c.conversation_id == HERE, THINKING)
)
HEAD_STEPS = sql(
    select(step.c.body)
    .where(step.c.conversation_id == HERE, step.c.turn == bindparam("which"))
    .order_by(step.c.n)
)
HEAD_OUTBOX = sql(
    select(*OUTBOX_COLUMNS)
    .where(outbox.c.conversation_id == HERE, UNSENT)
    .order_by(outbox.c.turn, outbox.c.piece)
)
HEAD_APPROVALS = sql(
    select(approval.c.sender, approval.c.tool, approval.c.arguments, approval.c.expires_at)
    .where(approval.c.conversation_id == HERE)
    .order_by(approval.c.expires_at)
)

# ---- the journal -------------------------------------------------------------------------

_TURN_CHANGES = excluded(turn, "state", "draft", "ended_at", "body")
PUT_TURN = insert(turn, set_=_TURN_CHANGES, where=THINKING)
PUT_SESSION = insert(
    session,
    set_=excluded(session, "first", "started_at", "active_at", "ended_at", "ended_by", "summary"),
)
DROP_APPROVAL = sql(
    delete(approval).where(
        approval.c.conversation_id == HERE, approval.c.sender == bindparam("who")
    )
)
PUT_APPROVAL = insert(approval, set_=excluded(approval, "tool", "arguments", "expires_at"))
PUT_STEP = insert(step, set_=excluded(step, "body"))
PUT_DRAFT = sql(
    update(turn)
    .where(turn.c.conversation_id == HERE, turn.c.id == bindparam("which"), THINKING)
    .values(draft=bindparam("stands"))
)
CLOSE_INBOX = sql(
    update(inbox)
    .where(inbox.c.id == bindparam("which"), inbox.c.conversation_id == HERE, WAITING)
    .values(state=bindparam("ends"), done_at=NOW)
    .returning(inbox.c.event_key, inbox.c.platform_id, inbox.c.amended, inbox.c.body)
)
ADD_MESSAGE = insert(message)
ADD_OUTBOX = insert(outbox)
ADD_USAGE = insert(
    usage,
    set_={
        name: usage.c[name] + insert_into(usage).excluded[name]
        for name in ("input", "output", "cached", "calls")
    },
)
DROP_STEPS = sql(
    delete(step).where(step.c.conversation_id == HERE, step.c.turn == bindparam("which"))
)
DROP_TEXTS = sql(
    delete(signal).where(
        signal.c.conversation_id == HERE, signal.c.kind == literal_column("'text'")
    )
)

# ---- the outbox --------------------------------------------------------------------------

_ROW = and_(
    outbox.c.conversation_id == HERE,
    outbox.c.turn == bindparam("which"),
    outbox.c.piece == bindparam("nth"),
)
_OURS = exists().where(HELD)
_UNSLOTTED: dict[str, Any] = {
    "slot": literal_column("NULL"),
    "slot_closes_at": literal_column("NULL"),
}


def _state(name: str) -> ColumnElement[Any]:
    return literal_column(f"'{name}'")


TAKE = sql(
    update(outbox)
    .where(_ROW, outbox.c.state.in_([_state("queued"), _state("held")]), _OURS)
    .values(
        state=_state("sending"),
        attempts=outbox.c.attempts + literal_column("1"),
        changed_at=NOW,
        **_UNSLOTTED,
    )
    .returning(outbox.c.attempts)
)
SENT = sql(
    update(outbox)
    .where(_ROW, _OURS)
    .values(state=_state("sent"), sent=bindparam("stands"), changed_at=NOW, **_UNSLOTTED)
)
CHANGE = sql(
    update(outbox)
    .where(_ROW, UNSENT, _OURS)
    .values(
        state=bindparam("becomes"),
        due_at=func.coalesce(bindparam("due"), outbox.c.due_at),
        error=func.coalesce(bindparam("why"), outbox.c.error),
        repeats=func.max(outbox.c.repeats, bindparam("repeats")),
        draft=case((bindparam("alone"), None), else_=outbox.c.draft),
        changed_at=NOW,
        **_UNSLOTTED,
    )
)
# What stands behind a held piece cannot leave before it: it must not run out before it either.
PROLONG = sql(
    update(outbox)
    .where(
        outbox.c.conversation_id == HERE,
        tuple_(outbox.c.turn, outbox.c.piece) >= tuple_(bindparam("which"), bindparam("nth")),
        UNSENT,
        outbox.c.state != _state("sending"),
        outbox.c.expires_at < outbox.c.created_at + bindparam("lasts"),
        _OURS,
    )
    .values(expires_at=outbox.c.created_at + bindparam("lasts"))
)
TOUCH = sql(
    update(session)
    .where(
        session.c.conversation_id == HERE,
        session.c.ended_at.is_(None),
        session.c.n
        == select(func.max(session.c.n)).where(session.c.conversation_id == HERE).scalar_subquery(),
    )
    .values(active_at=func.max(session.c.active_at, NOW))
)

# ---- slots -------------------------------------------------------------------------------

SLOT_IS_OPEN = sql(
    select(literal_column("1"))
    .select_from(slot)
    .where(slot.c.id == bindparam("via"), slot.c.conversation_id == HERE, slot.c.closes_at > NOW)
)
OLDEST_UNSENT = sql(
    select(*OUTBOX_COLUMNS, outbox.c.slot)
    .where(
        outbox.c.conversation_id == HERE,
        UNSENT,
        tuple_(outbox.c.turn, outbox.c.piece) > tuple_(bindparam("turn"), bindparam("piece")),
    )
    .order_by(outbox.c.turn, outbox.c.piece)
    .limit(literal_column("1"))
)
TAKE_FOR_SLOT = sql(
    update(outbox)
    .where(_ROW)
    .values(
        state=_state("sending"),
        attempts=outbox.c.attempts + literal_column("1"),
        slot=bindparam("via"),
        slot_closes_at=bindparam("until"),
        changed_at=NOW,
    )
)
_VIA = and_(_ROW, outbox.c.slot == bindparam("via"), outbox.c.state == _state("sending"))
SLOT_SENT = sql(
    update(outbox)
    .where(_VIA)
    .values(state=_state("sent"), sent=bindparam("stands"), changed_at=NOW, **_UNSLOTTED)
)
SLOT_UNUSED = sql(
    update(outbox)
    .where(_VIA)
    .values(
        state=_state("queued"),
        due_at=NOW,
        changed_at=NOW,
        attempts=outbox.c.attempts - literal_column("1"),
        **_UNSLOTTED,
    )
)
STILL_WAITS = sql(
    select(literal_column("1"))
    .select_from(inbox)
    .where(
        inbox.c.conversation_id == HERE,
        inbox.c.id == bindparam("which"),
        inbox.c.state == literal_column("0"),
    )
    .union_all(
        select(literal_column("1"))
        .select_from(outbox)
        .where(
            outbox.c.conversation_id == HERE,
            outbox.c.state == _state("sending"),
            outbox.c.slot.is_distinct_from(bindparam("via")),
        )
    )
)
SLOT_UNKNOWN = sql(update(outbox).where(_VIA).values(**_UNSLOTTED))
CLOSE_SLOT = sql(
    delete(slot).where(slot.c.id == bindparam("via")).returning(slot.c.conversation_id)
)
HAS_UNSENT = sql(
    select(literal_column("1"))
    .select_from(outbox)
    .where(outbox.c.conversation_id == HERE, UNSENT)
    .limit(literal_column("1"))
)

# ---- the transcript ----------------------------------------------------------------------

WINDOW = sql(
    select(message.c.body)
    .where(message.c.conversation_id == HERE, message.c.seq >= bindparam("begin"))
    .order_by(message.c.seq.desc())
    .limit(LIMIT)
)
