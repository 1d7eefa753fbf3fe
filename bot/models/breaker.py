"""Stop asking a provider that is down, and find out when it is back."""

from collections import deque
from collections.abc import AsyncGenerator
from datetime import timedelta
from enum import StrEnum

from bot.domain.model import Delta, Finished, Request
from bot.errors import Permanent, Transient
from bot.models.closing import closing
from bot.models.failures import Busy, NoRoom
from bot.ports import Clock, Model

IN_A_ROW = 5
OF_AT_LEAST = 10
WINDOW = 30.0
SHORTEST = 5.0
LONGEST = 60.0


class CircuitOpen(Transient):
    """Nobody was asked: the provider has failed too often just now."""


class Crowded(Busy):
    """It has told five of us in a row that it has enough: asking again only adds to that."""


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit:
    """What is known of one provider's model; shared by everything that asks it.

    It opens after five failures in a row, or when at least ten calls of the last 30 seconds
    failed by half. One probe goes through after 5 seconds; each probe that fails doubles the
    wait, up to a minute.

    A provider that refuses (429) is there, and never opens it. One that has refused five times in
    a row is not asked again for the same request, until it begins an answer: three calls for each
    message would keep it where it is. Who was told when to come back does so once, for others may
    have been let in by then.
    """

    def __init__(self) -> None:
        self._calls: deque[tuple[float, bool]] = deque()
        self._bad = 0
        self._in_a_row = 0
        self._wait = SHORTEST
        self._refusals = 0
        self._refused_since = self._refused_at = 0.0
        self._open_until: float | None = None
        self._probing = False

    def state(self, now: float) -> CircuitState:
        """For status pages and metrics."""
        if self._open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self._open_until else CircuitState.HALF_OPEN

    def ask(self, now: float) -> float:
        """0.0: go ahead. Otherwise the seconds until a probe may go through."""
        if self._open_until is None:
            return 0.0
        if now >= self._open_until and not self._probing:
            self._probing = True
            return 0.0
        return max(self._open_until - now, SHORTEST)

    def heard(self) -> None:
        """The provider has begun to answer somebody."""
        self._refusals = 0

    def answered(self, now: float) -> None:
        """The provider answered as it should."""
        self._close()
        self.heard()
        self._keep(now, failed=False)

    def spoke(self) -> None:
        """It refused (429, 4xx): it is there, but that is no success to count."""
        self._in_a_row = 0
        if self._probing:
            self._close()

    def refused(self, now: float, told: float = 0.0) -> bool:
        """It has enough of us (429); whether it says so to everybody, also after the time told."""
        self.spoke()
        if self._refused_at <= now - WINDOW:
            self._refusals = 0
        if not self._refusals:
            self._refused_since = now
        self._refused_at = now
        self._refusals += 1
        return self._refusals >= IN_A_ROW and now - self._refused_since >= told

    def left(self) -> None:
        """The caller went away before anything was known: the next one may probe."""
        self._probing = False

    def failed(self, now: float) -> None:
        """No answer: unreachable, broken off, too slow, or a 5xx."""
        if self._open_until is not None:
            self._reopen(now)
            return
        self._in_a_row += 1
        self._keep(now, failed=True)
        by_half = len(self._calls) >= OF_AT_LEAST and 2 * self._bad >= len(self._calls)
        if self._in_a_row >= IN_A_ROW or by_half:
            self._open_until = now + self._wait

    def _reopen(self, now: float) -> None:
        # A call that began before it opened may fail later; only the probe's failure counts.
        if self._probing:
            self._probing = False
            self._wait = min(LONGEST, 2 * self._wait)
            self._open_until = now + self._wait

    def _close(self) -> None:
        if self._open_until is not None:
            self._calls.clear()
            self._bad = 0
        self._open_until = None
        self._probing = False
        self._in_a_row = 0
        self._wait = SHORTEST

    def _keep(self, now: float, *, failed: bool) -> None:
        self._calls.append((now, failed))
        self._bad += failed
        while self._calls[0][0] <= now - WINDOW:
            self._bad -= self._calls.popleft()[1]


class Breaker:
    """A `Model` that asks the one it wraps only while its circuit lets it."""

    def __init__(self, model: Model, circuit: Circuit, clock: Clock, *, name: str) -> None:
        self._model = model
        self._circuit = circuit
        self._clock = clock
        self._name = name

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """See `ports.Model`."""
        wait = self._circuit.ask(self._clock.monotonic())
        if wait:
            message = f"{self._name}: not asked, it has failed too often just now"
            raise CircuitOpen(message, retry_after=timedelta(seconds=wait))
        known = heard = False
        try:
            async with closing(self._model.stream(request)) as deltas:
                async for delta in deltas:
                    if not heard:
                        heard = True
                        self._circuit.heard()
                    if isinstance(delta, Finished):
                        known = True
                        self._circuit.answered(self._clock.monotonic())
                    yield delta
        except Busy as busy:
            known = True
            told = busy.retry_after.total_seconds() if busy.retry_after is not None else 0.0
            if self._circuit.refused(self._clock.monotonic(), told):
                raise Crowded(str(busy), retry_after=busy.retry_after) from None
            raise
        except Permanent:
            known = True
            self._circuit.spoke()
            raise
        except Transient as error:
            known = self._is_its_failure(error)
            raise
        finally:
            if not known:
                self._circuit.left()

    def _is_its_failure(self, error: Transient) -> bool:
        if isinstance(error, NoRoom):
            return False  # it was not asked, so nothing is known of it
        self._circuit.failed(self._clock.monotonic())
        return True
