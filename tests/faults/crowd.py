"""Whether others use this machine: looked at before a run, and after one that was late.

Nothing of the run's own goes on then. The load average would tell of the run before as well: it
looks a minute back.
"""

import asyncio
import os
from pathlib import Path

STAT = Path("/proc/stat")
LOOK = 1.0
"""Seconds."""
MOST = 0.5
"""Cores that others may keep busy on a machine that counts as idle."""


async def crowded(stat: Path = STAT, look: float = LOOK) -> bool:
    """Look for a moment at what the whole machine does."""
    before = _times(stat)
    if before is None:  # a system that does not say so
        return os.getloadavg()[0] > MOST
    await asyncio.sleep(look)
    return busy(before, _times(stat) or before) > MOST


def busy(before: tuple[int, int], after: tuple[int, int]) -> float:
    """How many cores were at work in between."""
    rested, passed = (later - sooner for sooner, later in zip(before, after, strict=True))
    return (os.cpu_count() or 1) * (1 - rested / passed) if passed else 0.0


def _times(stat: Path) -> tuple[int, int] | None:
    """For how long all cores together have rested, and how long that is of what has passed."""
    if not stat.exists():
        return None
    words = stat.read_text(encoding="ascii").splitlines()[0].split()[1:9]
    user, nice, system, idle, waiting, *rest = map(int, words)
    return idle + waiting, user + nice + system + idle + waiting + sum(rest)
