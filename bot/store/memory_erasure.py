"""Forgetting and erasing, in memory."""

from dataclasses import replace
from typing import TypeVar

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.message import Kind
from bot.domain.records import Claim, OutboxState
from bot.store.memory_rows import InboxState
from bot.store.memory_turns import MemoryHistory

_Key = TypeVar("_Key", bound=tuple[object, ...])
_Row = TypeVar("_Row")


class MemoryErasure(MemoryHistory):
    async def forget(
        self, claim: Claim, sender: Sender | None, *, order: InboundId | None = None
    ) -> None:
        self._held(claim)
        mine = self._rows.conversations[claim.conversation]
        # What was begun at its address before the platform told that the chat has moved there too.
        for where, known in self._rows.conversations.items():
            if (known.tenant, known.address) == (mine.tenant, mine.address):
                self._forget(where, sender, order)

    def _forget(
        self, where: ConversationId, sender: Sender | None, order: InboundId | None
    ) -> None:
        person = None if sender is None else self._person(where, sender)
        turns = {
            id
            for (conversation, id), line in self._rows.turns.items()
            if conversation == where and person in {None, self._person(where, line.turn.sender)}
        }
        self._forget_lines(where, person)
        self._forget_inbox(where, person, order)
        self._forget_turns(where, turns)
        for key in [key for key in self._rows.approvals if key[0] == where]:
            if sender is None or key[1] == sender.id:
                del self._rows.approvals[key]
        self._rows.signals = [one for one in self._rows.signals if one.signal.conversation != where]
        sessions = self._rows.sessions.get(where, {})
        for n, session in sessions.items():
            sessions[n] = replace(session, summary=None)

    async def erase(self, tenant: str, address: Address) -> bool:
        found = {
            id
            for id, known in self._rows.conversations.items()
            if known.tenant == tenant and known.address == address
        }
        alias = self._find(tenant, address)
        if alias is not None:
            found.add(alias)
        for conversation in found:
            self._erase(conversation)
        return bool(found)

    def _forget_lines(self, where: ConversationId, person: str | None) -> None:
        self._rows.floors[where] = self._next_message(where) - 1
        lines = self._rows.lines.get(where, [])
        self._rows.lines[where] = [
            line for line in lines if person is not None and line.person != person
        ]

    def _forget_inbox(
        self, where: ConversationId, person: str | None, order: InboundId | None
    ) -> None:
        for line in self._rows.inbox.values():
            if line.conversation != where or person not in {None, line.person}:
                continue
            if line.state is not InboxState.WAITING:
                line.inbound = None
            elif order is not None and line.id >= order:
                continue  # said after it: that wants its answer
            elif line.inbound is not None and line.inbound.kind is not Kind.COMMAND:
                message = replace(line.inbound.message, parts=())
                line.inbound = replace(line.inbound, message=message)
                line.amended = True

    def _forget_turns(self, where: ConversationId, turns: set[int]) -> None:
        for turn in turns:
            self._rows.steps.pop((where, turn), None)
            ended = self._rows.turns[where, turn]
            ended.bare = ended.ended_at is not None
        for key, line in list(self._rows.outbox.items()):
            if key[0] != where or key[1] not in turns:
                continue
            if line.row.state is OutboxState.SENT:
                line.empty()
            else:
                del self._rows.outbox[key]

    def _erase(self, where: ConversationId) -> None:
        rows = self._rows
        for line in [line for line in rows.inbox.values() if line.conversation == where]:
            rows.drop_event(line)
        _drop_keys(rows.turns, where)
        _drop_keys(rows.steps, where)
        _drop_keys(rows.outbox, where)
        _drop_keys(rows.approvals, where)
        for slot in [id for id, slot in rows.slots.items() if slot.conversation == where]:
            del rows.slots[slot]
        for name in [name for name, id in rows.aliases.items() if id == where]:
            del rows.aliases[name]
        rows.signals = [one for one in rows.signals if one.signal.conversation != where]
        rows.usage = [line for line in rows.usage if line.conversation != where]
        for whole in (rows.conversations, rows.lanes, rows.lines, rows.sessions, rows.floors):
            whole.pop(where, None)


def _drop_keys(table: dict[_Key, _Row], where: ConversationId) -> None:
    for key in [key for key in table if key[0] == where]:
        del table[key]
