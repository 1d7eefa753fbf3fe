"""Where a person reads and writes: a screen, or paper that nobody looks at."""

import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Protocol

from adapters.terminal.events import Doing, Line
from adapters.terminal.words import Words


class Surface(Protocol):
    """Where a person reads and writes."""

    def lines(self) -> AsyncGenerator[str, None]:
        """What they write, a message each; ends when there is no more. Raises: Left."""
        ...

    def interrupted(self) -> bool:
        """Ctrl-C came as a signal while no answer was awaited; True: they have left."""
        ...

    def welcome(self, chat: str, earlier: Sequence[Line], *, model: bool) -> None: ...

    def grow(self, text: str, calls: Sequence[Doing]) -> None:
        """The whole of a growing answer so far."""
        ...

    def say(self, text: str, choices: Sequence[str] = ()) -> None:
        """A finished answer; what has grown of it is already to be seen."""
        ...

    def notice(self, text: str) -> None:
        """Something that nobody said."""
        ...

    def forget(self) -> None:
        """Drop what was kept of the person's own lines."""
        ...


def open_surface(words: Words, recall: Path | None) -> Surface:
    """A screen where there is one; `recall` is where it keeps a person's own lines."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        from adapters.terminal.screen import Screen  # noqa: PLC0415  # slow to load

        return Screen(words, recall)
    from adapters.terminal.paper import Paper  # noqa: PLC0415  # as its twin

    return Paper(recall)
