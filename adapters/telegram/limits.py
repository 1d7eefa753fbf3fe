"""How fast we may speak: per chat, per group, over all; finals before edits before drafts."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from bot import Clock, Transient

BURST = 3
"""Messages that one chat takes at once."""
EDIT_SPACING = (1.2, 3.0, 6.0)
"""Seconds between edits in a group: the more of the minute's budget is used, the slower."""
PRIVATE_EDIT_SPACING = 1.2
DRAFT_SPACING = 0.8
FINALS_RESERVE = 6
"""Of a group's minute, what edits leave for answers."""
PATIENCE = 5.0
"""Longer waits are not waited here: the caller is told when to come back."""

# A little longer than the service counts: calls do not arrive as evenly as they leave.
_MINUTE = 61.0
_SECOND = 1.05
_SLACK = 0.95
_NEVER = float("-inf")
_MANY_CHATS = 4096


@dataclass(frozen=True, slots=True)
class Rates:
    """What the service takes; 0 sets no limit."""

    overall: int = 30
    chat: float = 1.0
    group: int = 20


@dataclass(slots=True)
class _Chat:
    tokens: float = BURST
    counted_at: float = _NEVER
    shown_at: float = _NEVER
    paused_until: float = _NEVER
    finals: int = 0
    minute: deque[float] = field(default_factory=deque)

    def is_idle(self, now: float) -> bool:
        last = max(self.counted_at, self.shown_at, self.paused_until)
        return self.finals == 0 and now - last > _MINUTE


class Pace:
    """Keeps below the service's limits, so that it never has to punish us.

    A punishment is minutes of silence in which a final answer would be lost; so decoration
    (edits, drafts) always leaves room for what has to arrive.
    """

    def __init__(self, clock: Clock, rates: Rates) -> None:
        self._clock = clock
        self._rates = rates
        self._chats: dict[int, _Chat] = {}
        self._second: deque[float] = deque()

    async def final(self, chat: int) -> None:
        """Wait until a message or a last edit may go.

        Raises:
            Transient: it would take longer than a caller should be kept waiting.
        """
        state = self._state(chat)
        state.finals += 1
        try:
            await self._wait(lambda now: self._until_final(chat, state, now))
        finally:
            state.finals -= 1
        self._count(chat, state)

    async def edit(self, chat: int) -> None:
        """Wait until an edit that is only decoration may go. Raises: Transient."""
        state = self._state(chat)
        await self._wait(lambda now: self._until_edit(chat, state, now))
        self._count(chat, state)

    async def draft(self, chat: int) -> None:
        """Wait until a draft may be shown; drafts are no messages. Raises: Transient."""
        state = self._state(chat)
        await self._wait(lambda now: self._until_draft(state, now))
        state.shown_at = self._clock.monotonic()
        if self._rates.overall:
            self._second.append(state.shown_at)

    def pause(self, chat: int, seconds: float) -> None:
        """The service said so: nothing goes to this chat before."""
        state = self._state(chat)
        state.paused_until = max(state.paused_until, self._clock.monotonic() + seconds)

    async def _wait(self, until: Callable[[float], float]) -> None:
        # Looked at again after each sleep: others may have taken the room meanwhile. Between the
        # last look and the count there is no await.
        waited = 0.0
        while (seconds := until(self._clock.monotonic())) > 0:
            if waited + seconds > PATIENCE:
                raise Transient("the chat's limit", retry_after=timedelta(seconds=seconds))
            waited += seconds
            await self._clock.sleep(seconds)

    def _until_final(self, chat: int, state: _Chat, now: float) -> float:
        return max(
            state.paused_until - now,
            self._until_token(state, now, needed=1.0),
            self._until_group(chat, state, now, reserve=0),
            self._until_second(now, share=1.0),
        )

    def _until_edit(self, chat: int, state: _Chat, now: float) -> float:
        spacing = PRIVATE_EDIT_SPACING
        if chat < 0:
            self._forget_old(state, now)
            spacing = EDIT_SPACING[min(len(state.minute) // 5, len(EDIT_SPACING) - 1)]
        return max(
            state.paused_until - now,
            state.shown_at + spacing - now,
            DRAFT_SPACING if state.finals else 0.0,
            self._until_token(state, now, needed=2.0),
            self._until_group(chat, state, now, reserve=FINALS_RESERVE),
            self._until_second(now, share=0.7),
        )

    def _until_draft(self, state: _Chat, now: float) -> float:
        return max(
            state.paused_until - now,
            state.shown_at + DRAFT_SPACING - now,
            self._until_second(now, share=0.7),
        )

    def _until_token(self, state: _Chat, now: float, *, needed: float) -> float:
        if not self._rates.chat:
            return 0.0
        if state.counted_at != _NEVER:
            gained = (now - state.counted_at) * self._rates.chat * _SLACK
            state.tokens = min(float(BURST), state.tokens + gained)
        state.counted_at = now
        # A hair less than a whole token is one: sums of fractions never meet exactly.
        return max(0.0, (needed - state.tokens - 1e-6) / (self._rates.chat * _SLACK))

    def _until_group(self, chat: int, state: _Chat, now: float, *, reserve: int) -> float:
        if chat > 0 or not self._rates.group:
            return 0.0
        self._forget_old(state, now)
        room = max(1, self._rates.group - reserve)
        if len(state.minute) < room:
            return 0.0
        return state.minute[len(state.minute) - room] + _MINUTE - now

    def _forget_old(self, state: _Chat, now: float) -> None:
        while state.minute and state.minute[0] <= now - _MINUTE:
            state.minute.popleft()

    def _until_second(self, now: float, *, share: float) -> float:
        if not self._rates.overall:
            return 0.0
        while self._second and self._second[0] <= now - _SECOND:
            self._second.popleft()
        room = max(1, int(self._rates.overall * share))
        if len(self._second) < room:
            return 0.0
        return self._second[len(self._second) - room] + _SECOND - now

    def _count(self, chat: int, state: _Chat) -> None:
        now = self._clock.monotonic()
        state.tokens -= 1.0
        state.shown_at = now
        if self._rates.overall:
            self._second.append(now)
        if chat < 0 and self._rates.group:
            state.minute.append(now)

    def _state(self, chat: int) -> _Chat:
        state = self._chats.get(chat)
        if state is None:
            if len(self._chats) >= _MANY_CHATS:
                self._forget_idle()
            state = self._chats[chat] = _Chat()
        return state

    def _forget_idle(self) -> None:
        now = self._clock.monotonic()
        for chat in [chat for chat, state in self._chats.items() if state.is_idle(now)]:
            del self._chats[chat]
