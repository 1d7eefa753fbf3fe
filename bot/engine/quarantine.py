"""Keeps what only happened to be in flight at two crashes apart from what may have caused them.

The third crash makes a message a dead letter. A function that ends the process would take every
other turn of this node with it, three times. So whoever had a call under way goes first, and the
others are begun, and counted, when that has ended well or the process with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.ports import Clock

FIRST_LOOK = 2.0
"""Seconds after which whoever may have caused the crashes has been begun again."""

LONGEST = 30.0
"""Seconds that the others wait for that at most."""


class Quarantine:
    """One for each node."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._suspects = 0

    @contextmanager
    def suspect(self) -> Iterator[None]:
        """Run what had a call under way when the process ended."""
        self._suspects += 1
        try:
            yield
        finally:
            self._suspects -= 1

    async def wait(self) -> None:
        """Until no such turn runs here, or not any longer."""
        began = self._clock.monotonic()
        await self._clock.sleep(FIRST_LOOK)
        while self._suspects and self._clock.monotonic() - began < LONGEST:
            await self._clock.sleep(FIRST_LOOK)
