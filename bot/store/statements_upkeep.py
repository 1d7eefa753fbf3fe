"""The statements that run now and then: edits, sessions, retention, erasure, operators' lists."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union,
    update,
)
from sqlalchemy.dialects.sqlite import insert as insert_into

from bot.domain.records import IdleRule
from bot.store import tables
from bot.store.statements import (
    CONVERSATION_COLUMNS,
    HERE,
    LIMIT,
    NOW,
    OUTBOX_COLUMNS,
    THINKING,
    UNSENT,
    WAITING,
    Statement,
    alias,
    approval,
    conversation,
    excluded,
    inbox,
    is_unsent,
    lane,
    message,
    node,
    outbox,
    session,
    signal,
    slot,
    sql,
    step,
    table,
    turn,
    usage,
)
from bot.store.times import micros_of

listener = table(tables.ListenerRow)
tick = table(tables.TickRow)
setting = table(tables.SettingRow)

BEFORE: Any = bindparam("before")
PERSON: Any = bindparam("who", type_=Text)
_NULL: Any = literal_column("NULL")
_empty: Any = literal_column("''")
# A platform may say what it would not take, and that is what was to be said.
_BARE = {"body": _NULL, "draft": _NULL, "error": _empty}

# ---- edits and moves ---------------------------------------------------------------------

_said = inbox.c.kind.in_([literal_column(f"'{kind}'") for kind in ("message", "command", "button")])
# Not the edits that wait behind it: each brings its own words.
FIND_WAITING = sql(
    select(inbox.c.id, inbox.c.body).where(
        inbox.c.conversation_id == HERE, WAITING, _said, inbox.c.platform_id == bindparam("name")
    )
)
FIND_STORED = sql(
    select(message.c.seq, message.c.body).where(
        message.c.conversation_id == HERE, message.c.platform_id == bindparam("name")
    ),
    by=("message", "ix_message_platform"),
)
REWRITE_INBOX = sql(
    update(inbox)
    .where(inbox.c.id == bindparam("which"))
    .values(body=bindparam("text"), amended=true())
)
REWRITE_MESSAGE = sql(
    update(message)
    .where(message.c.conversation_id == HERE, message.c.seq == bindparam("which"))
    .values(body=bindparam("text"))
)
# Where a chat lives now it numbers its messages anew: what a later edit names is none of these.
FORGET_NAMES = sql(
    update(message)
    .where(
        message.c.conversation_id == HERE,
        message.c.platform_id.is_not(None),
        # Only once: a platform tells of a move from either side, and may repeat itself.
        exists().where(
            conversation.c.id == message.c.conversation_id,
            conversation.c.address != bindparam("place"),
        ),
    )
    .values(platform_id=_NULL)
)
MOVE_CONVERSATION = sql(
    update(conversation).where(conversation.c.id == HERE).values(address=bindparam("place"))
)

# ---- open questions ----------------------------------------------------------------------

NEWEST_TURNS = sql(
    select(turn.c.id, turn.c.body)
    .where(turn.c.conversation_id == HERE, turn.c.ended_at.is_not(None), turn.c.body != _empty)
    .order_by(turn.c.id.desc())
    .limit(LIMIT)
)
_piece = (outbox.c.state, outbox.c.changed_at, outbox.c.sent, outbox.c.draft, outbox.c.repeats)
PIECES_OF_TURN = sql(
    select(*_piece).where(outbox.c.conversation_id == HERE, outbox.c.turn == bindparam("which"))
)

# ---- reading for people ------------------------------------------------------------------

FIND_CONVERSATION = sql(
    select(*CONVERSATION_COLUMNS)
    .join_from(alias, conversation, conversation.c.id == alias.c.conversation_id)
    .where(alias.c.tenant == bindparam("tenant"), alias.c.address == bindparam("address"))
)
_ENTRY = (message.c.body, conversation.c.address, message.c.event_key, message.c.turn)
PAGE = sql(
    select(*_ENTRY)
    .join_from(message, conversation, conversation.c.id == message.c.conversation_id)
    .where(message.c.conversation_id == HERE, message.c.seq < BEFORE)
    .order_by(message.c.seq.desc())
    .limit(LIMIT)
)
SAID_BY = sql(
    select(*_ENTRY)
    .join_from(message, conversation, conversation.c.id == message.c.conversation_id)
    .where(message.c.tenant == bindparam("tenant"), message.c.person == PERSON)
    .order_by(message.c.sent_at.desc(), message.c.seq.desc())
    .limit(LIMIT)
)
_WAITING_ENTRY = (inbox.c.body, conversation.c.address, inbox.c.event_key)
PAGE_WAITING = sql(
    select(*_WAITING_ENTRY)
    .join_from(inbox, conversation, conversation.c.id == inbox.c.conversation_id)
    .where(inbox.c.conversation_id == HERE, WAITING, _said)
    .order_by(inbox.c.id)
)
WAITING_BY = sql(
    select(*_WAITING_ENTRY)
    .join_from(inbox, conversation, conversation.c.id == inbox.c.conversation_id)
    .where(WAITING, _said, inbox.c.tenant == bindparam("tenant"), inbox.c.person == PERSON)
    .order_by(inbox.c.id),
    by=("inbox", "ix_inbox_waiting"),
)
USAGE = sql(
    select(
        func.count(usage.c.turn.distinct()),
        func.coalesce(func.sum(usage.c.input), literal_column("0")),
        func.coalesce(func.sum(usage.c.output), literal_column("0")),
    ).where(
        usage.c.conversation_id == HERE,
        usage.c.spent_at >= bindparam("since"),
        or_(PERSON.is_(None), usage.c.person == PERSON, usage.c.person == bindparam("whole")),
    )
)
ADDRESS_OF = sql(select(conversation.c.address).where(conversation.c.id == HERE))

# ---- sessions ----------------------------------------------------------------------------

END_SESSION = sql(
    update(session)
    .where(
        session.c.conversation_id == HERE,
        session.c.n == bindparam("which"),
        session.c.ended_at.is_(None),
    )
    .values(ended_at=NOW, ended_by=bindparam("how"))
)
_held = outbox.alias("held")
_SENDABLE = and_(
    UNSENT,
    outbox.c.state != literal_column("'held'"),
    # What stands behind a held piece waits for the person as that does.
    ~exists().where(
        _held.c.conversation_id == outbox.c.conversation_id,
        is_unsent(_held),
        _held.c.state == literal_column("'held'"),
        tuple_(_held.c.turn, _held.c.piece) < tuple_(outbox.c.turn, outbox.c.piece),
    ),
)
_busy = or_(
    exists().where(lane.c.conversation_id == session.c.conversation_id, lane.c.node.is_not(None)),
    exists().where(inbox.c.conversation_id == session.c.conversation_id, WAITING),
    exists().where(
        outbox.c.conversation_id == session.c.conversation_id,
        _SENDABLE,
    ),
)
OPEN_SESSIONS = (
    select(session.c.conversation_id, session.c.n, session.c.active_at, conversation.c.tenant)
    .join_from(session, conversation, conversation.c.id == session.c.conversation_id)
    .where(session.c.ended_at.is_(None), session.c.active_at <= BEFORE, ~_busy)
)
"""The sweep adds how long each may rest, which is configured."""

SWEEP = sql(
    update(session)
    .where(
        session.c.conversation_id == HERE,
        session.c.n == bindparam("which"),
        session.c.ended_at.is_(None),
        session.c.active_at <= BEFORE,
        ~_busy,
    )
    .values(ended_at=NOW, ended_by=bindparam("how"))
)


def rested(rules: Sequence[IdleRule], now: int) -> ColumnElement[bool]:
    """Whether a session has rested for as long as the first rule that matches it says."""
    waits = case(
        *[
            (_matches(rule), literal_column(str(now - micros_of(rule.idle_seconds))))
            for rule in rules
        ],
        else_=literal_column("-1"),
    )
    return session.c.active_at <= waits


def _matches(rule: IdleRule) -> ColumnElement[bool]:
    return and_(
        true() if rule.adapter is None else conversation.c.adapter == rule.adapter,
        true() if rule.audience is None else conversation.c.audience == rule.audience,
    )


# ---- forgetting --------------------------------------------------------------------------


def _mine(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(PERSON.is_(None), column == PERSON)


_MY_TURNS = select(turn.c.id).where(turn.c.conversation_id == HERE, _mine(turn.c.person))
RAISE_FLOOR = sql(
    update(conversation)
    .where(conversation.c.id == HERE)
    .values(
        floor=func.max(
            conversation.c.floor,
            func.coalesce(
                select(func.max(message.c.seq))
                .where(message.c.conversation_id == HERE)
                .scalar_subquery(),
                literal_column("0"),
            ),
        )
    )
)
FORGET: tuple[Statement, ...] = (
    sql(delete(message).where(message.c.conversation_id == HERE, _mine(message.c.person))),
    sql(
        update(inbox)
        .where(inbox.c.conversation_id == HERE, ~WAITING, _mine(inbox.c.person))
        .values(body=_NULL)
    ),
    sql(delete(step).where(step.c.conversation_id == HERE, step.c.turn.in_(_MY_TURNS))),
    sql(
        delete(outbox).where(
            outbox.c.conversation_id == HERE,
            outbox.c.turn.in_(_MY_TURNS),
            outbox.c.state != literal_column("'sent'"),
        )
    ),
    sql(
        update(outbox)
        .where(outbox.c.conversation_id == HERE, outbox.c.turn.in_(_MY_TURNS))
        .values(_BARE)
    ),
    # A turn's row holds its sender's name and the call that they allowed.
    sql(
        update(turn)
        .where(turn.c.conversation_id == HERE, ~THINKING, _mine(turn.c.person))
        .values(body=literal_column("''"), draft=_NULL)
    ),
    sql(
        delete(approval).where(
            approval.c.conversation_id == HERE,
            or_(PERSON.is_(None), approval.c.sender == bindparam("short")),
        )
    ),
    sql(delete(signal).where(signal.c.conversation_id == HERE)),
    sql(update(session).where(session.c.conversation_id == HERE).values(summary=_NULL)),
)
_order: Any = bindparam("order", type_=BigInteger)
# What is said after the order is no part of what was to be forgotten: it wants its answer.
FORGET_WAITING = sql(
    select(inbox.c.id, inbox.c.body).where(
        inbox.c.conversation_id == HERE,
        WAITING,
        inbox.c.kind != literal_column("'command'"),
        or_(_order == literal_column("0"), inbox.c.id < _order),
        _mine(inbox.c.person),
    )
)
# Itself, and what was begun at its address before the platform told that the chat has moved there.
_other = conversation.alias("other")
NAMESAKES = sql(
    select(_other.c.id)
    .join_from(
        conversation,
        _other,
        and_(_other.c.tenant == conversation.c.tenant, _other.c.address == conversation.c.address),
    )
    .where(conversation.c.id == HERE)
    .order_by(_other.c.id)
)
CONVERSATIONS_AT = sql(
    union(
        select(conversation.c.id).where(
            conversation.c.tenant == bindparam("tenant"),
            conversation.c.address == bindparam("address"),
        ),
        select(alias.c.conversation_id).where(
            alias.c.tenant == bindparam("tenant"), alias.c.address == bindparam("address")
        ),
    )
)
ERASE: tuple[Statement, ...] = (
    *(
        sql(delete(owned).where(owned.c.conversation_id == HERE))
        for owned in tables.Row.metadata.sorted_tables
        if "conversation_id" in owned.c
    ),
    sql(delete(conversation).where(conversation.c.id == HERE)),
)

# ---- retention ---------------------------------------------------------------------------

_old_inbox = (
    select(inbox.c.id)
    .where(
        inbox.c.state != literal_column("0"), inbox.c.body.is_not(None), inbox.c.done_at <= BEFORE
    )
    .limit(LIMIT)
)
BARE_INBOX = sql(update(inbox).where(inbox.c.id.in_(_old_inbox)).values(body=_NULL))
_bare_inbox = (
    select(inbox.c.id)
    .where(inbox.c.state != literal_column("0"), inbox.c.body.is_(None), inbox.c.done_at <= BEFORE)
    .limit(LIMIT)
)
DROP_INBOX = sql(delete(inbox).where(inbox.c.id.in_(_bare_inbox)))
_ROWID: Any = literal_column("rowid")
_old_sent = (
    select(_ROWID)
    .select_from(outbox)
    .where(
        outbox.c.state == literal_column("'sent'"),
        outbox.c.body.is_not(None),
        outbox.c.changed_at <= BEFORE,
    )
    .limit(LIMIT)
)
BARE_SENT = sql(update(outbox).where(_ROWID.in_(_old_sent)).values(_BARE))
_old_dead = (
    select(_ROWID)
    .select_from(outbox)
    .where(
        outbox.c.state == literal_column("'dead'"),
        outbox.c.body.is_not(None),
        outbox.c.changed_at <= BEFORE,
    )
    .limit(LIMIT)
)
BARE_DEAD = sql(update(outbox).where(_ROWID.in_(_old_dead)).values(_BARE))
_bare_outbox = (
    select(_ROWID)
    .select_from(outbox)
    .where(outbox.c.body.is_(None), outbox.c.changed_at <= BEFORE)
    .limit(LIMIT)
)
DROP_OUTBOX = sql(delete(outbox).where(_ROWID.in_(_bare_outbox)))
_is_over = turn.c.ended_at <= bindparam("over", type_=BigInteger)
# Those that may be old enough to go whole, and those that only lose what they say.
OLD_TURNS = sql(
    select(turn.c.conversation_id, turn.c.id, _is_over)
    .where(
        turn.c.ended_at.is_not(None),
        turn.c.ended_at <= BEFORE,
        or_(turn.c.body != _empty, _is_over),
    )
    .order_by(turn.c.ended_at)
    .limit(LIMIT)
)
# Lines have no index by turn. They stand in the order of their turns, so that the oldest are the
# first of their conversation: all before the first line of a newer turn than this one.
_later = message.alias("later")
_first_later = (
    select(_later.c.seq)
    .where(_later.c.conversation_id == HERE, _later.c.turn > bindparam("which"))
    .order_by(_later.c.seq)
    .limit(literal_column("1"))
    .scalar_subquery()
)
OLD_MESSAGES = sql(
    select(message.c.seq).where(
        message.c.conversation_id == HERE,
        message.c.seq < func.coalesce(_first_later, literal_column("9223372036854775807")),
    )
)
DROP_MESSAGE = sql(
    delete(message).where(message.c.conversation_id == HERE, message.c.seq == bindparam("which"))
)
_TURN = and_(turn.c.conversation_id == HERE, turn.c.id == bindparam("which"))
EMPTY_TURN = sql(update(turn).where(_TURN).values(body=_empty, draft=_NULL))
DROP_TURN = sql(delete(turn).where(_TURN))
DROP_USAGE = sql(
    delete(usage).where(usage.c.conversation_id == HERE, usage.c.turn == bindparam("which"))
)
_newer = session.alias("newer")
_no_turn_runs = ~exists().where(turn.c.conversation_id == session.c.conversation_id, THINKING)
_is_followed = exists().where(
    _newer.c.conversation_id == session.c.conversation_id, _newer.c.n > session.c.n
)
# The newest has the number that the next one follows; a turn that is not finished writes its own.
# A conversation that has fallen silent keeps its newest for good: a round looks at no more than
# `most` of all these, and the next one goes on where it ended.
OLD_SESSIONS = sql(
    select(
        session.c.conversation_id,
        session.c.n,
        session.c.ended_at,
        and_(_is_followed, _no_turn_runs),
        session.c.summary.is_not(None),
    )
    .where(
        session.c.ended_at.is_not(None),
        session.c.ended_at <= BEFORE,
        session.c.ended_at >= bindparam("since"),
        tuple_(session.c.ended_at, session.c.conversation_id, session.c.n)
        > tuple_(bindparam("since"), bindparam("where"), bindparam("number")),
    )
    .order_by(session.c.ended_at, session.c.conversation_id, session.c.n)
    .limit(bindparam("most"))
)
DROP_SESSION = sql(
    delete(session).where(
        session.c.conversation_id == HERE, session.c.n == bindparam("which"), _no_turn_runs
    )
)
FORGET_SUMMARY = sql(
    update(session)
    .where(session.c.conversation_id == HERE, session.c.n == bindparam("which"))
    .values(summary=_NULL)
)
DROP_TICKS = sql(delete(tick).where(tick.c.scheduled_at <= BEFORE))
DROP_SLOTS = sql(delete(slot).where(slot.c.closes_at <= BEFORE))
# A node's lanes are found through its row, and whoever comes back under its name must not be
# taken for what it was.
DROP_NODES = sql(
    delete(node).where(
        node.c.alive_until <= BEFORE,
        ~exists().where(lane.c.node == node.c.name),
        *(
            node.c.name.not_in(select(naming.c.node).where(naming.c.node.is_not(None)))
            for naming in (listener, tick, slot)
        ),
    )
)
DROP_QUESTIONS = sql(delete(approval).where(approval.c.expires_at <= BEFORE))

# ---- the operator's side of the outbox ---------------------------------------------------

_EXPIRED = or_(
    and_(
        outbox.c.state == literal_column("'queued'"),
        outbox.c.expires_at.is_not(None),
        outbox.c.expires_at <= NOW,
    ),
    and_(outbox.c.state == literal_column("'held'"), outbox.c.created_at <= BEFORE),
)
FIND_EXPIRED = sql(
    select(*OUTBOX_COLUMNS)
    .where(UNSENT, _EXPIRED)
    .order_by(outbox.c.created_at, outbox.c.turn, outbox.c.piece)
    .limit(LIMIT)
)
_KEY = and_(
    outbox.c.conversation_id == HERE,
    outbox.c.turn == bindparam("which"),
    outbox.c.piece == bindparam("nth"),
)
EXPIRE = sql(
    update(outbox)
    .where(_KEY)
    .values(state=literal_column("'dead'"), error=literal_column("'expired'"), changed_at=NOW)
)
RETRY = sql(
    update(outbox)
    .where(
        _KEY,
        outbox.c.body.is_not(None),
        outbox.c.state.in_([literal_column("'dead'"), literal_column("'held'")]),
    )
    .values(
        state=literal_column("'queued'"),
        due_at=NOW,
        expires_at=_NULL,
        changed_at=NOW,
        # The person may have it already: it is marked, as every repetition is.
        repeats=outbox.c.repeats
        + case(
            (outbox.c.error == literal_column("'ambiguous'"), literal_column("1")),
            else_=literal_column("0"),
        ),
    )
)
DROP = sql(
    delete(outbox).where(
        _KEY,
        outbox.c.state.not_in([literal_column("'sending'"), literal_column("'sent'")]),
    )
)
OUTBOX_IN_STATE = {
    state: sql(
        select(*OUTBOX_COLUMNS)
        .where(outbox.c.state == literal_column(f"'{state}'"), outbox.c.body.is_not(None), extra)
        .order_by(outbox.c.created_at, outbox.c.turn, outbox.c.piece)
        .limit(LIMIT)
    )
    for state, extra in (
        *((unsent, UNSENT) for unsent in ("queued", "sending", "held")),
        ("dead", true()),
        ("sent", true()),
    )
}
OUTBOX_REPEATED = sql(
    select(*OUTBOX_COLUMNS)
    .where(
        outbox.c.state == literal_column("'sent'"),
        outbox.c.repeats > literal_column("0"),
        outbox.c.body.is_not(None),
    )
    .order_by(outbox.c.created_at.desc(), outbox.c.turn.desc(), outbox.c.piece.desc())
    .limit(LIMIT)
)
_sleeping = select(lane.c.conversation_id).where(
    lane.c.node.is_(None),
    lane.c.wake_at.is_(None),
    or_(
        lane.c.conversation_id.in_(select(inbox.c.conversation_id).where(WAITING)),
        lane.c.conversation_id.in_(select(outbox.c.conversation_id).where(_SENDABLE)),
    ),
)
SLEEPING = sql(_sleeping)
# Later than any rests that has a message waiting: the clock has been set back since. When an
# answer goes out, a platform may have said itself.
_LATE: Any = lane.c.wake_at > bindparam("latest")
OVERSLEEPING = sql(
    select(lane.c.conversation_id).where(
        lane.c.node.is_(None),
        lane.c.wake_at.is_not(None),
        _LATE,
        lane.c.conversation_id.in_(select(inbox.c.conversation_id).where(WAITING)),
    )
)
WAKE_SLEEPING = sql(
    update(lane)
    .where(
        lane.c.conversation_id == HERE, lane.c.node.is_(None), or_(lane.c.wake_at.is_(None), _LATE)
    )
    .values(wake_at=NOW)
)
COUNT_WAITING = sql(select(func.count()).select_from(inbox).where(WAITING))
COUNT_DEAD = sql(
    # Whose body is gone can be neither seen nor tried again.
    select(func.count())
    .select_from(inbox)
    .where(inbox.c.state == literal_column("2"), inbox.c.body.is_not(None))
)
COUNT_UNSENT = sql(select(outbox.c.state, func.count()).where(UNSENT).group_by(outbox.c.state))
COUNT_BURIED = sql(
    select(func.count())
    .select_from(outbox)
    .where(outbox.c.state == literal_column("'dead'"), outbox.c.body.is_not(None))
)

# ---- nodes, listeners, ticks, settings -------------------------------------------

BURY_NODES = sql(
    update(node)
    .where(node.c.alive_until > literal_column("0"))
    .values(alive_until=literal_column("0"))
)

_HOLDER_LIVES = exists().where(
    node.c.name == listener.c.node,
    node.c.epoch == listener.c.epoch,
    node.c.alive_until > NOW,
)
_MINE = and_(listener.c.node == bindparam("me"), listener.c.epoch == bindparam("holder"))
_LISTENER = and_(listener.c.tenant == bindparam("whose"), listener.c.name == bindparam("which"))
ADD_LISTENER = sql(insert_into(listener).on_conflict_do_nothing(), ["tenant", "name", "position"])
HOLD_LISTENER = sql(
    update(listener)
    .where(_LISTENER, or_(listener.c.node.is_(None), _MINE, ~_HOLDER_LIVES))
    .values(node=bindparam("me"), epoch=bindparam("holder"))
    .returning(listener.c.position)
)
HOLDER_LASTS = sql(
    select(node.c.alive_until)
    .join_from(
        listener, node, and_(node.c.name == listener.c.node, node.c.epoch == listener.c.epoch)
    )
    .where(_LISTENER)
)
ADVANCE_LISTENER = sql(
    update(listener).where(_LISTENER, _MINE).values(position=bindparam("reached"))
)
LEAVE_LISTENER = sql(update(listener).where(_LISTENER, _MINE).values(node=_NULL, epoch=_NULL))
# Of a time that comes once more, for the clock was set back: done then is not done now.
DROP_RELIVED = sql(
    delete(tick).where(
        tick.c.job == bindparam("which"),
        tick.c.scheduled_at > bindparam("ahead"),
        tick.c.scheduled_at != bindparam("at"),
        tick.c.done_at.is_not(None),
    )
)
ADD_TICK = sql(insert_into(tick).on_conflict_do_nothing(), ["job", "scheduled_at", "node", "epoch"])
TAKE_TICK = sql(
    update(tick)
    .where(
        tick.c.job == bindparam("which"),
        tick.c.scheduled_at == bindparam("at"),
        tick.c.done_at.is_(None),
        ~exists().where(
            node.c.name == tick.c.node,
            node.c.epoch == tick.c.epoch,
            node.c.alive_until > NOW,
        ),
    )
    .values(node=bindparam("me"), epoch=bindparam("holder"))
)
TICK_DONE = sql(
    update(tick)
    .where(tick.c.job == bindparam("which"), tick.c.scheduled_at == bindparam("at"))
    .values(done_at=NOW)
)
GET_SETTING = sql(select(setting.c.value).where(setting.c.name == bindparam("which")))
ADD_SETTING = sql(insert_into(setting).on_conflict_do_nothing(), ["name", "value"])
DROP_SETTING = sql(delete(setting).where(setting.c.name == bindparam("name")))
TRY_WRITE = sql(
    insert_into(setting).on_conflict_do_update(
        index_elements=[setting.c.name], set_=excluded(setting, "value")
    ),
    ["name", "value"],
)
