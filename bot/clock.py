"""The time of this machine, and the time that everything is reckoned by; others are handed one."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.ports import Clock

RATE = 0.1
"""How much faster or slower time passes while a machine's clock that was set is made up for: an
hour in ten. A turn's deadline of two minutes is then right to twelve seconds."""


class SystemClock:
    """What `ports.Clock` asks for; its `now` jumps whenever somebody sets the machine's clock."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def elapsed(self) -> float:
        """The same, and the time for which the machine was asleep, where it can be told."""
        clock = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if clock is None else time.clock_gettime(clock)

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running loop."""
        await asyncio.sleep(seconds)


class SteadyClock:
    """A `Clock` whose `now` never jumps: ages, deadlines and due times are reckoned by it.

    It begins with the wall's time and goes on by what has passed. A wall clock that is set is
    followed slowly; once the database has said what time it is, only the database is followed.
    Who has to compare a stranger's time with ours (a signature's) wants the wall's.
    """

    def __init__(self, wall: Clock, elapsed: Callable[[], float]) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._follows = False
        # One value, for threads look as well: when it was, by what has passed.
        self._known = (elapsed(), wall.now())

    def now(self) -> datetime:
        """Aware UTC."""
        since, then = self._known
        at = self._elapsed()
        now = then + timedelta(seconds=at - since)
        if not self._follows:
            most = timedelta(seconds=(at - since) * RATE)
            now += max(-most, min(most, self._wall.now() - now))
            self._known = (at, now)
        return now

    def follow(self, told: datetime, took: float) -> None:
        """The database has said what time it is, within the last `took` seconds.

        What we believe is kept while it may be right. Else the latest that may be: what was just
        written with the database's time must not seem to lie in the future.
        """
        latest = told + timedelta(seconds=took)
        if not told <= self.now() <= latest:
            self._known = (self._elapsed(), latest)
        self._follows = True

    def monotonic(self) -> float:
        """Seconds that never jump, those for which the machine was asleep among them.

        Others go on while a laptop or a virtual machine is suspended: its lease runs out then.
        """
        return self._elapsed()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running loop."""
        await self._wall.sleep(seconds)


def steady(wall: SystemClock) -> SteadyClock:
    """This machine's."""
    return SteadyClock(wall, wall.elapsed)
