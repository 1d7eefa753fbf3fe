"""Accepting, editing and moving, in memory."""

from dataclasses import replace
from datetime import timedelta

from bot.domain.address import Address
from bot.domain.conversation import Conversation, ConversationId, InboundId
from bot.domain.message import Inbound, Kind, Message
from bot.domain.records import Accepted, Node, Placement, Refusal
from bot.store.lines import amended
from bot.store.memory_rows import InboxLine, Lane, MemoryRoom, Slot
from bot.store.times import aware

SAID = (Kind.MESSAGE, Kind.COMMAND, Kind.BUTTON)


class MemoryInbox(MemoryRoom):
    async def accept(
        self,
        inbound: Inbound,
        placement: Placement,
        *,
        open_for: timedelta | None = None,
        node: Node | None = None,
        refusal: Refusal | None = None,
    ) -> Accepted:
        aware(inbound.message.sent_at)
        conversation = self._settle(inbound, placement)
        line = self._rows.events.get((conversation, inbound.event_key))
        new = line is None
        # As in a database, where a repeat costs an id too.
        id = InboundId(next(self._rows.inbound_ids))
        if line is None:
            line = self._store(id, conversation, inbound, refusal)
        slot = None if open_for is None else self._open_slot(conversation, open_for)
        return Accepted(new, conversation, line.id, slot)

    async def amend(
        self, conversation: ConversationId, platform_id: str, message: Message | None
    ) -> None:
        if message is not None:
            aware(message.sent_at)
        for waiting in self._waiting(conversation):
            if waiting.inbound is None or waiting.platform_id != platform_id:
                continue
            # Not the edits that wait behind it: each brings its own words.
            if waiting.inbound.kind in SAID:
                edited = amended(waiting.inbound.message, message)
                waiting.inbound = replace(waiting.inbound, message=edited)
                waiting.amended = True
        self._rows.lines[conversation] = [
            replace(line, message=amended(line.message, message))
            if line.message.platform_id == platform_id and not line.moved
            else line
            for line in self._rows.lines.get(conversation, ())
        ]

    async def move(self, tenant: str, old: Address, new: Address) -> None:
        conversation = self._find(tenant, old)
        if conversation is None:
            return
        self._rows.aliases[tenant, str(new)] = conversation
        known = self._rows.conversations[conversation]
        if known.address != new:
            lines = self._rows.lines.get(conversation, ())
            self._rows.lines[conversation] = [replace(line, moved=True) for line in lines]
        self._rows.conversations[conversation] = replace(known, address=new)

    def _settle(self, inbound: Inbound, placement: Placement) -> ConversationId:
        """The conversation at the inbound's address, made when there is none."""
        found = self._find(placement.tenant, inbound.address)
        if found is None:
            found = ConversationId(next(self._rows.conversation_ids))
            self._rows.aliases[placement.tenant, str(inbound.address)] = found
            self._rows.conversations[found] = Conversation(
                found,
                placement.tenant,
                inbound.address,
                placement.adapter,
                placement.audience,
                direct=inbound.direct,
            )
        known = self._rows.conversations[found]
        self._rows.conversations[found] = replace(
            known,
            adapter=placement.adapter,
            audience=placement.audience,
            direct=inbound.direct,
        )
        return found

    def _store(
        self,
        id: InboundId,
        conversation: ConversationId,
        inbound: Inbound,
        refusal: Refusal | None,
    ) -> InboxLine:
        now = self._now()
        line = InboxLine(
            id,
            conversation,
            inbound.event_key,
            inbound,
            now,
            refusal,
            self._person(conversation, inbound.sender),
            inbound.message.platform_id,
        )
        self._rows.inbox[line.id] = line
        self._rows.events[conversation, inbound.event_key] = line
        self._rows.lanes.setdefault(conversation, Lane(None))
        self._wake(conversation, now)
        return line

    def _open_slot(self, conversation: ConversationId, open_for: timedelta) -> int:
        slot = next(self._rows.slot_ids)
        self._rows.slots[slot] = Slot(conversation, self._now() + open_for)
        return slot
