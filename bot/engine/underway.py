"""Calls that may happen once and are being made by this very process, by their keys."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class UnderWay(Generic[T]):
    """Whoever takes up a turn whose call goes on here waits for its end."""

    def __init__(self) -> None:
        self._calls: dict[str, asyncio.Future[T]] = {}

    @contextmanager
    def tell(self, key: str) -> Iterator[Callable[[T], None]]:
        """Within, this call is under way; what is given says how it ended."""
        ended: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls[key] = ended
        try:
            yield ended.set_result
        finally:
            ended.cancel()
            if self._calls.get(key) is ended:
                del self._calls[key]

    async def end_of(self, key: str) -> T | None:
        """How it ended, as long as its own time allows; None where nobody makes it or can tell."""
        ended = self._calls.get(key)
        if ended is None:
            return None
        await asyncio.wait([ended])
        return None if ended.cancelled() else ended.result()
