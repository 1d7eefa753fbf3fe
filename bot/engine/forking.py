"""A function that forks comes back twice; only the server itself may go on as the server.

The child has its parent's sockets and none of its threads. If it came back to the loop it would
answer the same conversations over the same connections, until neither of the two could.
"""

import os
from collections.abc import Awaitable, Generator
from typing import Any, Self


class ThisProcessOnly(Generator[Any, Any, Any]):
    """What is awaited, step by step; a child that it leaves behind ends with its first step."""

    def __init__(self, awaited: Awaitable[Any]) -> None:
        self._process = os.getpid()
        self._steps = awaited.__await__()

    def __await__(self) -> Self:
        return self

    def send(self, value: Any) -> Any:
        """One step more."""
        try:
            return next(self._steps)  # all that a loop sends is None
        finally:
            end_child_of(self._process)

    def throw(self, *error: Any) -> Any:
        """A cancellation, or an error of what it waits for."""
        try:
            return self._steps.throw(*error)
        finally:
            end_child_of(self._process)


def end_child_of(process: int) -> None:
    """End this process where it is not that one but was forked from it."""
    if os.getpid() != process:
        # Nothing may be tidied up here: every connection and every lock is the parent's.
        os._exit(0)
