"""One server for each SQLite file: an operating system's lock beside it, gone with its process."""

import os
import sys
from pathlib import Path

from bot.errors import ConfigError

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        # A locked byte cannot be read there: one far behind the holder's number is taken.
        os.lseek(handle, 1 << 20, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(handle, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """Held from `take` to `free`; the operating system frees it when the process dies."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(f"{database.name}.lock")
        self._handle: int | None = None

    def take(self) -> None:
        """Become the one that writes.

        Raises:
            ConfigError: another process is.
        """
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(handle)
        except OSError as error:
            holder = os.read(handle, 20).decode(errors="replace").strip()
            os.close(handle)
            who = f" (process {holder})" if holder else ""
            raise ConfigError(
                f"database: another Parley{who} is using {self._database}; stop it, give this one "
                "its own file in database.url, or use PostgreSQL for several servers"
            ) from error
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._handle = handle

    def free(self) -> None:
        """Let the next one have it; the file stays, or two could lock two files of one name."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
