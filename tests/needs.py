"""What a test may need from the machine, and whether this machine has it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests import pgbouncer, postgres
from tests.faults import hosts
from tests.faults.iovfs import found_vfs

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Asking for the fixture is as good as wearing the marker.
NEEDED_BY_FIXTURE = {
    "postgres_url": "postgres",
    "postgres_server": "postgres",
    "pooler": "pgbouncer",
}


def shared() -> Path | None:
    """The folder of recordings beside the checkout, which a stranger's clone does not have."""
    folder = Path(os.environ.get("PARLEY_SHARED") or ROOT.parent / "shared")
    return folder if (folder / "fixtures").is_dir() else None


def chromium() -> str | None:
    """The path of an installed browser; nothing is ever downloaded."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def absent() -> dict[str, str]:
    """What is not here, with the reason that a person reads."""
    return dict(_absences())


def required() -> set[str]:
    """What PARLEY_REQUIRE names: its absence is a failure, not a remark."""
    return {word.strip() for word in os.environ.get("PARLEY_REQUIRE", "").split(",")} - {""}


def _absences() -> Iterator[tuple[str, str]]:
    if chromium() is None:
        yield "browser", "no chromium on PATH"
    if postgres.find_binaries() is None:
        yield "postgres", "no PostgreSQL server binaries"
    if pgbouncer.find() is None:
        yield "pgbouncer", "no pgbouncer program"
    if shared() is None:
        yield "fixtures", "the recordings are not part of the repository"
    if (obstacle := hosts.obstacle()) is not None:
        yield "cables", obstacle
    if found_vfs() is None:
        yield "vfs", "this Python hides the names of its SQLite"
