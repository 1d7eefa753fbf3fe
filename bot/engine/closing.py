"""Taking a draft off the screen, or marking it: nothing more will come of it."""

import asyncio

from bot.domain.address import Address
from bot.domain.conversation import TurnId
from bot.domain.message import Sent
from bot.errors import Ambiguous, Held, Permanent, Transient
from bot.ports import Draft, Drafts, Observer

LIMIT = 10.0
"""Seconds."""


async def close_draft(draft: Draft, observer: Observer) -> None:
    """Abandon a draft that will not be finished; what it looked like is only decoration."""
    try:
        async with asyncio.timeout(LIMIT):
            await draft.abandon()
    except (Transient, Permanent, Ambiguous, Held, TimeoutError):
        pass  # it stands as it stood; the platform would not have it otherwise
    except Exception as error:  # the loop of a draft: a platform's code
        observer.failed(place="draft abandon", error=error)


async def clear_draft(
    adapter: object, address: Address, turn: TurnId, stands: Sent | None, observer: Observer
) -> None:
    """Take up the draft that a turn has left on the screen, and close it."""
    if stands is None or not isinstance(adapter, Drafts):
        return
    try:
        async with asyncio.timeout(LIMIT):
            draft = await adapter.draft(address, turn=turn, reply_to=None, resume=stands)
    except (Transient, Permanent, Ambiguous, Held, TimeoutError):
        return
    except Exception as error:  # the loop of a draft: a platform's code
        observer.failed(place="draft abandon", error=error)
        return
    await close_draft(draft, observer)
