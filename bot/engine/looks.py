"""When a node looks for lanes again: at a bell, at a lane's own time, and now and then."""

import asyncio
import random

from bot.engine.moments import rest
from bot.engine.owned import Claims
from bot.errors import Transient
from bot.ports import Clock

POLL = 1.0
"""Seconds between looks that nothing rang for; jitter keeps nodes from looking together."""

SHORTEST = 0.01


class Looks:
    """A bell, and the time at which the next lane wakes as far as it is known here.

    That time is asked for when something happened here, not at every poll: what another node has
    parked meanwhile is found by the poll. An idle node asks one thing a second.
    """

    def __init__(self, lanes: Claims, clock: Clock, *, polls: bool) -> None:
        self._lanes = lanes
        self._clock = clock
        self._polls = polls
        self._bell = asyncio.Event()
        self._wakes_at: float | None = None
        self._stale = True

    def ring(self) -> None:
        """Look now."""
        self._bell.set()

    def begin(self) -> None:
        """A look begins; what rings from here on asks for another."""
        due = self._wakes_at is not None and self._clock.monotonic() >= self._wakes_at
        self._stale = self._stale or due or self._bell.is_set()
        self._bell.clear()

    async def until_rung(self) -> None:
        """There is no reason to look before somebody rings."""
        await self._bell.wait()

    async def rest(self, *, found: bool) -> None:
        """Until it is time; `found` says that the look did not come back with nothing."""
        if found or self._stale:
            await self._ask()
        seconds = self._seconds()
        if seconds is None:
            await self._bell.wait()
            return
        await rest(self._clock, max(seconds, SHORTEST), self._bell)

    async def _ask(self) -> None:
        try:
            known = await self._lanes.wake_up_in()
        except Transient:
            known, self._stale = POLL, True
        else:
            self._stale = False
        self._wakes_at = None if known is None else self._clock.monotonic() + known

    def _seconds(self) -> float | None:
        known = None if self._wakes_at is None else self._wakes_at - self._clock.monotonic()
        if not self._polls:
            return known
        poll = POLL * random.uniform(0.7, 1.3)  # noqa: S311  # jitter, not a secret
        return poll if known is None else min(poll, known)
