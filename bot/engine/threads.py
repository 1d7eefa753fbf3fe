"""A blocking function in a thread of its own, which may be given up."""

import asyncio
import contextlib
import contextvars
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bot.engine.forking import end_child_of


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: object = None
    error: BaseException | None = None


async def in_thread(
    function: Callable[[], object], *, name: str, late: Callable[[], None] | None = None
) -> object:
    """Run it; when the waiting is cancelled the thread is abandoned.

    `late` is called on the loop when an abandoned thread comes back after all.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[_Outcome] = loop.create_future()
    context = contextvars.copy_context()
    process = os.getpid()

    def land(outcome: _Outcome) -> None:
        if not waiting.done():
            waiting.set_result(outcome)
        elif late is not None:
            late()

    def work() -> None:
        outcome = _outcome_of(lambda: context.run(function))
        end_child_of(process)
        # A loop that is gone has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(land, outcome)

    # Not the pool of `asyncio.to_thread`: its few threads are shared with the store, and the
    # interpreter waits for them at exit, so one hanging plugin would hold up both.
    threading.Thread(target=work, name=name, daemon=True).start()
    outcome = await waiting
    if outcome.error is not None:
        raise outcome.error
    return outcome.result


def _outcome_of(function: Callable[[], object]) -> _Outcome:
    try:
        return _Outcome(result=function())
    except BaseException as error:  # carried over and raised again where it is awaited
        return _Outcome(error=error)
