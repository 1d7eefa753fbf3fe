"""How much one visitor may send."""

import math
from collections import OrderedDict

from bot import Clock

REMEMBERED = 10_000


class Rate:
    """So many messages a minute for each visitor: a bucket that refills as time passes."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._size = float(per_minute)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, visitor: str) -> int:
        """Seconds until the visitor may send again; 0 takes a message out of the bucket."""
        now = self._clock.monotonic()
        left, then = self._buckets.pop(visitor, (self._size, now))
        left = min(self._size, left + (now - then) * self._size / 60)
        full = left < 1
        self._buckets[visitor] = (left if full else left - 1, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return math.ceil((1 - left) * 60 / self._size) if full else 0
