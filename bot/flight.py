"""A call on its way to a platform, which cannot be called back."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

from bot.errors import Permanent, Transient

LANDING = 3.0
"""Seconds that a later call waits for the one before it, which is still on its way."""
ENDING = 10.0
"""Seconds that the last call, once made, waits for the end of those before it.

With two calls that take as long as a platform's client waits for an answer (20 s, unless it is
configured), and twice `LANDING`, it stays below what the engine gives one send (60 s)."""


class Flight:
    """Carries one call at a time to its end, although its caller is cancelled.

    A half text that lands after the whole answer would stand in its place.
    """

    def __init__(self, landing: float = LANDING, ending: float = ENDING) -> None:
        self._landing = landing
        self._ending = ending
        self._away: set[asyncio.Future[None]] = set()
        self._is_lost = False

    async def carry(self, call: Coroutine[None, None, None]) -> None:
        """Make the call, after the one before it; what it raises is the caller's."""
        await self.landed()
        task = asyncio.ensure_future(call)
        self._away.add(task)
        task.add_done_callback(self._has_ended)
        await asyncio.shield(task)

    async def landed(self) -> None:
        """Wait for what is on its way, but not for ever."""
        await self._wait(self._landing)

    async def last(self, call: Callable[[], Awaitable[None]]) -> None:
        """Make the call whose text has to stand in the end; it can be made more than once.

        It is made soon, and once more behind what may have landed behind it: a call that had not
        ended by then, or one that was given up without an answer. A service that applies the
        latter even later than that cannot be helped.

        Raises:
            Transient: it was made, and one before it is still on its way: make it again later.
        """
        await self.landed()
        is_doubtful = bool(self._away) or self._is_lost
        await call()
        if not is_doubtful:
            return
        await self._wait(self._ending)
        if self._away:
            raise Transient("an older text is still on its way")
        if self._is_lost:
            await asyncio.sleep(self._landing)
        with suppress(Permanent):  # it stood there; what became of it since is not our doing
            await call()

    async def _wait(self, seconds: float) -> None:
        if self._away:
            await asyncio.wait(self._away, timeout=seconds)

    def _has_ended(self, task: asyncio.Future[None]) -> None:
        # Whoever waited has seen the error; nobody waits any more for one that was cancelled.
        self._away.discard(task)
        self._is_lost = self._is_lost or task.cancelled() or not _is_clear(task.exception())


def _is_clear(error: BaseException | None) -> bool:
    """Whether the platform said what became of the call: done, never, or when to come back."""
    if isinstance(error, Transient):
        return error.retry_after is not None
    return error is None or isinstance(error, Permanent)
