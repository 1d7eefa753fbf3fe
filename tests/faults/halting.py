"""`parley` that stands still at one step of its migration, so that it is killed exactly there.

`python -m tests.faults.halting serve …`, with `PARLEY_FAULT=migration.step:before#3`. A step is the
opening of a file beside the database's, a statement, the commit, and the end of the connection.
"""

import contextlib
import os
import sys
import threading
from typing import Any

from sqlalchemy import Engine, Pool, event

import bot.store.migrate
from bot.cli import main
from bot.faults import Point, point_of

OWNER, METHOD = "migration", "step"
FILES: Any = bot.store.migrate
"""What copies a SQLite file before it is changed; it asks for each file by `closing`."""


class Steps:
    """Counts them, whatever they are; behind the last of them it is none of its business."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._count = 0

    def step(self, *_: object) -> None:
        """One is about to be taken."""
        self._count += 1
        if self._count == self._point.occurrence:
            self._point.report.write_text(self._point.name, encoding="utf-8")
            threading.Event().wait()

    def closing(self, thing: Any) -> "contextlib.closing[Any]":
        """Instead of `contextlib.closing`."""
        self.step()
        return contextlib.closing(thing)


def serve() -> None:
    """Be `parley`, and count."""
    point = point_of(os.environ)
    if point is None or (point.owner, point.method) != (OWNER, METHOD):
        sys.exit(f"halting: PARLEY_FAULT must be {OWNER}.{METHOD}:before#n")
    steps = Steps(point)
    FILES.closing = steps.closing
    for target, name in (
        (Engine, "before_cursor_execute"),
        (Engine, "commit"),
        (Pool, "close"),
    ):
        event.listen(target, name, steps.step)
    main()


if __name__ == "__main__":
    serve()
