"""Accepting, editing and moving on PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

from bot.domain.address import Address, shard_of
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.message import Inbound, Message
from bot.domain.records import Accepted, Node, Placement, Refusal
from bot.store import statements
from bot.store import statements_postgres as say
from bot.store.codec import (
    decode_inbound,
    decode_message,
    encode_inbound,
    encode_message,
    encode_refusal,
)
from bot.store.lines import amended
from bot.store.names import person_of, place_of
from bot.store.postgres_room import PostgresRoom, plain
from bot.store.postgres_sql import shared
from bot.store.statements_upkeep import (
    FIND_STORED,
    FORGET_NAMES,
    MOVE_CONVERSATION,
    REWRITE_INBOX,
    REWRITE_MESSAGE,
)
from bot.store.times import micros_of


class PostgresInbox(PostgresRoom):
    async def accept(
        self,
        inbound: Inbound,
        placement: Placement,
        *,
        open_for: timedelta | None = None,
        node: Node | None = None,
        refusal: Refusal | None = None,
    ) -> Accepted:
        name = inbound.message.platform_id
        values = {
            "tenant": placement.tenant,
            "address": place_of(inbound.address),
            "shard": shard_of(placement.tenant, inbound.address),
            "adapter": placement.adapter,
            "audience": placement.audience,
            "direct": inbound.direct,
            "key": plain(inbound.event_key),
            "kind": inbound.kind.value,
            "person": person_of(inbound.address, inbound.sender),
            "platform_id": None if name is None else plain(name),
            "refusal": encode_refusal(refusal),
            "body": encode_inbound(inbound),
            "node": None if node is None else node.name,
            "epoch": None if node is None else node.epoch,
            "open_for": None if open_for is None else micros_of(open_for.total_seconds()),
        }
        ((place, added, twin, slot),) = await self._pool.fetch(say.ACCEPT, values)
        if added is None and twin is None:
            # The very same event was accepted while this one waited for the lane: only another
            # statement sees that.
            again = {**values, "conversation": place}
            ((twin,),) = await self._pool.fetch(shared(statements.FIND_EVENT), again)
            if open_for is not None:
                ((slot,),) = await self._pool.fetch(say.OPEN_SLOT, again)
        known = twin if added is None else added
        return Accepted(
            new=added is not None,
            conversation=ConversationId(place),
            inbound=InboundId(known),
            slot=slot,
        )

    async def amend(
        self, conversation: ConversationId, platform_id: str, message: Message | None
    ) -> None:
        where = {"conversation": conversation, "name": plain(platform_id)}
        try:
            async with self._pool.transaction() as transaction:
                # Whoever finishes a turn either waits for this row or is waited for here.
                for id, body in await transaction.fetch(say.EDITABLE, where):
                    inbound = decode_inbound(body)
                    edited = replace(inbound, message=amended(inbound.message, message))
                    values = {"which": id, "text": encode_inbound(edited)}
                    await transaction.fetch(shared(REWRITE_INBOX), values)
                for seq, body in await transaction.fetch(shared(FIND_STORED), where):
                    text = encode_message(amended(decode_message(body), message))
                    values = {"conversation": conversation, "which": seq, "text": text}
                    await transaction.fetch(shared(REWRITE_MESSAGE), values)
        finally:
            self._windows.drop(conversation)

    async def move(self, tenant: str, old: Address, new: Address) -> None:
        async with self._pool.transaction() as transaction:
            found = await transaction.fetch(
                shared(statements.FIND_HOME), {"tenant": tenant, "address": place_of(old)}
            )
            for conversation, shard, *_ in found:
                values = {
                    "tenant": tenant,
                    "address": place_of(new),
                    "conversation": conversation,
                    "shard": shard,
                    "place": place_of(new),
                }
                # It may have been erased since.
                if not await transaction.fetch(say.LOCK_CONVERSATION, values):
                    continue
                await transaction.fetch(say.ADD_ALIAS, values)
                await transaction.fetch(shared(FORGET_NAMES), values)
                await transaction.fetch(shared(MOVE_CONVERSATION), values)
