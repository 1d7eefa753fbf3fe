"""How much room SQLite wants to write a file anew, and where."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

_FOLDERS = ("/var/tmp", "/usr/tmp", "/tmp", ".")  # noqa: S108  # SQLite's own, not ours


def free_bytes(folder: Path) -> int:
    """What whoever runs this may still write there."""
    return shutil.disk_usage(folder).free


def room_lacking(db: sqlite3.Connection, folder: Path, free: Callable[[Path], int]) -> str | None:
    """Where there is not enough room to write the file in `folder` anew; None where there is.

    It is copied to the folder for temporary files, and from there goes through the log: as much
    again beside the file. Tried all the same on a full disk, it takes what is left of that from
    everybody who wants to write meanwhile.
    """
    pages, unused, size = (
        int(db.execute(f"PRAGMA {what}").fetchall()[0][0])
        for what in ("page_count", "freelist_count", "page_size")
    )
    try:
        short = [
            f"{_megabytes(wanted)} in {where} (there are {_megabytes(there)})"
            for where, wanted in _wanted(folder, (pages - unused) * size)
            if (there := free(where)) < wanted
        ]
    except OSError:
        return None  # what cannot be measured is tried
    return " and ".join(short) or None


def temporary_folder() -> Path | None:
    """Where SQLite puts its temporary files (`unixTempFileDir` in its os_unix.c)."""
    told = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    return next(
        (
            Path(where)
            for where in (*told, *_FOLDERS)
            if where and Path(where).is_dir() and os.access(where, os.W_OK | os.X_OK)
        ),
        None,
    )


def _wanted(folder: Path, copy: int) -> Iterator[tuple[Path, int]]:
    temporary = temporary_folder()
    if temporary is None:
        yield folder, copy  # SQLite says itself that it finds none
    elif temporary.stat().st_dev == folder.stat().st_dev:
        yield folder, 2 * copy
    else:
        yield from ((folder, copy), (temporary, copy))


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
