"""Taking a draft off the screen, or marking it: nothing more will come of it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from bot.domain.address import Address
from bot.domain.conversation import TurnId
from bot.domain.message import Sent
from bot.errors import Ambiguous, Held, Permanent, Transient
from bot.ports import Draft, Drafts, Leaves, Observer

T = TypeVar("T")

LIMIT = 10.0
"""Seconds."""


async def close_draft(draft: Draft, observer: Observer) -> None:
    """Abandon a draft that will not be finished; what it looked like is only decoration."""

    async def abandon() -> None:
        await draft.abandon()

    await _tried(abandon, observer)


def leave_draft(draft: object) -> None:
    """Tell a draft that wants to know: whoever has its turn now shows what there is to see."""
    if isinstance(draft, Leaves):
        draft.leave()


async def clear_draft(
    adapter: object, address: Address, turn: TurnId, stands: Sent | None, observer: Observer
) -> None:
    """Take up the draft that a turn has left on the screen, and close it."""
    if stands is None or not isinstance(adapter, Drafts):
        return
    take_up = partial(adapter.draft, address, turn=turn, reply_to=None, resume=stands)
    draft = await _tried(take_up, observer)
    if draft is not None:
        await close_draft(draft, observer)


async def _tried(call: Callable[[], Awaitable[T]], observer: Observer) -> T | None:
    """Call the platform once; None where it would not: the draft stands as it stood."""
    try:
        async with asyncio.timeout(LIMIT):
            return await call()
    except (Transient, Permanent, Ambiguous, Held, TimeoutError):
        pass
    except Exception as error:  # the loop of a draft: a platform's code
        observer.failed(place="draft abandon", error=error)
    return None
