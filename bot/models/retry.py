"""Ask again, a little later, as long as nobody has seen anything and there is time."""

from collections.abc import AsyncGenerator, Callable
from random import SystemRandom

from bot.domain.model import Delta, Request
from bot.errors import Transient
from bot.models.breaker import CircuitOpen, Crowded
from bot.models.closing import closing
from bot.ports import Clock, Model

ATTEMPTS = 3
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0


class Retry:
    """A `Model` that asks the one it wraps up to three times.

    Pauses have full jitter, so that callers who failed together do not come back together. What
    the provider said about when to come back is obeyed if this model's time lasts that long; else
    the error goes up at once, and a fallback still has time. It does so, too, where everybody is
    refused just now.
    """

    def __init__(
        self, model: Model, clock: Clock, *, random: Callable[[], float] | None = None
    ) -> None:
        self._model = model
        self._clock = clock
        self._random = random or SystemRandom().random

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """See `ports.Model`."""
        for attempt in range(1, ATTEMPTS + 1):
            started = False
            try:
                async with closing(self._model.stream(request)) as deltas:
                    async for delta in deltas:
                        started = True
                        yield delta
                return
            except (CircuitOpen, Crowded):
                raise
            except Transient as error:
                pause = self._pause(error, attempt)
                if started or attempt == ATTEMPTS or not self._fits(pause, request):
                    raise
            await self._clock.sleep(pause)

    def _pause(self, error: Transient, attempt: int) -> float:
        if error.retry_after is not None:
            return error.retry_after.total_seconds()
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempt - 1))
        return self._random() * longest

    def _fits(self, pause: float, request: Request) -> bool:
        return pause < (request.first_due - self._clock.now()).total_seconds()
