"""Whether this server should be given work."""

import asyncio
from collections.abc import Awaitable, Callable

from bot.errors import ParleyError
from bot.ports import Clock

LIMIT = 5.0
"""Seconds that the database may take before it counts as gone."""
FRESH = 1.0
"""Seconds that an answer is good for: anybody may ask, and each look is a real write."""


class Readiness:
    """Ready while the database takes a write and nobody has said to drain.

    A platform or a model that is down changes nothing here: taking this server out of rotation
    would not bring either back.
    """

    def __init__(self, writable: Callable[[], Awaitable[bool]], clock: Clock) -> None:
        self._writable = writable
        self._clock = clock
        self._draining = False
        self._lock = asyncio.Lock()
        self._looked_at: float | None = None
        self._database_ok = False

    @property
    def draining(self) -> bool:
        return self._draining

    def drain(self) -> None:
        """From now on: no new work, please."""
        self._draining = True

    async def obstacle(self) -> str | None:
        """Why it is not ready; None when it is."""
        if self._draining:
            return "draining"
        async with self._lock:
            if not self._is_fresh():
                self._database_ok = await self._look()
                self._looked_at = self._clock.monotonic()
        return None if self._database_ok else "the database takes no writes"

    def _is_fresh(self) -> bool:
        return self._looked_at is not None and self._clock.monotonic() - self._looked_at < FRESH

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(LIMIT):
                return await self._writable()
        except (ParleyError, OSError):  # a time-out is an OSError
            return False
