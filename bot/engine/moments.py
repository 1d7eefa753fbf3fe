"""Waiting for a moment: until a bell rings, or until something has been done once."""

import asyncio
from collections.abc import Awaitable

from bot.ports import Clock

MOMENT = 0.25
"""Seconds that somebody waits at most to be told, or to know."""

Waiters = list[asyncio.Future[None]]


async def rest(clock: Clock, seconds: float, bell: asyncio.Event) -> None:
    """So long, or until the bell rings."""
    await either(clock.sleep(max(seconds, 0.0)), bell.wait())


async def either(*awaited: Awaitable[object]) -> None:
    """Until one of these is over."""
    waits = [asyncio.ensure_future(one) for one in awaited]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def moment(waiters: Waiters) -> None:
    """Wait until `done` is called for these, but not for long."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.append(future)
    await asyncio.wait([future], timeout=MOMENT)


def done(waiters: Waiters) -> None:
    """What they wait for has happened."""
    while waiters:
        future = waiters.pop()
        if not future.done():
            future.set_result(None)


def is_cancelled() -> bool:
    """Whether somebody has asked this task to end: foreign code may cancel itself, too."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
