"""The journal of turns, the transcript and its pages, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.address import Address, Sender
from bot.domain.conversation import (
    ConversationId,
    InboundId,
    Session,
    Step,
    Turn,
    TurnId,
    TurnState,
)
from bot.domain.message import Message, Outbound, Sent
from bot.domain.operating import UnsureCall
from bot.domain.records import Claim, Entry, Finish, OutboxRow, OutboxState, SignalKind
from bot.errors import Permanent
from bot.store.lines import Line, Origin, lines_of
from bot.store.memory_inbox import SAID, MemoryInbox
from bot.store.memory_lanes import MemoryLanes
from bot.store.memory_rows import InboxState, OutboxLine, TurnLine, UsageLine
from bot.store.names import person_of
from bot.store.times import aware


class MemoryJournal(MemoryInbox, MemoryLanes):
    async def start(self, claim: Claim, turn: Turn, session: Session) -> None:
        aware(turn.now, session.started_at, session.active_at)
        self._held(claim)
        self._rows.turns[claim.conversation, turn.id] = TurnLine(turn)
        self._rows.sessions.setdefault(claim.conversation, {})[session.n] = session
        if not turn.keeps_question:
            self._drop_approval(claim.conversation, turn.sender)

    async def step(self, claim: Claim, turn: TurnId, step: Step, *, durable: bool) -> None:
        self._held(claim)
        self._rows.steps.setdefault((claim.conversation, turn), {})[step.n] = step

    async def draft(self, claim: Claim, turn: TurnId, sent: Sent) -> None:
        self._held(claim)
        line = self._rows.turns.get((claim.conversation, turn))
        if line is not None:
            line.turn = replace(line.turn, draft=sent)

    async def finish(self, claim: Claim, finish: Finish) -> Sequence[OutboxRow]:
        self._check_finish(claim, finish)
        conversation, now = claim.conversation, self._now()
        turn = finish.turn
        self._rows.turns[conversation, turn.id] = TurnLine(turn, now)
        active_at = max(finish.session.active_at, now)
        sessions = self._rows.sessions.setdefault(conversation, {})
        sessions[finish.session.n] = replace(finish.session, active_at=active_at)
        self._append(conversation, finish)
        for id in finish.done:
            self._rows.inbox[id].close(InboxState.DONE, now)
        for id in finish.dead:
            self._rows.inbox[id].close(InboxState.DEAD, now)
        self._bill(conversation, finish, now)
        if finish.approval is not None:
            self._rows.approvals[conversation, finish.approval.sender] = finish.approval
        self._rows.unsure += [
            UnsureCall(now, conversation, turn.id, one.tool, one.key) for one in finish.unsure
        ]
        self._rows.steps.pop((conversation, turn.id), None)
        self._rows.signals = [
            one
            for one in self._rows.signals
            if (one.signal.conversation, one.signal.kind) != (conversation, SignalKind.TEXT)
        ]
        return [self._queue(claim, finish, n, piece) for n, piece in enumerate(finish.pieces)]

    async def skip(self, claim: Claim, done: Sequence[InboundId]) -> None:
        self._held(claim)
        for id in done:
            self._rows.inbox[id].close(InboxState.DONE, self._now())

    def _check_finish(self, claim: Claim, finish: Finish) -> None:
        aware(*(message.sent_at for message in finish.messages), finish.session.active_at)
        self._held(claim)
        known = self._rows.turns.get((claim.conversation, finish.turn.id))
        if known is not None and known.turn.state is not TurnState.THINKING:
            raise Permanent(f"turn {finish.turn.id} has ended already")
        last = self._next_message(claim.conversation) - 1
        if any(message.id <= last for message in finish.messages):
            raise Permanent(f"turn {finish.turn.id} would write over the transcript")

    def _append(self, conversation: ConversationId, finish: Finish) -> None:
        origins = [
            Origin(
                line.id,
                line.event_key,
                line.platform_id,
                line.inbound.message if line.amended and line.inbound else None,
            )
            for line in (self._rows.inbox[id] for id in (*finish.done, *finish.dead))
        ]
        address = self._rows.conversations[conversation].address
        lines = self._rows.lines.setdefault(conversation, [])
        lines += lines_of(finish, origins, address)

    def _bill(self, conversation: ConversationId, finish: Finish, now: datetime) -> None:
        self._rows.usage += [
            UsageLine(
                conversation,
                finish.turn.id,
                self._person(conversation, finish.turn.sender),
                now,
                spent.input,
                spent.output,
            )
            for spent in finish.spent
        ]

    def _queue(self, claim: Claim, finish: Finish, n: int, piece: Outbound) -> OutboxRow:
        now = self._now()
        sending = n == 0 and finish.sending_first
        row = OutboxRow(
            claim.conversation,
            finish.turn.id,
            n,
            piece,
            OutboxState.SENDING if sending else OutboxState.QUEUED,
            due_at=now,
            created_at=now,
            attempts=int(sending),
            draft=finish.turn.draft if n == 0 else None,
        )
        self._rows.outbox[claim.conversation, finish.turn.id, n] = OutboxLine(row, now)
        return row

    def _drop_approval(self, conversation: ConversationId, sender: Sender) -> None:
        self._rows.approvals.pop((conversation, sender.id), None)


class MemoryHistory(MemoryJournal):
    async def window(
        self, conversation: ConversationId, *, first: int, limit: int
    ) -> Sequence[Message]:
        lines = self._rows.lines.get(conversation, [])
        found = [line.message for line in lines[-limit:] if line.message.id >= first]
        return found if limit else []

    async def page(
        self, tenant: str, address: Address, *, before: int | None, limit: int
    ) -> Sequence[Entry]:
        conversation = self._find(tenant, address)
        if conversation is None or limit < 1:
            return []
        lines = [
            line
            for line in self._rows.lines.get(conversation, [])
            if before is None or line.message.id < before
        ]
        entries = [self._entry(conversation, line) for line in lines[-limit:]]
        if before is None:
            entries += self._waiting_entries(conversation)
        return entries

    async def awaited(self, tenant: str, address: Address, sender: Sender) -> Sequence[Address]:
        who = person_of(address, sender)
        lines = [
            line
            for conversation, known in self._rows.conversations.items()
            if known.tenant == tenant
            for line in self._waiting(conversation)
            if line.person == who and line.inbound is not None and line.inbound.kind in SAID
        ]
        lines.sort(key=lambda line: line.id, reverse=True)
        return [self._rows.conversations[line.conversation].address for line in lines]

    async def said_by(self, tenant: str, sender: str, limit: int = 1000) -> Sequence[Entry]:
        entries: list[Entry] = []
        for conversation, known in self._rows.conversations.items():
            if known.tenant != tenant:
                continue
            entries += [
                self._entry(conversation, line)
                for line in self._rows.lines.get(conversation, [])
                if line.person == sender
            ]
            entries += self._waiting_entries(conversation, sender)
        entries.sort(key=lambda entry: entry.message.sent_at)
        return entries[-limit:]

    def _entry(self, conversation: ConversationId, line: Line) -> Entry:
        return Entry(
            line.message,
            self._rows.conversations[conversation].address,
            line.event_key,
            TurnId(line.turn),
        )

    def _waiting_entries(
        self, conversation: ConversationId, person: str | None = None
    ) -> list[Entry]:
        return [
            Entry(
                line.inbound.message,
                self._rows.conversations[conversation].address,
                line.event_key,
                waiting=True,
            )
            for line in self._waiting(conversation)
            if line.inbound is not None
            and line.inbound.kind in SAID
            and person in {None, line.person}
        ]
