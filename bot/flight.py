"""A call on its way to a platform, which cannot be called back."""

import asyncio
from collections.abc import Coroutine

LANDING = 3.0
"""Seconds that a later call waits for the one before it, which is still on its way."""


class Flight:
    """Carries one call at a time to its end, although its caller is cancelled.

    A half text that lands after the whole answer would stand in its place.
    """

    def __init__(self) -> None:
        self._task: asyncio.Future[None] | None = None

    async def carry(self, call: Coroutine[None, None, None]) -> None:
        """Make the call, after the one before it; what it raises is the caller's."""
        await self.landed()
        self._task = asyncio.ensure_future(call)
        self._task.add_done_callback(_look_at)
        await asyncio.shield(self._task)

    async def landed(self) -> None:
        """Wait for what is on its way, but not for ever."""
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=LANDING)


def _look_at(task: asyncio.Future[None]) -> None:
    # Whoever waited has seen the error; nobody waits any more for one that was cancelled.
    if not task.cancelled():
        task.exception()
