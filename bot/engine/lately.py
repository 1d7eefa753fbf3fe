"""How much of what one adapter brought was refused within the last hour."""

from collections import deque

from bot.policy.welcome import Lately
from bot.ports import Clock

WINDOW = 60
"""Minutes."""


class Refusals:
    """Counts by the minute: what is forgotten is at most a minute too old."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minutes: deque[tuple[int, Lately]] = deque()

    def count(self, *, refused: bool) -> None:
        """One more delivery."""
        now = self._forget()
        if not self._minutes or self._minutes[-1][0] != now:
            self._minutes.append((now, Lately()))
        _, was = self._minutes[-1]
        self._minutes[-1] = (now, Lately(was.delivered + 1, was.refused + refused))

    def lately(self) -> Lately:
        """The last hour."""
        self._forget()
        found = [counted for _, counted in self._minutes]
        return Lately(sum(one.delivered for one in found), sum(one.refused for one in found))

    def _forget(self) -> int:
        now = int(self._clock.monotonic() // 60)
        while self._minutes and self._minutes[0][0] <= now - WINDOW:
            self._minutes.popleft()
        return now
