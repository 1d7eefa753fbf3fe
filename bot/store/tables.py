"""Every table, declared once: both databases, the migrations and the statements read this file.

Ids, sequence numbers, fences, epochs and times (`*_at`, whole microseconds) are 64-bit on both
databases. A row that belongs to a conversation carries its `conversation_id`, `tenant` and
`shard`, and every unique key of such a table contains the conversation, so that the tables can be
spread over several servers without a change of code.
"""

from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

VERSION = 2
"""Of the schema that this code writes; the newest migration has the same number."""

READABLE_FROM = 1
"""The oldest code, by its `VERSION`, that can still work on the schema of this `VERSION`."""

_UNCLUSTERED = {"sqlite_autoincrement": True}
_CLUSTERED = {"sqlite_with_rowid": False}
"""Not for `turn` and `outbox`: SQLite's planner would walk all rows of a conversation there, by
the key that is at hand, instead of the few that the partial index knows."""


def _id() -> Column[int]:
    # Only INTEGER is a self-numbering key on SQLite, where it is 64-bit anyway.
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Column(kind, primary_key=True, autoincrement=True)


def _where(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Row(SQLModel):
    """What every table shares: one catalogue of tables, and of the names of their keys."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Owned(Row):
    """A row that belongs to a conversation."""

    conversation_id: int = Field(sa_type=BigInteger)
    tenant: str = Field(sa_type=Text)
    shard: int = Field(sa_type=Integer)


# ---- conversations -----------------------------------------------------------------------


class ConversationRow(Row, table=True):
    """Everything said at one address.

    `floor` is the highest sequence number ever given to a message that is deleted since.
    """

    __tablename__: ClassVar[str] = "conversation"
    __table_args__ = (Index("ix_conversation_address", "tenant", "address"), _UNCLUSTERED)

    id: int | None = Field(default=None, sa_column=_id())
    tenant: str = Field(sa_type=Text)
    shard: int = Field(sa_type=Integer)
    address: str = Field(sa_type=Text)
    adapter: str = Field(sa_type=Text)
    audience: str = Field(sa_type=Text)
    attended_by: str = Field(default="bot", sa_type=Text)
    epoch: int = Field(default=0, sa_type=BigInteger)
    direct: bool = True
    floor: int = Field(default=0, sa_type=BigInteger)


class AliasRow(Row, table=True):
    """Which conversation an address leads to: its own, or that of a chat that has moved."""

    __tablename__: ClassVar[str] = "alias"
    __table_args__ = (
        PrimaryKeyConstraint("tenant", "address"),
        Index("ix_alias_conversation", "conversation_id"),
        _CLUSTERED,
    )

    tenant: str = Field(sa_type=Text)
    address: str = Field(sa_type=Text)
    conversation_id: int = Field(sa_type=BigInteger)
    shard: int = Field(sa_type=Integer)


class SessionRow(Owned, table=True):
    __tablename__: ClassVar[str] = "session"
    __table_args__ = (
        PrimaryKeyConstraint("conversation_id", "n"),
        # Not by `active_at`, which every turn changes: the sweep walks over what is open.
        _where("ix_session_open", "conversation_id", "n", where="ended_at IS NULL"),
        _where("ix_session_ended", "ended_at", where="ended_at IS NOT NULL"),
        _CLUSTERED,
    )

    n: int = Field(sa_type=BigInteger)
    first: int = Field(sa_type=BigInteger)
    started_at: int = Field(sa_type=BigInteger)
    active_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_by: str | None = Field(default=None, sa_type=Text)
    summary: str | None = Field(default=None, sa_type=Text)


class MessageRow(Owned, table=True):
    """A transcript entry; `person` is who said it or, for an answer, who was told."""

    __tablename__: ClassVar[str] = "message"
    __table_args__ = (
        PrimaryKeyConstraint("conversation_id", "seq"),
        Index("ix_message_person", "tenant", "person", "sent_at"),
        _where(
            "ix_message_platform",
            "conversation_id",
            "platform_id",
            where="platform_id IS NOT NULL",
        ),
        _CLUSTERED,
    )

    seq: int = Field(sa_type=BigInteger)
    turn: int = Field(sa_type=BigInteger)
    person: str = Field(sa_type=Text)
    platform_id: str | None = Field(default=None, sa_type=Text)
    event_key: str | None = Field(default=None, sa_type=Text)
    sent_at: int = Field(sa_type=BigInteger)
    body: str = Field(sa_type=Text)


# ---- work --------------------------------------------------------------------------------


class InboxRow(Owned, table=True):
    """An accepted event. `state` is 0 waiting, 1 done, 2 dead; `body` goes before the key."""

    __tablename__: ClassVar[str] = "inbox"
    __table_args__ = (
        UniqueConstraint("conversation_id", "event_key"),
        _where("ix_inbox_waiting", "conversation_id", "id", where="state = 0"),
        _where("ix_inbox_dead", "id", where="state = 2"),
        _where("ix_inbox_done", "done_at", where="state <> 0 AND body IS NOT NULL"),
        _where("ix_inbox_bare", "done_at", where="state <> 0 AND body IS NULL"),
        _UNCLUSTERED,
    )

    id: int | None = Field(default=None, sa_column=_id())
    event_key: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    person: str = Field(sa_type=Text)
    platform_id: str | None = Field(default=None, sa_type=Text)
    state: int = Field(default=0, sa_type=Integer)
    amended: bool = False
    received_at: int = Field(sa_type=BigInteger)
    done_at: int | None = Field(default=None, sa_type=BigInteger)
    refusal: str | None = Field(default=None, sa_type=Text)
    body: str | None = Field(default=None, sa_type=Text)


class LaneRow(Owned, table=True):
    """The one narrow row that accept, claim and release write."""

    __tablename__: ClassVar[str] = "lane"
    __table_args__ = (
        PrimaryKeyConstraint("conversation_id"),
        _where("ix_lane_due", "tenant", "wake_at", where="node IS NULL AND wake_at IS NOT NULL"),
        _where("ix_lane_held", "node", "epoch", where="node IS NOT NULL"),
        _CLUSTERED,
    )

    wake_at: int | None = Field(default=None, sa_type=BigInteger)
    node: str | None = Field(default=None, sa_type=Text)
    epoch: int | None = Field(default=None, sa_type=BigInteger)
    fence: int = Field(default=0, sa_type=BigInteger)


class NodeRow(Row, table=True):
    """The newest epoch of each node's name, and until when it is alive."""

    __tablename__: ClassVar[str] = "node"

    name: str = Field(primary_key=True, sa_type=Text)
    epoch: int = Field(sa_type=BigInteger)
    alive_until: int = Field(sa_type=BigInteger)


class TurnRow(Owned, table=True):
    __tablename__: ClassVar[str] = "turn"
    __table_args__ = (
        PrimaryKeyConstraint("conversation_id", "id"),
        # Two columns, or SQLite's planner prefers to walk all turns of the conversation.
        _where("ix_turn_thinking", "conversation_id", "state", where="state = 'thinking'"),
        _where("ix_turn_ended", "ended_at", where="ended_at IS NOT NULL"),
    )

    id: int = Field(sa_type=BigInteger)
    person: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    draft: str | None = Field(default=None, sa_type=Text)
    started_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    body: str = Field(sa_type=Text)


class StepRow(Owned, table=True):
    """The journal of a turn that is not finished; gone with the end of it."""

    __tablename__: ClassVar[str] = "step"
    __table_args__ = (PrimaryKeyConstraint("conversation_id", "turn", "n"), _CLUSTERED)

    turn: int = Field(sa_type=BigInteger)
    n: int = Field(sa_type=BigInteger)
    body: str = Field(sa_type=Text)


class OutboxRow(Owned, table=True):
    """One piece of an answer; `slot` took it and may say what became of it for a while."""

    __tablename__: ClassVar[str] = "outbox"
    __table_args__ = (
        PrimaryKeyConstraint("conversation_id", "turn", "piece"),
        _where(
            "ix_outbox_unsent",
            "conversation_id",
            "turn",
            "piece",
            where="state IN ('queued', 'sending', 'held')",
        ),
        _where("ix_outbox_dead", "created_at", where="state = 'dead'"),
        _where("ix_outbox_done", "changed_at", where="state = 'sent' AND body IS NOT NULL"),
        _where("ix_outbox_bare", "changed_at", where="body IS NULL"),
    )

    turn: int = Field(sa_type=BigInteger)
    piece: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    due_at: int = Field(sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    changed_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    attempts: int = Field(default=0, sa_type=BigInteger)
    repeats: int = Field(default=0, sa_type=BigInteger)
    draft: str | None = Field(default=None, sa_type=Text)
    sent: str | None = Field(default=None, sa_type=Text)
    error: str = Field(default="", sa_type=Text)
    slot: int | None = Field(default=None, sa_type=BigInteger)
    slot_closes_at: int | None = Field(default=None, sa_type=BigInteger)
    body: str | None = Field(default=None, sa_type=Text)


class SlotRow(Owned, table=True):
    """A platform's open request that a reply may still be put into."""

    __tablename__: ClassVar[str] = "slot"
    __table_args__ = (Index("ix_slot_conversation", "conversation_id"), _UNCLUSTERED)

    id: int | None = Field(default=None, sa_column=_id())
    inbound: int = Field(sa_type=BigInteger)
    node: str | None = Field(default=None, sa_type=Text)
    epoch: int | None = Field(default=None, sa_type=BigInteger)
    closes_at: int = Field(sa_type=BigInteger)


class SignalRow(Owned, table=True):
    __tablename__: ClassVar[str] = "signal"
    __table_args__ = (
        Index("ix_signal_conversation", "conversation_id", "kind"),
        Index("ix_signal_created_at", "created_at"),
        _UNCLUSTERED,
    )

    id: int | None = Field(default=None, sa_column=_id())
    kind: str = Field(sa_type=Text)
    body: str = Field(default="", sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)


class ApprovalRow(Owned, table=True):
    __tablename__: ClassVar[str] = "approval"
    __table_args__ = (PrimaryKeyConstraint("conversation_id", "sender"), _CLUSTERED)

    sender: str = Field(sa_type=Text)
    tool: str = Field(sa_type=Text)
    arguments: str = Field(sa_type=Text)
    expires_at: int = Field(sa_type=BigInteger)


class UsageRow(Owned, table=True):
    """What one rung used in one turn; numbers only, so it outlives what was forgotten."""

    __tablename__: ClassVar[str] = "usage"
    __table_args__ = (
        PrimaryKeyConstraint("conversation_id", "turn", "rung"),
        _CLUSTERED,
    )

    turn: int = Field(sa_type=BigInteger)
    rung: str = Field(sa_type=Text)
    person: str = Field(sa_type=Text)
    spent_at: int = Field(sa_type=BigInteger)
    input: int = Field(default=0, sa_type=BigInteger)
    output: int = Field(default=0, sa_type=BigInteger)
    cached: int = Field(default=0, sa_type=BigInteger)
    calls: int = Field(default=0, sa_type=BigInteger)


# ---- the rest ----------------------------------------------------------------------------


class ListenerRow(Row, table=True):
    """Who polls for an adapter, and the offset that is committed."""

    __tablename__: ClassVar[str] = "listener"
    __table_args__ = (PrimaryKeyConstraint("tenant", "name"),)

    tenant: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    node: str | None = Field(default=None, sa_type=Text)
    epoch: int | None = Field(default=None, sa_type=BigInteger)
    position: int = Field(default=0, sa_type=BigInteger)


class TickRow(Row, table=True):
    """A firing of the schedule, run by the node that wrote the row."""

    __tablename__: ClassVar[str] = "tick"
    __table_args__ = (PrimaryKeyConstraint("job", "scheduled_at"),)

    job: str = Field(sa_type=Text)
    scheduled_at: int = Field(sa_type=BigInteger)
    node: str = Field(sa_type=Text)
    epoch: int = Field(sa_type=BigInteger)
    done_at: int | None = Field(default=None, sa_type=BigInteger)


class PersonRow(Row, table=True):
    """One human, across platforms."""

    __tablename__: ClassVar[str] = "person"
    __table_args__ = (_UNCLUSTERED,)

    id: int | None = Field(default=None, sa_column=_id())
    tenant: str = Field(sa_type=Text)
    name: str = Field(default="", sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)


class IdentityRow(Row, table=True):
    """Which person a sender (platform:account:id) is."""

    __tablename__: ClassVar[str] = "identity"
    __table_args__ = (PrimaryKeyConstraint("tenant", "sender"),)

    tenant: str = Field(sa_type=Text)
    sender: str = Field(sa_type=Text)
    person_id: int = Field(sa_type=BigInteger)
    linked_at: int = Field(sa_type=BigInteger)


class AuditRow(Row, table=True):
    """Who of ours did what, and when; never what was said."""

    __tablename__: ClassVar[str] = "audit"
    __table_args__ = (Index("ix_audit_done_at", "tenant", "done_at"), _UNCLUSTERED)

    id: int | None = Field(default=None, sa_column=_id())
    tenant: str = Field(sa_type=Text)
    done_at: int = Field(sa_type=BigInteger)
    actor: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    subject: str = Field(default="", sa_type=Text)


class SettingRow(Row, table=True):
    """What Parley made itself and must find again, such as the key of visitors' cookies."""

    __tablename__: ClassVar[str] = "setting"

    name: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class SchemaRow(Row, table=True):
    """The one row that says which schema this is and which code may still read it."""

    __tablename__: ClassVar[str] = "schema_version"

    id: int = Field(default=1, primary_key=True, sa_type=Integer)
    version: int = Field(sa_type=Integer)
    readable_from: int = Field(sa_type=Integer)
