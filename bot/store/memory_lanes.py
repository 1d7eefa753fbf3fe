"""Leases, claims and the head of a lane, in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.conversation import ConversationId, Step, Turn, TurnState
from bot.domain.records import (
    Approval,
    Asked,
    Claim,
    Head,
    Node,
    OutboxRow,
    OutboxState,
    Waiting,
)
from bot.errors import Fenced
from bot.store.memory_rows import InboxLine, Lane, MemoryRoom
from bot.store.reading import HEAD_LIMIT, open_question
from bot.store.times import EPOCH, to_micros
from bot.store.turns import in_turn

SLOT_GRACE = timedelta(seconds=2)
"""How long after its slot closed a piece may still be reported."""

UNSENT = (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.HELD)


class MemoryLanes(MemoryRoom):
    async def join(self, name: str, lease: timedelta) -> Node:
        # Behind every epoch that a node of this name may have had: its row goes some day.
        epoch, _ = self._rows.nodes.get(name, (to_micros(self._now()) - 1, EPOCH))
        self._rows.nodes[name] = (epoch + 1, self._now() + lease)
        return Node(name, epoch + 1)

    async def renew(self, node: Node, lease: timedelta) -> bool:
        if not self._alive(node):
            return False
        self._rows.nodes[node.name] = (node.epoch, self._now() + lease)
        return True

    async def rejoin(self, node: Node, lease: timedelta) -> Node | None:
        epoch, _ = self._rows.nodes.get(node.name, (node.epoch, EPOCH))
        return await self.join(node.name, lease) if epoch == node.epoch else None

    async def leave(self, node: Node) -> None:
        epoch, _ = self._rows.nodes.get(node.name, (0, EPOCH))
        if epoch == node.epoch:
            self._rows.nodes[node.name] = (epoch, EPOCH)

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        if not self._alive(node):
            return ()
        found = self._left_behind()[: (limit + 1) // 2]
        due = in_turn(self._due(), limit - len(found), self._served)
        if due:
            self._served = due[-1][0]
        found += [key for _, key in due]
        return [self._take_lane(node, key) for key in found]

    async def claim_one(self, node: Node, conversation: ConversationId) -> Claim | None:
        lane = self._rows.lanes.get(conversation)
        if lane is None or not self._alive(node) or not self._claimable(lane):
            return None
        return self._take_lane(node, conversation)

    async def head(self, claim: Claim) -> Head:
        self._held(claim)
        conversation, now = claim.conversation, self._now()
        turn, steps = self._unfinished(conversation)
        waiting = _shown(self._waiting(conversation)[:HEAD_LIMIT])
        sessions = self._rows.sessions.get(conversation)
        return Head(
            conversation=self._rows.conversations[conversation],
            now=now,
            next_message=self._next_message(conversation),
            session=sessions[max(sessions)] if sessions else None,
            turn=turn,
            steps=steps,
            waiting=waiting,
            outbox=self._unsent(conversation),
            approval=self._approval(conversation, waiting, now),
            slot_closes_at=self._slots_close_at(conversation, now),
        )

    async def newest(self, claim: Claim) -> Sequence[Waiting]:
        try:
            self._held(claim)
        except Fenced:
            return ()
        return _shown(self._waiting(claim.conversation)[-HEAD_LIMIT:])

    async def asked(self, approval: Approval) -> Asked | None:
        turns = [
            id
            for (where, id), line in self._rows.turns.items()
            if where == approval.conversation and line.turn.asked_until == approval.expires_at
        ]
        if not turns:
            return None
        pieces = [
            line
            for (where, turn, _), line in self._rows.outbox.items()
            if (where, turn) == (approval.conversation, max(turns))
        ]
        shown = pieces and all(line.row.state is OutboxState.SENT for line in pieces)
        stands = [one for line in pieces for one in (line.row.sent, line.row.draft)]
        return Asked(
            max(line.changed_at for line in pieces) if shown else None,
            frozenset(sent.platform_id for sent in stands if sent and sent.platform_id),
            any(line.row.repeats for line in pieces),
        )

    async def release(self, claim: Claim, *, wake_at: datetime | None = None) -> bool:
        lane = self._held(claim)
        if lane.wake_at is not None:
            lane.wake_at = None
            return False
        lane.node, lane.wake_at = None, wake_at
        return True

    async def let_go(self, node: Node, held: Collection[ConversationId]) -> int:
        found = [
            lane for key, lane in self._rows.lanes.items() if lane.node == node and key not in held
        ]
        for lane in found:
            lane.node, lane.wake_at = None, self._now()
        return len(found)

    async def wake_up_in(self) -> float | None:
        times = [
            lane.wake_at
            for lane in self._rows.lanes.values()
            if lane.node is None and lane.wake_at is not None
        ]
        if not times:
            return None
        return max(0.0, (min(times) - self._now()).total_seconds())

    def _left_behind(self) -> list[ConversationId]:
        """They get half of the seats: what waits need not wait for all of them."""
        lanes = self._rows.lanes.items()
        return [key for key, lane in lanes if lane.node is not None and self._claimable(lane)]

    def _due(self) -> dict[str, list[ConversationId]]:
        free = [(lane.wake_at, key) for key, lane in self._rows.lanes.items() if lane.node is None]
        found: dict[str, list[ConversationId]] = {}
        for _, key in sorted((at, key) for at, key in free if at is not None and at <= self._now()):
            found.setdefault(self._rows.conversations[key].tenant, []).append(key)
        return found

    def _claimable(self, lane: Lane) -> bool:
        if lane.node is not None:
            # Its holder died with it: whether or not anything woke it, something was begun.
            return not self._alive(lane.node)
        return lane.wake_at is not None and lane.wake_at <= self._now()

    def _take_lane(self, node: Node, conversation: ConversationId) -> Claim:
        lane = self._rows.lanes[conversation]
        lane.node, lane.wake_at = node, None
        lane.fence += 1
        return Claim(conversation, node, lane.fence, before=lane.fence - 1)

    def _unfinished(self, conversation: ConversationId) -> tuple[Turn | None, tuple[Step, ...]]:
        for (where, id), line in self._rows.turns.items():
            if where == conversation and line.turn.state is TurnState.THINKING:
                steps = self._rows.steps.get((where, id), {})
                return line.turn, tuple(steps[n] for n in sorted(steps))
        return None, ()

    def _unsent(self, conversation: ConversationId) -> tuple[OutboxRow, ...]:
        return tuple(
            line.row
            for key, line in sorted(self._rows.outbox.items())
            if key[0] == conversation and line.row.state in UNSENT
        )

    def _next_message(self, conversation: ConversationId) -> int:
        lines = self._rows.lines.get(conversation)
        last = lines[-1].message.id if lines else 0
        return max(last, self._rows.floors.get(conversation, 0)) + 1

    def _approval(
        self, conversation: ConversationId, waiting: Sequence[Waiting], now: datetime
    ) -> Approval | None:
        asked = {
            sender: approval
            for (where, sender), approval in self._rows.approvals.items()
            if where == conversation
        }
        return open_question(asked, waiting, now)

    def _slots_close_at(self, conversation: ConversationId, now: datetime) -> datetime | None:
        times = [
            slot.closes_at
            for slot in self._rows.slots.values()
            if slot.conversation == conversation
        ]
        times += [
            line.taken.closes_at + SLOT_GRACE
            for (where, _, _), line in self._rows.outbox.items()
            if where == conversation and line.taken and line.row.state is OutboxState.SENDING
        ]
        return max((time for time in times if time > now), default=None)

    def _touch(self, conversation: ConversationId) -> None:
        """The open session is active now."""
        sessions = self._rows.sessions.get(conversation)
        if sessions:
            last = sessions[max(sessions)]
            if last.ended_at is None:
                sessions[last.n] = replace(last, active_at=max(last.active_at, self._now()))


def _shown(lines: Sequence[InboxLine]) -> tuple[Waiting, ...]:
    return tuple(
        Waiting(line.id, line.inbound, line.received_at, line.refusal)
        for line in lines
        if line.inbound is not None
    )
