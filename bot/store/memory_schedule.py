"""Sessions, ticks and listeners, in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.conversation import Conversation, ConversationId, Ending, Session
from bot.domain.records import (
    Claim,
    IdleRule,
    Node,
    OutboxState,
    Swept,
)
from bot.errors import Fenced
from bot.store.memory_lanes import UNSENT
from bot.store.memory_outbox import MemoryOutbox
from bot.store.memory_rows import ListenerLine, MemoryRoom, Tick
from bot.store.operating import AHEAD


class MemorySessions(MemoryOutbox):
    async def end_session(self, claim: Claim, session: Session, by: Ending) -> None:
        self._held(claim)
        known = self._rows.sessions.get(claim.conversation, {}).get(session.n)
        if known is not None and known.ended_at is None:
            ended = replace(known, ended_at=self._now(), ended_by=by)
            self._rows.sessions[claim.conversation][session.n] = ended

    async def sweep(self, rules: Sequence[IdleRule], limit: int = 1000) -> Sequence[Swept]:
        swept: list[Swept] = []
        for conversation, sessions in self._rows.sessions.items():
            known = self._rows.conversations[conversation]
            idle = idle_of(known, rules)
            for session in list(sessions.values()):
                if len(swept) == limit or session.ended_at is not None or idle is None:
                    continue
                if not session.is_over(self._now(), idle) or self._has_work(conversation):
                    continue
                sessions[session.n] = replace(session, ended_at=self._now(), ended_by=Ending.IDLE)
                swept.append(Swept(conversation, known.tenant, session.n))
        return swept

    def _has_work(self, conversation: ConversationId) -> bool:
        lane = self._rows.lanes.get(conversation)
        held = lane is not None and lane.node is not None
        return held or self._sleeps_on_work(conversation)

    def _sleeps_on_work(self, conversation: ConversationId) -> bool:
        unsent = [
            (key, line.row.state)
            for key, line in self._rows.outbox.items()
            if key[0] == conversation and line.row.state in UNSENT
        ]
        # What stands behind a held piece waits for the person as that does.
        sendable = bool(unsent) and min(unsent)[1] is not OutboxState.HELD
        return sendable or bool(self._waiting(conversation))


class MemoryTicks(MemoryRoom):
    async def claim_tick(self, job: str, scheduled_at: datetime, node: Node) -> bool:
        self._drop_relived(job, scheduled_at)
        tick = self._rows.ticks.get((job, scheduled_at))
        if tick is not None and (tick.done or self._alive(tick.node)):
            return False
        self._rows.ticks[job, scheduled_at] = Tick(node)
        return True

    def _drop_relived(self, job: str, scheduled_at: datetime) -> None:
        """The clock was set back: what was done then is not done now."""
        ahead = self._now() + timedelta(microseconds=AHEAD)
        for key in [key for key, tick in self._rows.ticks.items() if tick.done]:
            if key[0] == job and key[1] > ahead and key[1] != scheduled_at:
                del self._rows.ticks[key]

    async def tick_done(self, job: str, scheduled_at: datetime) -> None:
        tick = self._rows.ticks.get((job, scheduled_at))
        if tick is not None:
            tick.done = True


class MemoryListeners(MemoryRoom):
    """Listeners of one tenant, as one node holds them."""

    def __init__(self, room: MemoryRoom, node: Callable[[], Node], tenant: str) -> None:
        super().__init__(room._clock, room._rows)  # noqa: SLF001  # the same room, one more door
        self._node = node
        self._tenant = tenant
        self._lasts: dict[str, float] = {}

    async def hold(self, listener: str) -> int | None:
        line = self._rows.listeners.setdefault((self._tenant, listener), ListenerLine())
        self._lasts.pop(listener, None)
        if line.node is not None and line.node != self._node() and self._alive(line.node):
            _, until = self._rows.nodes[line.node.name]
            self._lasts[listener] = (until - self._now()).total_seconds()
            return None
        line.node = self._node()
        return line.offset

    def free_in(self, listener: str) -> float | None:
        return self._lasts.get(listener)

    async def advance(self, listener: str, offset: int) -> None:
        line = self._rows.listeners.get((self._tenant, listener))
        if line is None or line.node != self._node():
            raise Fenced
        line.offset = offset

    async def let_go(self, listener: str) -> None:
        line = self._rows.listeners.get((self._tenant, listener))
        if line is not None and line.node == self._node():
            line.node = None
            for hints in self._rows.hints:
                hints.look()


def idle_of(conversation: Conversation, rules: Sequence[IdleRule]) -> timedelta | None:
    """How long a session may rest here; None where no rule matches."""
    for rule in rules:
        if rule.adapter in {None, conversation.adapter} and rule.audience in {
            None,
            conversation.audience,
        }:
            return timedelta(seconds=rule.idle_seconds)
    return None
