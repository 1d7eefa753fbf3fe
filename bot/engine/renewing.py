"""A node's lease: renewed in good time, and not believed in until its very end."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from bot.domain.records import Node
from bot.engine.moments import either
from bot.errors import Transient
from bot.ports import Clock, Lanes, Observer

TRIES = 4
"""How often in a third of a lease a database that refuses is asked again."""

LATE = 2.5
"""Times the pause between two renewals, the time that one may take included: who is later than
that has stood still himself."""

LATELY = 2.0
"""Leases after the return of a database for which it explains why others let go of their lanes:
theirs may end one lease later than ours, and are found then."""


class Renewing:
    """Asks for the lease again every third of it, and gives up when two thirds are over.

    The last third is for turns to end in, before another node can hold their lanes.
    """

    def __init__(
        self,
        lanes: Lanes,
        lease: timedelta,
        *,
        clock: Clock,
        observer: Observer,
        regained: Callable[[], None],
    ) -> None:
        self._lanes = lanes
        self._lease = lease
        self._third = lease.total_seconds() / 3
        self._clock = clock
        self._observer = observer
        self._regained = regained
        self._granted = 0.0
        self._sure_until = 0.0
        self._away, self._awake = False, True
        self._back_at: float | None = None
        self._bell = asyncio.Event()

    @property
    def sure(self) -> bool:
        """Whether nobody else can hold our lanes yet."""
        return self._clock.monotonic() < self._sure_until

    @property
    def database_was_away(self) -> bool:
        """Whether the lease was lost for want of an answer, and not because we stood still."""
        return self._away and self._awake

    @property
    def database_was_lately_away(self) -> bool:
        """Whether it gave us no answer for a while, and so perhaps nobody else one."""
        if self._back_at is None:
            return False
        return self._clock.monotonic() - self._back_at < LATELY * self._lease.total_seconds()

    def grant(self, asked: float) -> None:
        """A lease begins at the latest when it was asked for."""
        if self.database_was_away:
            self._back_at = self._clock.monotonic()
        self._granted = asked
        self._sure_until = asked + 2 * self._third
        self._away, self._awake = False, True
        self._bell.set()

    async def certain(self) -> None:
        """Wait until we are sure; whose lanes are lost is cancelled meanwhile."""
        while not self.sure:
            self._bell.clear()
            await self._bell.wait()

    async def keep(self, node: Node) -> None:
        """Renew until that is refused, or may come too late: what runs has to end then."""
        # A slow start, or a slow answer, has used up some of the time.
        due = self._granted + self._third
        while True:
            slept = self._clock.monotonic()
            await self._clock.sleep(max(0.0, due - slept))
            asked = self._clock.monotonic()
            kept = await self._ask(node)
            now = self._clock.monotonic()
            # Whatever stops this process must not pass for a database that is away.
            self._awake = self._awake and now - slept < self._third * LATE
            pause = self._third / TRIES
            if kept:
                # Now, not when it was asked: an answer may come so late that nothing was begun.
                doubted = not self.sure
                self.grant(asked)
                due = asked + self._third
                if doubted:
                    self._regained()
            elif kept is None and now + pause < self._sure_until:
                due = now + pause
            else:
                return

    async def _ask(self, node: Node) -> bool | None:
        """None when the database has not answered in time."""
        left = self._sure_until - self._clock.monotonic()
        asking = asyncio.ensure_future(self._lanes.renew(node, self._lease))
        try:
            await either(asking, self._clock.sleep(left if left > 0 else self._third))
            await asyncio.wait([asking])
            if not asking.cancelled():
                return asking.result()
            error = Transient("the lease could not be renewed in time")
        except Transient as found:
            error = found
        self._observer.failed(place="lease", error=error)
        self._away = True
        return None
