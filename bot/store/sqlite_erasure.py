"""Deleting on SQLite, until neither the file nor its log holds a trace."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.records import Claim
from bot.ports import Clock
from bot.store import statements_upkeep as say
from bot.store.codec import decode_inbound, encode_inbound
from bot.store.names import person_of, place_of
from bot.store.sqlite_copying import free_bytes
from bot.store.sqlite_room import holding
from bot.store.sqlite_wiping import Deletion, SqliteWiping

ORDERS = 1000
"""How many orders to forget are remembered: one that is obeyed again has no more to delete."""


class SqliteErasure(SqliteWiping):
    def __init__(
        self, path: Path, clock: Clock, *, free: Callable[[Path], int] = free_bytes
    ) -> None:
        super().__init__(path, clock, free=free)
        self._forgotten: dict[tuple[InboundId, Sender | None], Deletion] = {}
        self._erased: dict[str, Deletion] = {}

    async def forget(
        self, claim: Claim, sender: Sender | None, *, order: InboundId | None = None
    ) -> None:
        covered: list[ConversationId] = [claim.conversation]

        def write(db: sqlite3.Connection) -> int:
            _, address = holding(db, claim)
            person = None if sender is None else person_of(address, sender)
            values = {
                "who": person,
                "short": None if sender is None else sender.id,
                "order": order or 0,
            }
            here = {"conversation": claim.conversation}
            covered[:] = (id for (id,) in db.execute(say.NAMESAKES, here).fetchall())
            for where in covered:
                _forget(db, {**values, "conversation": where})
            return self._deleted()

        deletion = None if order is None else self._forgotten.get((order, sender))
        if deletion is None:
            try:
                deletion = Deletion(await self._writer.run(write))
            finally:
                for where in covered:
                    self._windows.drop(where)
            if order is not None:
                self._remember((order, sender), deletion)
        await self._wipe(deletion)

    async def erase(self, tenant: str, address: Address) -> bool:
        place = {"tenant": tenant, "address": place_of(address)}
        mark = {"name": _mark_of(tenant, place["address"]), "value": "owed"}

        def write(db: sqlite3.Connection) -> tuple[list[int], bool, int]:
            found = [id for (id,) in db.execute(say.CONVERSATIONS_AT, place).fetchall()]
            for conversation in found:
                for statement in say.ERASE:
                    db.execute(statement, {"conversation": conversation})
            if found:
                db.execute(say.ADD_SETTING, mark)
            owed = db.execute(say.GET_SETTING, {"which": mark["name"]}).fetchall()
            self._homes.clear()
            return found, bool(owed), self._deleted()

        found, is_owed, number = await self._writer.run(write)
        for conversation in found:
            self._windows.drop(ConversationId(conversation))
        if not is_owed:
            return False
        # Asked again, what this process has rewritten already is only to be cut off.
        deletion = self._erased.get(mark["name"])
        if found or deletion is None:
            deletion = self._erased[mark["name"]] = Deletion(number)
        await self._wipe(deletion)
        await self._writer.run(lambda db: db.execute(say.DROP_SETTING, mark))
        self._erased.pop(mark["name"], None)
        return True

    def _remember(self, order: tuple[InboundId, Sender | None], deletion: Deletion) -> None:
        if len(self._forgotten) >= ORDERS:
            del self._forgotten[next(iter(self._forgotten))]
        self._forgotten[order] = deletion


def _mark_of(tenant: str, address: str) -> str:
    """What says in the file itself that an erasure is not done: a command's process forgets it."""
    return f"erasing {sha256(f'{tenant} {address}'.encode()).hexdigest()}"


def _forget(db: sqlite3.Connection, values: dict[str, Any]) -> None:
    db.execute(say.RAISE_FLOOR, values)
    _empty_waiting(db, values)
    for statement in say.FORGET:
        db.execute(statement, values)


def _empty_waiting(db: sqlite3.Connection, values: dict[str, Any]) -> None:
    """What waits keeps its place in the lane and loses what it says; commands are still obeyed."""
    for id, body in db.execute(say.FORGET_WAITING, values).fetchall():
        inbound = decode_inbound(body)
        silent = replace(inbound, message=replace(inbound.message, parts=()))
        db.execute(say.REWRITE_INBOX, {"which": id, "text": encode_inbound(silent)})
