"""A small disk of a run's own, and what can go wrong with it: no room, and files kept short."""

import errno
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BLOCK = 1 << 16


class Disk:
    """A file system in memory: what stands on it counts, and when it is full it is full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take every byte that is left; may be called again while it is to stay full."""
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(BLOCK))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """Give it all back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Disk | None]:
    """Mounted there for as long as it is needed; None where this user may not mount anything."""
    folder.mkdir(parents=True)
    mount = shutil.which("mount")
    options = ("-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "parley-fault-run")
    if mount is None or subprocess.run([mount, *options, str(folder)], check=False).returncode:
        yield None
        return
    try:
        yield Disk(folder)
    finally:
        # Lazily: a server that could not be stopped must not keep it for ever.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def kept_short(pid: int, length: int) -> Iterator[None]:
    """No file of that process grows beyond this; nobody has to be root for it."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        with_process(pid, soft, hard)


def with_process(pid: int, soft: int, hard: int) -> None:
    """Lift the limit, unless the process is gone."""
    try:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    except ProcessLookupError:
        return


def empty_log(database: Path) -> None:
    """Have the write-ahead log begin anew, at no length: whatever is written next needs room."""
    with closing(sqlite3.connect(database, timeout=5)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def events_in(database: Path) -> list[str]:
    """The names of all events that it holds, as anybody sees them who opens it now."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as db:
        return [key for (key,) in db.execute("SELECT event_key FROM inbox")]


def integrity_of(database: Path) -> str:
    """`ok`, or what is wrong with it."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as db:
            return str(db.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
