"""So many calls at once; who comes when all of them are made waits until one is over."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bot.models.failures import NoRoom


class Seats:
    """One for each connection that may be open: waiting for one is our own matter.

    The transport's own wait looks like a provider that does not answer, and would be held against
    it.
    """

    def __init__(self, most: int, *, name: str) -> None:
        self._free = asyncio.Semaphore(most)
        self._name = name

    @asynccontextmanager
    async def taken(self, limit: float) -> AsyncGenerator[None, None]:
        """Within, one is ours; `limit` is a time by the loop's clock.

        Raises:
            NoRoom: none became free in time.
        """
        try:
            async with asyncio.timeout_at(limit):
                await self._free.acquire()
        except TimeoutError:
            raise NoRoom(f"{self._name}: all connections were taken all the time") from None
        try:
            yield
        finally:
            self._free.release()
