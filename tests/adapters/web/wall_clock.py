"""The real clock: these tests speak to real browsers and servers."""

import asyncio
import time
from datetime import UTC, datetime


class WallClock:
    """`ports.Clock` as it is in production."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(seconds)


class HastyClock(WallClock):
    """Waits a tenth of what it is asked to."""

    async def sleep(self, seconds: float) -> None:
        """Let others run, briefly."""
        await asyncio.sleep(seconds / 10)
