"""How many files this process may open: each connection is one, and 1024 is what is usual."""

import sys

from bot.app.engine import Rules
from bot.app.reporting import Reporting

ENOUGH = 65_536
"""More is asked for only where `intake.node_limit` needs it."""

BESIDE = 256
"""Beside two for each conversation: the database, the log, sockets that listen."""

HINT = "raise the limit of open files (LimitNOFILE=, ulimit -n) or lower intake.node_limit"


def open_enough(rules: Rules, told: Reporting) -> None:
    """Take as many as we are allowed to, and tell the operator where those are too few."""
    needed = 2 * rules.node_limit + BESIDE
    limit = _raised(max(ENOUGH, needed))
    if limit < needed:
        told.logs.logger.warning("files.few", limit=limit, needed=needed, hint=HINT)


def _raised(wanted: int) -> int:
    """The limit from here on: so many, where the hard one lets us."""
    if sys.platform == "win32":
        return wanted  # it has no such limit
    import resource  # noqa: PLC0415  # nor this module

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return max(soft, wanted)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft  # a system's own bound (macOS: kern.maxfilesperproc) may lie below the hard one
    return wanted
