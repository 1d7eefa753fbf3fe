"""What the system knows about another process: the CPU it used and the memory it holds."""

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
