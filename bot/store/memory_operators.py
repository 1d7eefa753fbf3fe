"""What waits, what was given up and what is unknown, for operators, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.conversation import InboundId
from bot.domain.operating import InboxRow, InboxState, NodeHealth, UnsureCall
from bot.store.memory_rows import InboxLine, MemoryRoom
from bot.store.memory_rows import InboxState as State
from bot.store.operating import REMEMBERED, STATES


class MemoryOperators(MemoryRoom):
    async def inbox_rows(
        self, states: Sequence[InboxState], limit: int = 100
    ) -> Sequence[InboxRow]:
        rows = [
            self._row(line)
            for _, line in sorted(self._rows.inbox.items())
            if STATES.get(line.state) in states and line.inbound is not None
        ]
        return rows[:limit]

    def _row(self, line: InboxLine) -> InboxRow:
        assert line.inbound is not None
        turn = self._rows.turns.get((line.conversation, line.id))
        return InboxRow(
            line.id,
            line.conversation,
            self._rows.conversations[line.conversation].adapter,
            line.inbound,
            STATES[line.state],
            line.received_at,
            runs=0 if turn is None else turn.turn.attempts,
        )

    async def inbox_retry(self, id: InboundId) -> bool:
        line = self._rows.inbox.get(id)
        if line is None or line.state is State.DONE or line.inbound is None:
            return False
        if line.state is State.DEAD:
            again = replace(
                line,
                id=InboundId(next(self._rows.inbound_ids)),
                event_key=f"retry:{id}",
                received_at=self._now(),
                state=State.WAITING,
                amended=False,
                refusal=None,
                done_at=None,
            )
            self._rows.inbox[again.id] = again
            self._rows.events[again.conversation, again.event_key] = again
            line.state = State.DONE
        self._wake(line.conversation, self._now())
        return True

    async def inbox_drop(self, id: InboundId) -> bool:
        line = self._rows.inbox.get(id)
        if line is None or line.state is State.DONE:
            return False
        line.state, line.done_at, line.inbound = State.DONE, self._now(), None
        return True

    async def nodes(self) -> Sequence[NodeHealth]:
        now, since = self._now(), self._now() - timedelta(microseconds=REMEMBERED)
        holders = [lane.node.name for lane in self._rows.lanes.values() if lane.node is not None]
        return [
            NodeHealth(name, until > now, until, holders.count(name))
            for name, (_, until) in sorted(self._rows.nodes.items())
            if until > since or name in holders
        ]

    async def unsure_calls(self, limit: int = 100) -> Sequence[UnsureCall]:
        since = self._now() - timedelta(microseconds=REMEMBERED)
        return self._rows.unsure_since(since)[::-1][:limit]
