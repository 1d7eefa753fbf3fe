"""The time of this machine; everything else is handed a clock."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """What `ports.Clock` asks for."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running loop."""
        await asyncio.sleep(seconds)
