"""`parley` whose upkeep runs every second instead of every minute or hour.

`python -m tests.faults.hurrying serve …`: so that a server can be killed in it.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import bot.app.whole
from bot.cli import main
from bot.scheduler import Job

WHOLE: Any = bot.app.whole
"""Where the jobs are made."""


def hurried(name: str, _: timedelta, run: Callable[[], Awaitable[object]], **more: Any) -> Job:
    """The same job, more often."""
    return Job(name, timedelta(seconds=1), run, **more)


def serve() -> None:
    """Hurry, and be `parley`."""
    WHOLE.Job = hurried
    main()


if __name__ == "__main__":
    serve()
