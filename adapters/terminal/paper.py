"""Talking through pipes: a line is a message, its answer is printed whole, the end is the end."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path

from adapters.terminal.events import Doing, Line
from adapters.terminal.render import clean

STDIN = 0
CHUNK = 65536


class Paper:
    """Standard input and output that nobody looks at; what nobody said goes to stderr."""

    def __init__(self, recall: Path | None = None) -> None:
        self._recall = recall
        # A few lines ahead: a file of a million lines waits where it is.
        self._lines: asyncio.Queue[str | OSError | None] = asyncio.Queue(maxsize=16)

    async def lines(self) -> AsyncGenerator[str, None]:
        """The lines as they come, without the empty ones. Raises: OSError, what it cannot read."""
        loop = asyncio.get_running_loop()
        # A thread that may be left behind: a read of standard input cannot be cancelled.
        threading.Thread(target=self._read, args=(loop,), daemon=True).start()
        while (line := await self._lines.get()) is not None:
            if isinstance(line, OSError):
                raise line
            if line:
                yield line

    def interrupted(self) -> bool:
        """Nobody is there who could be asked to press it again."""
        return True

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            try:
                self._read_all(loop)
            except OSError as error:
                # It cannot be read at all: whoever waits for lines must hear of it.
                self._put(loop, OSError(error.errno, error.strerror, "standard input"))
            self._put(loop, None)
        except (RuntimeError, CancelledError):
            return  # the loop is closed: nobody reads any more

    def _read_all(self, loop: asyncio.AbstractEventLoop) -> None:
        rest = b""
        # Not sys.stdin: its lock would be held while the program ends.
        while chunk := os.read(STDIN, CHUNK):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                self._put(loop, _text_of(line))
        self._put(loop, _text_of(rest))

    def _put(self, loop: asyncio.AbstractEventLoop, line: str | OSError | None) -> None:
        putting = self._lines.put(line)
        try:
            asyncio.run_coroutine_threadsafe(putting, loop).result()
        finally:
            putting.close()

    def welcome(self, chat: str, earlier: Sequence[Line], *, model: bool) -> None:
        """Nothing: what is printed is answers alone."""

    def grow(self, text: str, calls: Sequence[Doing]) -> None:
        """Nothing: an answer is printed whole."""

    def say(self, text: str, choices: Sequence[str] = ()) -> None:
        """Print it at once."""
        sys.stdout.write(f"{clean(text)}\n")
        sys.stdout.flush()

    def notice(self, text: str) -> None:
        """Tell it beside the answers."""
        sys.stderr.write(f"{clean(text)}\n")
        sys.stderr.flush()

    def forget(self) -> None:
        """Nothing is kept here, but a screen may have kept what the same person typed there."""
        if self._recall is not None:
            self._recall.unlink(missing_ok=True)


def _text_of(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()
