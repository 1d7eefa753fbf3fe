"""Retention, and what the operator does with rows at large, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.address import Address, Sender
from bot.domain.conversation import Conversation, ConversationId, TurnId
from bot.domain.operating import StoreHealth
from bot.domain.records import OutboxRow, OutboxState, Retention, UsageRow
from bot.store.memory_erasure import MemoryErasure
from bot.store.memory_rows import InboxState
from bot.store.memory_schedule import MemorySessions
from bot.store.operating import REMEMBERED, RESTS, unsure_lasts, usage_lasts
from bot.store.times import aware

SIGNALS_LAST = timedelta(hours=1)
TICKS_LAST = timedelta(days=7)


class MemoryUpkeep(MemorySessions, MemoryErasure):
    async def retain(self, rules: Retention) -> Mapping[str, int]:
        now = self._now()
        journal = now - timedelta(seconds=rules.journal_seconds)
        retain = now - timedelta(seconds=rules.retain_seconds)
        keys = now - timedelta(seconds=rules.keys_seconds)
        signals = len(self._rows.signals)
        sessions = self._drop_sessions(retain, rules.batch)
        over = now - timedelta(microseconds=usage_lasts(rules))
        turns, messages, spent = self._drop_turns(retain, over, rules.batch)
        told = now - timedelta(microseconds=unsure_lasts(rules))
        self._rows.signals = [
            one for one in self._rows.signals if one.created_at > now - SIGNALS_LAST
        ]
        for key in [key for key in self._rows.ticks if key[1] <= now - TICKS_LAST]:
            del self._rows.ticks[key]
        return {
            "inbox": self._bare_inbox(journal, rules.batch),
            "outbox": self._bare_outbox(journal, retain, rules.batch),
            "messages": messages,
            "turns": turns,
            "keys": self._drop_keys(keys, rules.batch),
            "signals": signals - len(self._rows.signals),
            "unsure": self._drop_unsure(told, rules.batch),
            "usage": spent,
            "sessions": sessions,
            "nodes": self._drop_nodes(now - timedelta(microseconds=REMEMBERED)),
        }

    def _drop_sessions(self, before: datetime, batch: int) -> int:
        """The newest has the number that the next one follows."""
        thinking = {where for (where, _), line in self._rows.turns.items() if not line.ended_at}
        old = [
            (where, n)
            for where, sessions in self._rows.sessions.items()
            for n, session in sessions.items()
            if where not in thinking and n != max(sessions)
            if session.ended_at is not None and session.ended_at <= before
        ][:batch]
        for where, n in old:
            del self._rows.sessions[where][n]
        return len(old)

    def _drop_nodes(self, before: datetime) -> int:
        rows = self._rows
        holders = [lane.node for lane in rows.lanes.values()]
        holders += [line.node for line in rows.listeners.values()]
        holders += [tick.node for tick in rows.ticks.values()]
        named = {node.name for node in holders if node is not None}
        old = [
            name for name, (_, until) in rows.nodes.items() if until <= before and name not in named
        ]
        for name in old:
            del rows.nodes[name]
        return len(old)

    def _drop_unsure(self, before: datetime, batch: int) -> int:
        old = [one for one in self._rows.unsure if one.at <= before][:batch]
        for one in old:
            self._rows.unsure.remove(one)
        return len(old)

    def _bare_inbox(self, before: datetime, batch: int) -> int:
        old = [
            line
            for line in self._rows.inbox.values()
            if line.inbound is not None and line.done_at is not None and line.done_at <= before
        ][:batch]
        for line in old:
            line.inbound = None
        return len(old)

    def _bare_outbox(self, journal: datetime, retain: datetime, batch: int) -> int:
        before = {OutboxState.SENT: journal, OutboxState.DEAD: retain}
        old = [
            line
            for line in self._rows.outbox.values()
            if not line.bare
            and line.row.state in before
            and line.changed_at <= before[line.row.state]
        ][:batch]
        for line in old:
            line.empty()
        return len(old)

    def _drop_turns(self, before: datetime, over: datetime, batch: int) -> tuple[int, int, int]:
        """Turns that ended long ago, the entries that they wrote, and what they have used.

        Until what they used is not counted any more, they only lose what they say.
        """
        old = [
            (key, line.ended_at <= over)
            for key, line in self._rows.turns.items()
            if line.ended_at is not None and line.ended_at <= before
            if not line.bare or line.ended_at <= over
        ][:batch]
        dropped = 0
        for (where, turn), is_over in old:
            self._rows.turns[where, turn].bare = True
            if is_over:
                del self._rows.turns[where, turn]
            lines = self._rows.lines[where]
            self._rows.floors[where] = self._next_message(where) - 1
            self._rows.lines[where] = [line for line in lines if line.turn != turn]
            dropped += len(lines) - len(self._rows.lines[where])
        return len(old), dropped, self._drop_usage({key for key, is_over in old if is_over})

    def _drop_usage(self, turns: set[tuple[ConversationId, int]]) -> int:
        before = len(self._rows.usage)
        self._rows.usage = [
            line for line in self._rows.usage if (line.conversation, line.turn) not in turns
        ]
        return before - len(self._rows.usage)

    def _drop_keys(self, before: datetime, batch: int) -> int:
        events = [
            line
            for line in self._rows.inbox.values()
            if line.inbound is None and line.done_at is not None and line.done_at <= before
        ][:batch]
        for line in events:
            self._rows.drop_event(line)
        sends = [
            key
            for key, line in self._rows.outbox.items()
            if line.bare and line.changed_at <= before
        ][:batch]
        for key in sends:
            del self._rows.outbox[key]
        return len(events) + len(sends)

    async def expire_outbox(self, hold: timedelta, limit: int = 1000) -> Sequence[OutboxRow]:
        now = self._now()
        expired: list[OutboxRow] = []
        for line in self._rows.outbox.values():
            row = line.row
            ends = {
                OutboxState.QUEUED: row.outbound.expires_at,
                OutboxState.HELD: row.created_at + hold,
            }.get(row.state)
            if ends is not None and ends <= now and len(expired) < limit:
                expired.append(self._set(line, state=OutboxState.DEAD, error="expired"))
                if row.state is OutboxState.HELD:
                    self._wake(row.conversation, now)
        return expired

    async def repair(self) -> int:
        woken = 0
        latest = self._now() + timedelta(microseconds=RESTS)
        for conversation, lane in self._rows.lanes.items():
            if lane.node is not None:
                continue
            if lane.wake_at is None:
                sleeps = self._sleeps_on_work(conversation)
            else:
                sleeps = lane.wake_at > latest and bool(self._waiting(conversation))
            if sleeps:
                lane.wake_at = self._now()
                woken += 1
        return woken

    async def health(self) -> StoreHealth:
        states = [line.row.state for line in self._rows.outbox.values() if not line.bare]
        inbox = [line.state for line in self._rows.inbox.values() if line.inbound is not None]
        return StoreHealth(
            waiting=inbox.count(InboxState.WAITING),
            outbox=tuple(
                (state.value, states.count(state))
                for state in OutboxState
                if state is not OutboxState.SENT
            ),
            dead=inbox.count(InboxState.DEAD),
            unsure=len(self._rows.unsure_since(self._now() - timedelta(microseconds=REMEMBERED))),
        )

    async def outbox_rows(
        self, states: Sequence[OutboxState], limit: int = 100
    ) -> Sequence[OutboxRow]:
        rows = [
            line.row
            for line in self._rows.outbox.values()
            if line.row.state in states and not line.bare
        ]
        return sorted(rows, key=lambda row: (row.created_at, row.turn, row.piece))[:limit]

    async def outbox_repeated(self, limit: int = 100) -> Sequence[OutboxRow]:
        rows = await self.outbox_rows([OutboxState.SENT], len(self._rows.outbox))
        return [row for row in rows[::-1] if row.repeats][:limit]

    async def outbox_retry(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        line = self._rows.outbox.get((conversation, turn, piece))
        if line is None or line.bare or line.row.state not in {OutboxState.DEAD, OutboxState.HELD}:
            return False
        unexpiring = replace(line.row.outbound, expires_at=None)
        # The person may have it already: it is marked, as every repetition is.
        repeats = line.row.repeats + (line.row.error == "ambiguous")
        state, due = OutboxState.QUEUED, self._now()
        self._set(line, state=state, due_at=due, outbound=unexpiring, repeats=repeats)
        self._wake(conversation, self._now())
        return True

    async def outbox_drop(self, conversation: ConversationId, turn: TurnId, piece: int) -> bool:
        line = self._rows.outbox.get((conversation, turn, piece))
        if line is None or line.row.state in {OutboxState.SENDING, OutboxState.SENT}:
            return False
        del self._rows.outbox[conversation, turn, piece]
        self._wake(conversation, self._now())
        return True

    async def conversation(self, tenant: str, address: Address) -> Conversation | None:
        found = self._find(tenant, address)
        return None if found is None else self._rows.conversations[found]

    async def usage(
        self, *, conversation: ConversationId, sender: str | None, since: datetime
    ) -> UsageRow:
        aware(since)
        names = {line.sender for line in self._rows.usage}
        if sender is not None:
            names = {sender, self._person(conversation, Sender(sender))}
        lines = [
            line
            for line in self._rows.usage
            if line.conversation == conversation and line.at >= since and line.sender in names
        ]
        return UsageRow(
            turns=len({line.turn for line in lines}),
            input=sum(line.input for line in lines),
            output=sum(line.output for line in lines),
        )

    async def get_setting(self, name: str) -> str | None:
        return self._rows.settings.get(name)

    async def put_setting(self, name: str, value: str) -> str:
        return self._rows.settings.setdefault(name, value)
