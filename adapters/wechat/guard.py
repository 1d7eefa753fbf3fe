"""What has been seen before: replays are turned away, and repeated deliveries are counted."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bot import Clock

FRESH = 300.0
"""Seconds that a signed request may be old, or ahead."""
DELIVERIES = 3
PATIENCE = 5
"""Seconds after which the platform gives a delivery up and makes the next."""

_KEPT = 2 * FRESH
_MOST = 20_000
_T = TypeVar("_T")


@dataclass(slots=True)
class Delivery:
    """One delivery of one event. `number` is which of the three it is, as far as we can tell."""

    key: tuple[str, str]
    number: int
    at: float
    answered: bool = False

    @property
    def is_last(self) -> bool:
        """After this one the person reads that the account is out of service."""
        return self.number >= DELIVERIES


class Guard:
    """This process's memory of signed requests; the inbox keeps what must never be forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._requests: OrderedDict[tuple[str, str], Delivery] = OrderedDict()
        self._counts: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self.skew: float | None = None
        """How far our clock is ahead of the platform's, by the quickest request so far."""

    def is_fresh(self, timestamp: str) -> bool:
        """Whether a request was signed just now."""
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        return abs(self._ahead(timestamp)) <= FRESH

    def admit(
        self, timestamp: str, nonce: str, *, openid: str, key: str, created: int
    ) -> Delivery | None:
        """Take note of a delivery; None when this very request was made before.

        The platform repeats only what it got no answer to. So the same signed request is a
        repeat while its first copy is unanswered, and a replay after that, or around another
        event.
        """
        now = self._clock.monotonic()
        self._forget(now)
        ahead = self._ahead(timestamp)
        self.skew = ahead if self.skew is None else min(self.skew, ahead)
        event = (openid, key)
        known = self._requests.get((timestamp, nonce))
        if known is not None and (known.answered or known.key != event):
            return None
        count, _ = self._counts.get(event, (0, now))
        self._counts[event] = (count + 1, now)
        self._counts.move_to_end(event)
        number = max(count + 1, self._number_by_age(int(timestamp), created))
        delivery = Delivery(event, min(number, DELIVERIES), now)
        self._requests[timestamp, nonce] = delivery
        return delivery

    def _number_by_age(self, timestamp: int, created: int) -> int:
        """Which delivery it must be by the platform's own times: the others went elsewhere."""
        now = self._clock.now().timestamp() - (self.skew or 0.0)
        age = max(float(timestamp), now) - created
        # Anything older than the third delivery's end was held up before the first.
        if not 0 <= age < PATIENCE * DELIVERIES + 1:
            return 1
        return 1 + int(age) // PATIENCE

    def _ahead(self, timestamp: str) -> float:
        return self._clock.now().timestamp() - int(timestamp)

    def _forget(self, now: float) -> None:
        _drop(self._requests, lambda delivery: now - delivery.at > _KEPT)
        _drop(self._counts, lambda counted: now - counted[1] > _KEPT)


def _drop(kept: OrderedDict[tuple[str, str], _T], is_old: Callable[[_T], bool]) -> None:
    while kept and (len(kept) > _MOST or is_old(next(iter(kept.values())))):
        kept.popitem(last=False)
