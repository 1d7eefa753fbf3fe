"""`parley` on a machine whose wall clock is wrong: ahead or behind by what a file says, just now.

`python -m tests.faults.stepping serve …`, with the file's name in `FAULTS_CLOCK`. The monotonic
clock stays as it is, as it does when somebody sets a real machine's clock.
"""

import os
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import apscheduler.executors.base
import apscheduler.schedulers.base

import bot.clock
from bot.cli import main

READERS: tuple[Any, ...] = (
    bot.clock,
    apscheduler.schedulers.base,
    apscheduler.executors.base,
)
"""Modules that ask for the date; everybody else asks one of them, or for the time."""


class Wrong:
    """The offset, read anew at every look at the clock."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._time = time.time

    def seconds(self) -> float:
        """How far this machine is ahead; nobody has said: not at all."""
        try:
            return float(self._file.read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0.0

    def time(self) -> float:
        """Instead of `time.time`."""
        return self._time() + self.seconds()

    def time_ns(self) -> int:
        """Instead of `time.time_ns`."""
        return round(self.time() * 1e9)


WRONG = Wrong(Path(os.environ["FAULTS_CLOCK"]))


class Stepped(datetime):
    """A `datetime` whose `now` is wrong; what it gives is an ordinary one."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # on purpose
        """Wrong, in this zone; without one, as the hour is called there at that moment."""
        return datetime.fromtimestamp(WRONG.time(), tz)


def serve() -> None:
    """Set the clocks, and be `parley`."""
    time.time, time.time_ns = WRONG.time, WRONG.time_ns
    for module in READERS:
        module.datetime = Stepped
    main()


if __name__ == "__main__":
    serve()
