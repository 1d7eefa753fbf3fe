"""Writing down what has happened: tried until the database takes it, or the lane is lost."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.errors import Permanent, Transient
from bot.ports import Clock, Observer

T = TypeVar("T")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


async def persist(write: Callable[[], Awaitable[T]], *, clock: Clock, observer: Observer) -> T:
    """Repeat a write while the database is away: what it tells of cannot be done again.

    Raises:
        Fenced: the lane has a newer holder.
        Transient: a try whose answer was lost has been written after all.
    """
    pause = FIRST_PAUSE
    lost = False
    while True:
        try:
            return await write()
        except Transient as error:
            observer.failed(place="store", error=error)
            lost = True
        except Permanent as error:
            if not lost:
                raise
            # "It has ended already": the commit came through, only its answer did not.
            raise Transient(str(error)) from error
        await clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
