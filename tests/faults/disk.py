"""A small disk of a run's own, and what can go wrong: no room, files kept short or read-only."""

import array
import errno
import fcntl
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BLOCK = 1 << 16
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10
"""Linux: `chattr +i`, which ext4 and its kin ask for at each write, and not only at the opening."""


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
def disk(folder: Path, megabytes: int, owner: int | None = None) -> Iterator[Disk | None]:
    """Mounted there for as long as it is needed; None where this user may not mount anything."""
    folder.mkdir(parents=True)
    mount = shutil.which("mount")
    owned = "" if owner is None else f",uid={owner}"
    options = ("-t", "tmpfs", "-o", f"size={megabytes}m,mode=700{owned}", "parley-fault-run")
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


def may_protect(folder: Path) -> bool:
    """Whether this user can make open files read-only on this file system, and undo it."""
    probe = folder / "probe"
    with probe.open("wb", buffering=0) as file:
        try:
            with write_protected([probe]):
                file.write(b"x")
        except PermissionError:
            return _is_free(probe)
        except OSError:
            return False  # a file system that knows no such flag
        finally:
            probe.unlink()
    return False  # one that asks for it only when a file is opened


@contextmanager
def write_protected(files: Iterable[Path]) -> Iterator[None]:
    """Whoever has them open may write no more: EPERM.

    A file system cannot be mounted again as read-only while a file on it is open for writing
    (EBUSY), and what the kernel does to a broken one cannot be undone: this can.
    """
    done: list[Path] = []
    try:
        for file in files:
            _set_flag(file, on=True)
            done.append(file)
        yield
    finally:
        for file in done:
            _set_flag(file, on=False)


def _is_free(file: Path) -> bool:
    return not _flags(file) & IMMUTABLE


def _flags(file: Path) -> int:
    flags = array.array("l", [0])
    with _opened(file) as number:
        fcntl.ioctl(number, GET_FLAGS, flags)
    return flags[0]


def _set_flag(file: Path, *, on: bool) -> None:
    flags = _flags(file)
    flags = flags | IMMUTABLE if on else flags & ~IMMUTABLE
    with _opened(file) as number:
        fcntl.ioctl(number, SET_FLAGS, array.array("l", [flags]))


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    number = os.open(file, os.O_RDONLY)
    try:
        yield number
    finally:
        os.close(number)


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
