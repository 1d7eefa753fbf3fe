"""Accepting, editing and moving on SQLite."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.address import Address, shard_of
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.message import Inbound, Message
from bot.domain.records import Accepted, Node, Placement, Refusal
from bot.store import statements
from bot.store.codec import (
    decode_inbound,
    decode_message,
    encode_inbound,
    encode_message,
    encode_refusal,
)
from bot.store.lines import amended
from bot.store.names import person_of, place_of
from bot.store.sqlite_room import HOMES, Home, SqliteRoom
from bot.store.statements_upkeep import (
    FIND_STORED,
    FIND_WAITING,
    FORGET_NAMES,
    MOVE_CONVERSATION,
    REWRITE_INBOX,
    REWRITE_MESSAGE,
)


class SqliteInbox(SqliteRoom):
    async def accept(
        self,
        inbound: Inbound,
        placement: Placement,
        *,
        open_for: timedelta | None = None,
        node: Node | None = None,
        refusal: Refusal | None = None,
    ) -> Accepted:
        now = self._now()
        row = {
            "tenant": placement.tenant,
            "event_key": inbound.event_key,
            "kind": inbound.kind.value,
            "person": person_of(inbound.address, inbound.sender),
            "platform_id": inbound.message.platform_id,
            "state": 0,
            "amended": False,
            "received_at": now,
            "done_at": None,
            "refusal": encode_refusal(refusal),
            "body": encode_inbound(inbound),
        }

        def write(db: sqlite3.Connection) -> Accepted:
            home = self._settle(db, inbound, placement)
            accepted = _insert(db, home, row)
            if open_for is None:
                return accepted
            slot = _open_slot(db, home, row, accepted.inbound, (open_for, node))
            return replace(accepted, slot=slot)

        return await self._writer.run(write)

    async def amend(
        self, conversation: ConversationId, platform_id: str, message: Message | None
    ) -> None:
        where = {"conversation": conversation, "name": platform_id}

        def write(db: sqlite3.Connection) -> None:
            for id, body in db.execute(FIND_WAITING, where).fetchall():
                inbound = decode_inbound(body)
                edited = replace(inbound, message=amended(inbound.message, message))
                db.execute(REWRITE_INBOX, {"which": id, "text": encode_inbound(edited)})
            for seq, body in db.execute(FIND_STORED, where).fetchall():
                text = encode_message(amended(decode_message(body), message))
                db.execute(
                    REWRITE_MESSAGE, {"conversation": conversation, "which": seq, "text": text}
                )

        try:
            await self._writer.run(write)
        finally:
            self._windows.drop(conversation)

    async def move(self, tenant: str, old: Address, new: Address) -> None:
        def write(db: sqlite3.Connection) -> None:
            found = _find(db, tenant, str(old))
            if found is None:
                return
            self._homes.clear()
            db.execute(statements.ADD_ALIAS, _alias(tenant, new, found))
            where = {"conversation": found.id, "place": str(new)}
            db.execute(FORGET_NAMES, where)
            db.execute(MOVE_CONVERSATION, where)

        await self._writer.run(write)

    def _settle(self, db: sqlite3.Connection, inbound: Inbound, placement: Placement) -> Home:
        """The conversation at the inbound's address, made when there is none."""
        key = (placement.tenant, place_of(inbound.address))
        home = self._homes.get(key) or _find(db, *key) or _found(db, inbound, placement)
        said = (placement.adapter, placement.audience, inbound.direct)
        if (home.adapter, home.audience, home.direct) != said:
            home = Home(home.id, home.shard, *said)
            db.execute(
                statements.SETTLE,
                {"conversation": home.id, "by": said[0], "whom": said[1], "is_direct": said[2]},
            )
        if len(self._homes) >= HOMES:
            self._homes.clear()
        self._homes[key] = home
        return home


def _find(db: sqlite3.Connection, tenant: str, address: str) -> Home | None:
    found = db.execute(statements.FIND_HOME, {"tenant": tenant, "address": address}).fetchall()
    if not found:
        return None
    id, shard, adapter, audience, direct = found[0]
    return Home(id, shard, adapter, audience, bool(direct))


def _found(db: sqlite3.Connection, inbound: Inbound, placement: Placement) -> Home:
    """Found a conversation. Its shard is that of its first address, for ever."""
    shard = shard_of(placement.tenant, inbound.address)
    cursor = db.execute(
        statements.ADD_CONVERSATION,
        {
            "tenant": placement.tenant,
            "shard": shard,
            "address": place_of(inbound.address),
            "adapter": placement.adapter,
            "audience": placement.audience,
            "attended_by": "bot",
            "epoch": 0,
            "direct": inbound.direct,
            "floor": 0,
        },
    )
    assert cursor.lastrowid is not None
    home = Home(cursor.lastrowid, shard, placement.adapter, placement.audience, inbound.direct)
    db.execute(statements.ADD_ALIAS, _alias(placement.tenant, inbound.address, home))
    return home


def _alias(tenant: str, address: Address, home: Home) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "address": place_of(address),
        "conversation_id": home.id,
        "shard": home.shard,
    }


def _insert(db: sqlite3.Connection, home: Home, row: Mapping[str, Any]) -> Accepted:
    values = {**row, "conversation_id": home.id, "shard": home.shard}
    cursor = db.execute(statements.ADD_INBOX, values)
    conversation = ConversationId(home.id)
    if not cursor.rowcount:
        where = {"conversation": home.id, "key": row["event_key"]}
        ((known,),) = db.execute(statements.FIND_EVENT, where).fetchall()
        return Accepted(new=False, conversation=conversation, inbound=known)
    assert cursor.lastrowid is not None
    db.execute(
        statements.WAKE,
        {
            "conversation_id": home.id,
            "tenant": row["tenant"],
            "shard": home.shard,
            "wake_at": row["received_at"],
            "fence": 0,
        },
    )
    return Accepted(new=True, conversation=conversation, inbound=InboundId(cursor.lastrowid))


def _open_slot(
    db: sqlite3.Connection,
    home: Home,
    row: Mapping[str, Any],
    inbound: InboundId,
    request: tuple[timedelta, Node | None],
) -> int | None:
    open_for, node = request
    cursor = db.execute(
        statements.ADD_SLOT,
        {
            "conversation_id": home.id,
            "tenant": row["tenant"],
            "shard": home.shard,
            "inbound": inbound,
            "node": None if node is None else node.name,
            "epoch": None if node is None else node.epoch,
            "closes_at": row["received_at"] + open_for // timedelta(microseconds=1),
        },
    )
    return cursor.lastrowid
