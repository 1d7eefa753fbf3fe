"""Deleting on PostgreSQL; what its pages still hold goes with the next vacuum."""

from dataclasses import replace
from typing import Any

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.records import Claim
from bot.store import statements_postgres
from bot.store import statements_upkeep as say
from bot.store.codec import decode_inbound, encode_inbound
from bot.store.names import person_of, place_of
from bot.store.postgres_pool import Transaction
from bot.store.postgres_room import PostgresRoom, hold, plain
from bot.store.postgres_sql import shared


class PostgresErasure(PostgresRoom):
    async def forget(
        self, claim: Claim, sender: Sender | None, *, order: InboundId | None = None
    ) -> None:
        view = await self._view(claim)
        values = {
            "who": None if sender is None else person_of(view.address, sender),
            "short": None if sender is None else plain(sender.id),
            "order": order or 0,
        }
        covered: list[ConversationId] = [claim.conversation]
        try:
            async with self._pool.transaction() as transaction:
                here = {"conversation": claim.conversation}
                found = await transaction.fetch(statements_postgres.LOCK_NAMESAKES, here)
                await hold(transaction, claim)
                covered[:] = (ConversationId(id) for (id,) in found)
                for where in covered:
                    await _forget(transaction, {**values, "conversation": where})
        finally:
            for where in covered:
                self._windows.drop(where)

    async def erase(self, tenant: str, address: Address) -> bool:
        place = {"tenant": tenant, "address": place_of(address)}
        async with self._pool.transaction() as transaction:
            found = sorted(
                id for (id,) in await transaction.fetch(shared(say.CONVERSATIONS_AT), place)
            )
            # The lane first, as everybody who writes to a conversation does.
            locks = (statements_postgres.LOCK_LANE, statements_postgres.LOCK_CONVERSATION)
            for query in (*locks, *(shared(statement) for statement in say.ERASE)):
                for conversation in found:
                    await transaction.fetch(query, {"conversation": conversation})
        for conversation in found:
            self._windows.drop(ConversationId(conversation))
        return bool(found)


async def _forget(transaction: Transaction, values: dict[str, Any]) -> None:
    await transaction.fetch(shared(say.RAISE_FLOOR), values)
    await _empty_waiting(transaction, values)
    for statement in say.FORGET:
        await transaction.fetch(shared(statement), values)


async def _empty_waiting(transaction: Transaction, values: dict[str, Any]) -> None:
    """What waits keeps its place in the lane and loses what it says; commands are still obeyed."""
    for id, body in await transaction.fetch(shared(say.FORGET_WAITING), values):
        inbound = decode_inbound(body)
        silent = replace(inbound, message=replace(inbound.message, parts=()))
        await transaction.fetch(
            shared(say.REWRITE_INBOX), {"which": id, "text": encode_inbound(silent)}
        )
