"""Functions that no plugin should have: each does the worst that its kind can do.

`harmless` ones must cost nobody else anything, `deadly` ones the process at most.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from bot import ToolContext, tool
from tests.faults.plugins.ledger import note

HUGE = 10_000_000
"""Characters of a huge output; one step of Python makes it, and nobody else runs for 10 ms."""
LONG = 600.0
"""Seconds; nobody waits so long."""
STUBBORN = 8.0
"""Seconds for which a thread takes no notice that it was given up."""
LIMIT = timedelta(seconds=2)
GREEDY = 1_000_000_000
"""Bytes after which the system would end the process; it is ended here, or the machine suffers."""
CHUNK = 50_000_000
FIRST_OF_OURS = 3
"""The descriptor after standard input, output and error."""


def fail() -> str:
    """Raise something that nobody knows."""
    raise LookupError("a plugin's own trouble")


def recurse() -> str:
    """Call itself for ever."""
    return recurse()


def leave() -> str:
    """End the program as programs do."""
    sys.exit(3)


def shout() -> str:
    """Say far too much."""
    return "x" * HUGE


def vanish() -> str:
    """End the process without a word to anybody."""
    os._exit(3)


def crash() -> str:
    """Read where nothing is."""
    return str(ctypes.string_at(0))


def gorge() -> str:
    """Take all the memory that there is."""
    held: list[bytearray] = []
    while len(held) * CHUNK < GREEDY:
        held.append(bytearray(b"x" * CHUNK))
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def block() -> str:
    """Stand still where everybody has to pass."""
    time.sleep(LONG)  # noqa: TID251  # that is the harm
    return "never"


def close() -> str:
    """Close every descriptor that is open."""
    os.closerange(FIRST_OF_OURS, 4096)
    return "closed"


def fork() -> str:
    """Leave a child behind that holds what its parent held, for a while."""
    if os.fork() == 0:
        time.sleep(STUBBORN)  # noqa: TID251  # a process of its own
        os._exit(0)
    return "forked"


def twin() -> str:
    """Come back twice: parent and child both go on as the server."""
    return f"twin {os.fork() == 0}"


KINDS: dict[str, Callable[[], str]] = {
    "raise": fail,
    "recursion": recurse,
    "sys_exit": leave,
    "output": shout,
    "os_exit": vanish,
    "crash": crash,
    "hog": gorge,
    "block": block,
    "close": close,
    "fork": fork,
    "twin": twin,
}


@tool(timeout=LIMIT)
async def hostile(context: ToolContext, mark: str, how: str = "") -> str:
    """Do harm on the loop itself.

    Args:
        context: Who asks.
        mark: The mark of the message that wants it.
        how: In which way.
    """
    note(context, "hostile", "begun", mark)
    try:
        if how == "hang":
            await asyncio.sleep(LONG)
        return KINDS[how]()
    finally:
        note(context, "hostile", "ended", mark)


@tool(timeout=LIMIT)
def stubborn(context: ToolContext, mark: str, how: str = "") -> str:
    """Do harm in a thread, which nobody can stop.

    Args:
        context: Who asks.
        mark: The mark of the message that wants it.
        how: In which way.
    """
    # Begun and never ended: its thread may outlive the turn, which is nobody's overlap.
    note(context, "stubborn", "tried", mark)
    if how == "hang":
        time.sleep(STUBBORN)  # noqa: TID251  # in a thread, which nobody can wake
        return f"nobody waits for {mark}"
    return KINDS[how]()
