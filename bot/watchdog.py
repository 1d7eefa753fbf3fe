"""Ends a process whose event loop stands still, so that others may take over what it holds.

A plugin that blocks the loop cannot be cancelled and the lease is not renewed any more: the only
way back is to die. Others (or the restart) run the turn again, and the third time it is given up.
"""

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import TextIO

from bot.ports import Clock
from bot.redaction import place_of

STOOD_STILL = 86
"""The exit code of a process that was ended here; no other part of it uses that number."""

LOOKS = 10
"""How often within the limit the loop has to show that it lives, and is looked at."""

STDERR = 2

DEEPEST = 12
"""Places of the main thread that are named."""


class Watchdog:
    """A thread that counts how long the loop has not fed it.

    It counts its own looks, not the clock: a process that was itself frozen for an hour has a
    loop that did not stand still.
    """

    def __init__(
        self, limit: float, *, end: Callable[[int], object] = os._exit, out: TextIO = sys.stderr
    ) -> None:
        self._limit = limit
        self._every = limit / LOOKS
        self._end = end
        self._out = out
        self._missed = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._main = threading.main_thread().ident

    @property
    def every(self) -> float:
        """Seconds between two meals."""
        return self._every

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def feed(self) -> None:
        """The loop runs."""
        self._missed = 0

    def stop(self) -> None:
        """Watch no longer; the process is ending anyway."""
        self._stopped.set()
        self._thread.join(self._every * 2)

    def _watch(self) -> None:
        while not self._stopped.wait(self._every):
            self._missed += 1
            if self._missed > LOOKS:
                self._bark()
                return

    def _bark(self) -> None:
        try:
            # Whoever reads our errors may be what the loop waits for.
            saying = threading.Thread(target=self._say, args=(self._line(),), daemon=True)
            saying.start()
            saying.join(self._every)
        finally:
            # Also where there is no memory left for a thread, or for a line.
            self._end(STOOD_STILL)

    def _line(self) -> str:
        frames = sys._current_frames()  # noqa: SLF001  # documented, for this very purpose
        frame = frames.get(self._main or 0)
        return (
            f"parley: the event loop stood still for {self._limit:.3g} s, two thirds of the lease; "
            f"this process ends so that its work is taken over. It stood at: "
            f"{' < '.join(places(frame))}\n"
        )

    def _say(self, line: str) -> None:
        self._out.write(line)
        self._out.flush()


class Backstop:
    """For code that lets no other thread run: the kernel counts its CPU time and ends us.

    A regular expression or a power without end holds the interpreter, and the watchdog's thread
    with it. A frozen process uses no CPU time, so it outlives its freezing.
    """

    def __init__(self, limit: float, every: float) -> None:
        # Threads of a healthy process may be busy on every core while the loop is fed.
        self._budget = max(limit * 1.5, every * 2 * (os.cpu_count() or 1))

    def start(self) -> None:
        """Have the places of all threads written down before the signal ends the process."""
        faulthandler.register(signal.SIGPROF, file=STDERR, chain=True)
        self.feed()

    def feed(self) -> None:
        """Count anew."""
        signal.setitimer(signal.ITIMER_PROF, self._budget)

    def stop(self) -> None:
        """Count no longer."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.unregister(signal.SIGPROF)


@asynccontextmanager
async def watching(lease: float, clock: Clock) -> AsyncGenerator[None, None]:
    """Have this loop watched until the block ends."""
    watchdog = Watchdog(lease * 2 / 3)
    backstop = Backstop(lease * 2 / 3, watchdog.every)
    watchdog.start()
    backstop.start()
    feeding = asyncio.create_task(_feed(watchdog, backstop, clock), name="watchdog")
    try:
        yield
    finally:
        backstop.stop()
        watchdog.stop()
        feeding.cancel()
        await asyncio.wait({feeding})


def places(frame: FrameType | None) -> Iterator[str]:
    """Where a thread is, the innermost place first: files and lines, never a value."""
    for _ in range(DEEPEST):
        if frame is None:
            return
        yield f"{place_of(frame.f_code.co_filename, frame.f_lineno)} {frame.f_code.co_qualname}"
        frame = frame.f_back


async def _feed(watchdog: Watchdog, backstop: Backstop, clock: Clock) -> None:
    while True:
        watchdog.feed()
        backstop.feed()
        await clock.sleep(watchdog.every)
