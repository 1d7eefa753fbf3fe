"""Keeping listeners alive: one that fails starts again after a pause, and says so."""

import random

from bot.ports import Clock, Listens, Observer, Receive

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
CALM = 300.0
"""Seconds after which a listener counts as well again and the pause is short once more."""


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
        except Exception as error:  # the restart of a listener: a platform's code
            observer.failed(place=f"listener {name}", error=error)
        observer.listening(adapter=name, alive=False)
        if clock.monotonic() - started > CALM:
            pause = FIRST_PAUSE
        await clock.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
        pause = min(pause * 2, LONGEST_PAUSE)
