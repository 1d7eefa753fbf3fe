"""Deleting on SQLite, until neither the file nor its log holds a trace."""

import sqlite3
from dataclasses import replace
from typing import Any

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.records import Claim
from bot.errors import Transient
from bot.store import statements_upkeep as say
from bot.store.codec import decode_inbound, encode_inbound
from bot.store.names import person_of, place_of
from bot.store.sqlite_file import copy_log
from bot.store.sqlite_room import SqliteRoom, holding

CUTS = 3
"""How often the log is tried to be cut off; each waits for readers as long as a statement does."""


class SqliteErasure(SqliteRoom):
    async def forget(
        self, claim: Claim, sender: Sender | None, *, order: InboundId | None = None
    ) -> None:
        def write(db: sqlite3.Connection) -> None:
            _, address = holding(db, claim)
            person = None if sender is None else person_of(address, sender)
            values = {
                "conversation": claim.conversation,
                "who": person,
                "short": None if sender is None else sender.id,
                "order": order or 0,
            }
            db.execute(say.RAISE_FLOOR, values)
            _empty_waiting(db, values)
            for statement in say.FORGET:
                db.execute(statement, values)

        try:
            await self._writer.run(write)
        finally:
            self._windows.drop(claim.conversation)
        await self._cut_off()

    async def erase(self, tenant: str, address: Address) -> bool:
        place = {"tenant": tenant, "address": place_of(address)}

        def write(db: sqlite3.Connection) -> list[int]:
            found = [id for (id,) in db.execute(say.CONVERSATIONS_AT, place).fetchall()]
            for conversation in found:
                for statement in say.ERASE:
                    db.execute(statement, {"conversation": conversation})
            self._homes.clear()
            return found

        found = await self._writer.run(write)
        for conversation in found:
            self._windows.drop(ConversationId(conversation))
        if found:
            await self._cut_off()
        return bool(found)

    async def _cut_off(self) -> None:
        """Rewrite the file, then empty the log: only then is what was deleted gone.

        Raises:
            Transient: somebody reads the old pages; what was deleted is still in the log.
        """
        for _ in range(CUTS):
            if await self._writer.run(_cut, alone=True):
                return
        raise Transient("the log cannot be cut off while another program reads the database")


def _cut(db: sqlite3.Connection) -> bool:
    # `secure_delete` wipes what is deleted, but not the copies that SQLite left in the unused part
    # of pages that it split before (found by the test that looks for a marker). Only a file that
    # is written anew has none; it takes half a second for 100 MB, in which others wait to write.
    db.execute("VACUUM")
    return not copy_log(db, "TRUNCATE").busy


def _empty_waiting(db: sqlite3.Connection, values: dict[str, Any]) -> None:
    """What waits keeps its place in the lane and loses what it says; commands are still obeyed."""
    for id, body in db.execute(say.FORGET_WAITING, values).fetchall():
        inbound = decode_inbound(body)
        silent = replace(inbound, message=replace(inbound.message, parts=()))
        db.execute(say.REWRITE_INBOX, {"which": id, "text": encode_inbound(silent)})
