"""Looking for what a former life may have shown, where a platform lets us read what we said."""

import asyncio
from collections.abc import Awaitable, Callable

from bot.domain.message import Sent
from bot.errors import Ambiguous, Held, Permanent, Transient
from bot.ports import Clock, Observer

LOOKS = 3
"""How often, where looking itself fails."""
LOOK_LIMIT = 10.0
LOOK_AGAIN = 2.0
"""Seconds for one look, and until the next."""


class CannotTellError(Exception):
    """Whether it was shown stays unknown."""


async def look(
    ask: Callable[[], Awaitable[Sent | None]], clock: Clock, observer: Observer
) -> Sent | None:
    """Where it stands, or None: it was not shown.

    Raises:
        CannotTellError: the platform gave no answer, or has none.
    """
    for attempt in range(LOOKS):
        if attempt:
            await clock.sleep(LOOK_AGAIN)
        try:
            async with asyncio.timeout(LOOK_LIMIT):
                return await ask()
        except (Transient, TimeoutError):
            continue
        except (Permanent, Ambiguous, Held):
            break
        except Exception as error:  # the outbox around a send: a platform's code
            observer.failed(place="look", error=error)
            break
    raise CannotTellError
