"""Deleting on SQLite, until neither the file nor its log holds a trace."""

import sqlite3
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.records import Claim
from bot.errors import Transient
from bot.ports import Clock
from bot.store import statements_upkeep as say
from bot.store.codec import decode_inbound, encode_inbound
from bot.store.names import person_of, place_of
from bot.store.sqlite_file import cut_log
from bot.store.sqlite_room import SqliteRoom, holding

CUTS = 5
"""How often the log is tried to be cut off before whoever wants it is told that it cannot be."""

SHORTEST, LONGEST = 0.1, 3.0
"""Seconds between two tries; the pause grows as long as somebody reads the log."""

ORDERS = 1000
"""How many orders to forget are remembered: one that is obeyed again has no more to delete."""


@dataclass(slots=True)
class _Owed:
    """What was deleted from the tables, and may still be found in the file or in its log."""

    deletion: int
    tries: int = 0

    def pause(self) -> float:
        """How long to wait before the next try."""
        return min(SHORTEST * 2.0 ** (self.tries - 1), LONGEST) if self.tries else 0.0


class SqliteErasure(SqliteRoom):
    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(path, clock)
        # Deletions are numbered; all up to `_rewritten` are in no page that is left of the file.
        self._deletions = self._rewritten = 0
        self._forgotten: dict[tuple[InboundId, Sender | None], _Owed] = {}
        self._erased: dict[str, _Owed] = {}

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

        owed = None if order is None else self._forgotten.get((order, sender))
        if owed is None:
            try:
                owed = _Owed(await self._writer.run(write))
            finally:
                for where in covered:
                    self._windows.drop(where)
            if order is not None:
                self._remember((order, sender), owed)
        await self._cut_off(owed)

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

        found, is_owed, deletion = await self._writer.run(write)
        for conversation in found:
            self._windows.drop(ConversationId(conversation))
        if not is_owed:
            return False
        # Asked again, what this process has rewritten already is only to be cut off.
        owed = self._erased.get(mark["name"])
        if found or owed is None:
            owed = self._erased[mark["name"]] = _Owed(deletion)
        await self._cut_off(owed)
        await self._writer.run(lambda db: db.execute(say.DROP_SETTING, mark))
        self._erased.pop(mark["name"], None)
        return True

    def _remember(self, order: tuple[InboundId, Sender | None], owed: _Owed) -> None:
        if len(self._forgotten) >= ORDERS:
            del self._forgotten[next(iter(self._forgotten))]
        self._forgotten[order] = owed

    def _deleted(self) -> int:
        """The number of a deletion, given by the writer's thread."""
        self._deletions += 1
        return self._deletions

    async def _cut_off(self, owed: _Owed) -> None:
        """Rewrite the file, then empty the log: only then is what was deleted gone.

        Raises:
            Transient: somebody reads the old pages; what was deleted is still in the log. Whoever
                asks again goes on from here.
        """
        for _ in range(CUTS):
            # Others write meanwhile: it is not the writer's thread that waits.
            await self._clock.sleep(owed.pause())
            owed.tries += 1
            if await self._writer.run(lambda db: self._cut(db, owed.deletion), alone=True):
                owed.tries = 0
                return
        raise Transient("the log cannot be cut off while another program reads the database")

    def _cut(self, db: sqlite3.Connection, deletion: int) -> bool:
        # Not while somebody reads the log: it would grow by the size of the whole file.
        if not cut_log(db):
            return False
        if self._rewritten >= deletion:
            return True
        # `secure_delete` wipes what is deleted, but not the copies that SQLite left in the unused
        # part of pages that it split before (found by the test that looks for a marker). Only a
        # file that is written anew has none; it takes half a second for 100 MB, in which others
        # wait to write.
        db.execute("VACUUM")
        self._rewritten = self._deletions
        return cut_log(db)


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
