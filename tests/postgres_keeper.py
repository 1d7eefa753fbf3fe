"""The process that keeps a private PostgreSQL: it ends the server when its own input ends.

A pipe closes however its writer dies, SIGKILL included, so a test run that is killed leaves neither
a server nor its data behind. Run as a script by `tests/postgres.py`, standard library only.
Words on input: `stop`, `start`, `crash`. Each is answered with `done`, or with the reason and the
end.
"""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

# Nothing here outlives the run, so nothing needs to reach the disk.
OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "log_min_messages": "error",
    "max_connections": "100",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "wal_level": "minimal",
}
LONGEST_SOCKET_FOLDER = 80  # a socket's path ends at 103 bytes on macOS, 107 on Linux
SECONDS = 60


class Keeper:
    """One data folder and the server that runs on it."""

    def __init__(self, binaries: Path, port: int, listens: str) -> None:
        self.user = _server_user()
        self.folder = Path(tempfile.mkdtemp(prefix="parley-pg-", dir=_base(self.user)))
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.data = self.folder / "data"
        self.places = {"port": str(port), "listen_addresses": listens}
        self.binaries = binaries

    def prepare(self) -> None:
        """Make the data folder."""
        if self.user is not None and not _may_enter(self.binaries):
            self.binaries = _copy(self.binaries, self.folder / "server")
        self._run("initdb", "-U", "parley", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = {**OPTIONS, **self.places, "unix_socket_directories": str(self.folder)}
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        with (self.data / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write("host all all 0.0.0.0/0 trust\n")  # where it listens, all are ours

    def start(self) -> None:
        """Serve; returns once connections are accepted."""
        self._run("pg_ctl", "-w", "-t", str(SECONDS), "-l", str(self.folder / "log"), "start")

    def stop(self) -> None:
        """Cut connections and stop."""
        self._run("pg_ctl", "-w", "-t", str(SECONDS), "-m", "fast", "stop")

    def crash(self) -> None:
        """End every process at once, without a checkpoint; the next start recovers."""
        self._run("pg_ctl", "-w", "-t", str(SECONDS), "-m", "immediate", "stop")

    def remove(self) -> None:
        """Leave nothing behind, whatever state the server is in."""
        try:
            if (self.data / "postmaster.pid").exists():
                self._run("pg_ctl", "-w", "-t", "10", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """The server's last words."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else ""

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.binaries / program, "-D", self.data, *arguments],
            # As root the server refuses to run; groups go with the user, or root's would stay.
            user=self.user and self.user.pw_uid,
            group=self.user and self.user.pw_gid,
            extra_groups=None if self.user is None else [],
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=sys.stdout,
            timeout=2 * SECONDS,
            check=True,
        )


def main() -> None:
    """Serve until the input ends."""
    keeper = Keeper(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    try:
        keeper.prepare()
        keeper.start()
        _say("done")
        for line in sys.stdin:
            words = {"stop": keeper.stop, "start": keeper.start, "crash": keeper.crash}
            words[line.strip()]()
            _say("done")
    except (OSError, subprocess.SubprocessError) as error:
        _say(f"{error}\n{keeper.log()}")
    finally:
        keeper.remove()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _server_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _base(user: pwd.struct_passwd | None) -> Path:
    candidates = (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))
    for folder in candidates:
        short = len(str(folder)) <= LONGEST_SOCKET_FOLDER
        if folder.is_dir() and short and (user is None or _may_enter(folder)):
            return folder
    raise OSError(f"none of {', '.join(map(str, candidates))} can be entered by {user}")


def _copy(binaries: Path, away: Path) -> Path:
    """A wheel in a private home and its libraries, where the other user can reach them."""
    package = binaries.parents[1]
    for part in (binaries.parent, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, away / part.relative_to(package.parent), symlinks=True)
    return away / binaries.relative_to(package.parent)


def _may_enter(folder: Path) -> bool:
    """Whether every folder on the way lets other users pass."""
    path = folder.resolve()
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.parents))


if __name__ == "__main__":
    main()
