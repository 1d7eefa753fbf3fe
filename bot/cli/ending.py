"""The end of the server's process: what a plugin has left behind does not keep it alive.

A task may swallow its cancellation and a thread cannot be stopped at all, and the loop and the
interpreter would each wait for them for ever.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Collection, Coroutine
from typing import Any, NoReturn

from bot.errors import ConfigError
from bot.serving import runner

TIDYING = 2.0
"""Seconds that tasks have, and generators, and threads, once everything of ours is closed."""

LAST = 5.0
"""Seconds after which an interpreter that still waits for somebody's thread is ended."""

SAYING = 1.0

FAILED, NOT_SET_UP = 1, 2
"""What the command ends with where the server has raised an error."""

_LEFT = (
    "parley: a tool, or something else that a plugin has begun, does not end (a task that goes on "
    "when it is cancelled, or a thread that hangs); this process ends without it\n"
)


def lived(server: Coroutine[Any, Any, int]) -> int:
    """Run the server to its end; its exit code. The process ends soon after, whoever hangs."""
    ours, code, has_lived = runner(), FAILED, False
    try:
        code, has_lived = ours.run(server), True
    except ConfigError:
        code = NOT_SET_UP
        raise
    finally:
        if ours.run(_is_all_over()):
            ours.close()
        elif has_lived:
            _end(code)
        # Otherwise whoever called us says why, and ends.
        _end_at_last(code)
    return code


async def _is_all_over() -> bool:
    """End what is left beside us; False where it does not end in its time."""
    loop = asyncio.get_running_loop()
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    # One after the other: what ends may still need the next. A wait that is given up is not
    # cancelled: the loop's would join its threads then and there.
    return (
        await _are_over(left)
        and await _are_over([asyncio.ensure_future(loop.shutdown_asyncgens())])
        and await _are_over([asyncio.ensure_future(loop.shutdown_default_executor())])
    )


async def _are_over(tasks: Collection["asyncio.Task[Any]"]) -> bool:
    if not tasks:
        return True
    _, late = await asyncio.wait(tasks, timeout=TIDYING)
    return not late


def _end_at_last(code: int) -> None:
    """For the interpreter's own end, which waits for every thread that is no daemon."""
    timer = threading.Timer(LAST, _end, (code,))
    timer.daemon = True
    timer.start()


def _end(code: int) -> NoReturn:
    """At once; with a word, if it can be said."""
    try:
        # Whoever reads our errors may have stopped to.
        saying = threading.Thread(target=_say, daemon=True)
        saying.start()
        saying.join(SAYING)
    finally:
        os._exit(code)


def _say() -> None:
    sys.stderr.write(_LEFT)
    sys.stderr.flush()
    sys.stdout.flush()
