"""What the system knows about another process: the CPU it used and the memory it holds."""

import os
import re
import time
from pathlib import Path

_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
_SCHEDULED = 2


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads.

    It is what `/proc/<pid>/stat` says, in nanoseconds instead of hundredths of a second: a row
    may measure only a few messages.
    """
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


def resident_mb(pid: int) -> float:
    """Megabytes of memory in use now."""
    found = _RESIDENT.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None, "a process that ended has no memory"
    return int(found.group(1)) * 1024 / 1_000_000


def children(pid: int) -> list[int]:
    """The processes that it has started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(one) for one in listed.split()]


def parent(pid: int) -> int:
    """The process that started it."""
    # "pid (name) state parent …", where the name may hold anything but ends at the last bracket.
    told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    return int(told.split()[1])


def family_seconds(pid: int) -> float:
    """CPU time of a process, of all that it has started, and of those that have ended since.

    PostgreSQL has a process for each connection: one that ends hands its time to the first.
    """
    told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    ended = sum(int(one) for one in told.split()[13:15]) / os.sysconf("SC_CLK_TCK")
    return ended + sum(_used(one) for one in (pid, *children(pid)))


def _used(pid: int) -> float:
    try:
        return cpu_seconds(pid)
    except OSError:
        return 0.0  # it ended just now
