"""How fast we may speak: per channel, per method, per message; answers before decoration."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from bot import Clock, Transient

BURST = 3
"""Messages that one channel takes at once."""
SPACING = (1.2, 2.5, 5.0)
"""Seconds between edits of one message: the more of the minute's budget is used, the slower."""
RESERVE = 10
"""Of the minute's edits, what growing texts leave for finished ones."""
PATIENCE = 5.0
"""Longer waits are not waited here: the caller is told when to come back."""

# A little longer than the service counts: calls do not arrive as evenly as they leave.
_MINUTE = 61.0
_SLACK = 0.95
_NEVER = float("-inf")
_MANY = 4096

POST = "chat.postMessage"
UPDATE = "chat.update"


@dataclass(frozen=True, slots=True)
class Rates:
    """What the service takes; 0 sets no limit."""

    channel: float = 1.0
    updates: int = 50


@dataclass(slots=True)
class _Channel:
    tokens: float = BURST
    counted_at: float = _NEVER


@dataclass(slots=True)
class Pace:
    """Keeps below the service's limits, so that it never has to refuse.

    A refusal names a method: it pauses that method, and of the posting only the channel.
    """

    clock: Clock
    rates: Rates
    _channels: dict[str, _Channel] = field(default_factory=dict)
    _shown: dict[tuple[str, str], float] = field(default_factory=dict)
    _paused: dict[tuple[str, str], float] = field(default_factory=dict)
    _minute: deque[float] = field(default_factory=deque)
    _finals: int = 0

    async def post(self, channel: str) -> None:
        """Wait until a message may go. Raises: Transient, when it would take too long."""
        await self._wait(lambda now: self._until_post(channel, now))
        if self.rates.channel:
            self._channel(channel).tokens -= 1.0

    async def call(self, method: str) -> None:
        """Wait until a method that has no budget of its own may be called. Raises: Transient."""
        await self._wait(lambda now: self._until_free(method, "", now))

    async def edit(self, channel: str, ts: str) -> None:
        """Wait until a growing text may be shown. Raises: Transient."""
        await self._wait(lambda now: self._until_edit((channel, ts), now))
        self._count((channel, ts))

    async def final(self, channel: str, ts: str) -> None:
        """Wait until a finished text may be put in place. Raises: Transient."""
        self._finals += 1
        try:
            await self._wait(lambda now: self._until_update(now, reserve=0))
        finally:
            self._finals -= 1
        self._count((channel, ts))
        self._shown.pop((channel, ts), None)

    def has_room(self) -> bool:
        """Whether a text that is begun now can be finished within the minute.

        What stands half on a screen needs an edit to end, and Slack takes some fifty a minute; a
        whole answer is a post, of which every channel has its own.
        """
        if not self.rates.updates:
            return True
        self._forget_old(self.clock.monotonic())
        return len(self._minute) < max(1, self.rates.updates - RESERVE)

    def pause(self, method: str, channel: str, seconds: float) -> None:
        """The service said so: none of this goes before."""
        place = (method, channel if method == POST else "")
        until = self.clock.monotonic() + seconds
        if len(self._paused) >= _MANY:
            self._paused = {p: t for p, t in self._paused.items() if t > self.clock.monotonic()}
        self._paused[place] = max(self._paused.get(place, _NEVER), until)

    def paused(self) -> tuple[str, float] | None:
        """A method that the service wants less of just now, and for how many seconds."""
        now = self.clock.monotonic()
        waiting = [(until - now, method) for (method, _), until in self._paused.items()]
        longest = max(waiting, default=(0.0, ""))
        return (longest[1], longest[0]) if longest[0] > 0 else None

    async def _wait(self, until: Callable[[float], float]) -> None:
        # Looked at again after each sleep: others may have taken the room meanwhile. Between the
        # last look and the count there is no await.
        waited = 0.0
        while (seconds := until(self.clock.monotonic())) > 0:
            if waited + seconds > PATIENCE:
                raise Transient("Slack's pace", retry_after=timedelta(seconds=seconds))
            waited += seconds
            await self.clock.sleep(seconds)

    def _until_free(self, method: str, channel: str, now: float) -> float:
        return self._paused.get((method, channel), _NEVER) - now

    def _until_post(self, channel: str, now: float) -> float:
        return max(self._until_free(POST, channel, now), self._until_token(channel, now))

    def _until_token(self, channel: str, now: float) -> float:
        if not self.rates.channel:
            return 0.0
        state = self._channel(channel)
        if state.counted_at != _NEVER:
            gained = (now - state.counted_at) * self.rates.channel * _SLACK
            state.tokens = min(float(BURST), state.tokens + gained)
        state.counted_at = now
        # A hair less than a whole token is one: sums of fractions never meet exactly.
        return max(0.0, (1.0 - state.tokens - 1e-6) / (self.rates.channel * _SLACK))

    def _until_edit(self, message: tuple[str, str], now: float) -> float:
        spacing = SPACING[0]
        if self.rates.updates:
            self._forget_old(now)
            used = len(self._minute) * len(SPACING) // max(self.rates.updates - RESERVE, 1)
            spacing = SPACING[min(used, len(SPACING) - 1)]
        return max(
            self._shown.get(message, _NEVER) + spacing - now,
            SPACING[0] if self._finals else 0.0,
            self._until_update(now, reserve=RESERVE),
        )

    def _until_update(self, now: float, *, reserve: int) -> float:
        return max(self._until_free(UPDATE, "", now), self._until_budget(now, reserve))

    def _until_budget(self, now: float, reserve: int) -> float:
        if not self.rates.updates:
            return 0.0
        self._forget_old(now)
        room = max(1, self.rates.updates - reserve)
        if len(self._minute) < room:
            return 0.0
        return self._minute[len(self._minute) - room] + _MINUTE - now

    def _forget_old(self, now: float) -> None:
        while self._minute and self._minute[0] <= now - _MINUTE:
            self._minute.popleft()

    def _count(self, message: tuple[str, str]) -> None:
        now = self.clock.monotonic()
        if self.rates.updates:
            self._minute.append(now)
        if len(self._shown) >= _MANY:
            self._shown = {m: at for m, at in self._shown.items() if now - at < _MINUTE}
        self._shown[message] = now

    def _channel(self, channel: str) -> _Channel:
        state = self._channels.get(channel)
        if state is None:
            if len(self._channels) >= _MANY:
                now = self.clock.monotonic()
                idle = [c for c, s in self._channels.items() if now - s.counted_at > _MINUTE]
                for name in idle:
                    del self._channels[name]
            state = self._channels[channel] = _Channel()
        return state
