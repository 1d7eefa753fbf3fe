"""Keeping listeners alive, and waiting for one that another node holds."""

import asyncio
import random

from bot.engine.moments import is_cancelled, rest
from bot.errors import Fenced
from bot.ports import Clock, Hints, ListenerRows, Listens, Observer, Receive

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
CALM = 300.0
"""Seconds after which a listener counts as well again and the pause is short once more."""

LOOK_LEAST, LOOK_DEAF = 0.5, 1.5
"""Seconds between two looks at a listener's row: where others ring, and where nobody would."""


async def keep_listening(
    name: str, adapter: Listens, receive: Receive, *, clock: Clock, observer: Observer
) -> None:
    """Listen until cancelled."""
    pause = FIRST_PAUSE
    while True:
        started = clock.monotonic()
        observer.listening(adapter=name, alive=True)
        try:
            await adapter.listen(receive)
        except (asyncio.CancelledError, Exception) as error:  # the restart of a listener
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise  # else a platform's code has cancelled itself
            observer.failed(place=f"listener {name}", error=error)
        observer.listening(adapter=name, alive=False)
        if clock.monotonic() - started > CALM:
            pause = FIRST_PAUSE
        await clock.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
        pause = min(pause * 2, LONGEST_PAUSE)


class PatientListeners:
    """Listeners' rows, with the patience of those that another node holds.

    A holder that goes lets go and rings, or its lease ends: looking more often finds nothing.
    """

    def __init__(self, rows: ListenerRows, hints: Hints, clock: Clock) -> None:
        self._rows = rows
        self._hints = hints
        self._clock = clock
        self._bell = asyncio.Event()
        hints.on_hint(self._bell.set)

    async def hold(self, listener: str) -> int | None:
        self._bell.clear()
        return await self._rows.hold(listener)

    async def advance(self, listener: str, offset: int) -> None:
        try:
            await self._rows.advance(listener, offset)
        except Fenced:
            # Another node listens since we stood still. What we took in is on disk, and known
            # when the platform tells that node of it again.
            return

    async def let_go(self, listener: str) -> None:
        await self._rows.let_go(listener)

    async def until_free(self, listener: str) -> None:
        """Until its holder's lease ends as far as it is known, or somebody rings."""
        known = self._rows.free_in(listener)
        if known is None or not self._hints.hears:
            pause = LOOK_DEAF if known is None else min(known, LOOK_DEAF)
            await self._clock.sleep(max(pause, LOOK_LEAST))
            return
        # Whoever is busy rings often, and hardly ever about this.
        await self._clock.sleep(LOOK_LEAST)
        await rest(self._clock, known - LOOK_LEAST, self._bell)
