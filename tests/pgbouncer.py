"""A PgBouncer of a test run's own in transaction mode, where the machine has the program.

Run as a program it keeps one: the pooler ends when its input does, however its writer died.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection
from urllib.parse import urlsplit

from tests.ports import free_port

ROOT = Path(__file__).parents[1]
PLACES = ("/usr/sbin", "/usr/local/sbin")
"""Where packages put it; the path of an ordinary user does not lead there."""

SECONDS = 10

CONFIG = """
[databases]
* = host=127.0.0.1 port={server} user=parley

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
; Fewer than a node's own connections: what follows a statement often goes another way.
default_pool_size = 3
max_client_conn = 200
log_connections = 0
log_disconnections = 0
log_stats = 0
"""


@dataclass(frozen=True)
class Pooler:
    """Leads to every database of one server."""

    port: int
    spare: list[str] = field(default_factory=list)
    """Databases that were made for it and are empty again."""

    def url(self, direct: str) -> str:
        """The way to a database through it, instead of the direct one."""
        place = urlsplit(direct)
        return place._replace(netloc=f"parley:parley@127.0.0.1:{self.port}").geturl()


def find() -> str | None:
    """The program, or None."""
    places = os.pathsep.join((os.environ.get("PATH", ""), *PLACES))
    return shutil.which("pgbouncer", path=places)


@contextmanager
def running(server_port: int) -> Iterator[Pooler]:
    """In front of the server at this port of loopback, until the block ends."""
    program = find()
    assert program is not None, "mark the test with pytest.mark.pgbouncer"
    port = free_port()
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.pgbouncer", program, str(port), str(server_port)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        said = keeper.stdout.readline()
        assert said == "ready\n", said + keeper.stdout.read()
        yield Pooler(port)
    finally:
        keeper.stdin.close()
        keeper.wait(timeout=30)
        keeper.stdout.close()


def _keep(program: str, port: str, server_port: str) -> None:
    # As root it refuses to run.
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="parley-pool-", dir=_base()) as folder:
        path = Path(folder, "pgbouncer.ini")
        path.write_text(CONFIG.format(port=port, server=server_port), encoding="utf-8")
        Path(folder).chmod(0o755)
        path.chmod(0o644)
        pooler = subprocess.Popen(
            [program, "-q", path],
            user=user and user.pw_uid,
            group=user and user.pw_gid,
            extra_groups=None if user is None else [],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(int(port))
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            sys.stdin.read()
        finally:
            pooler.kill()
            pooler.wait()


def _base() -> str | None:
    """A folder that another user can enter; the run's own temporary folder may be private."""
    return "/tmp" if os.geteuid() == 0 else None  # a folder of its own is made there


def _wait(port: int) -> None:
    until, pause = time.monotonic() + SECONDS, threading.Event()
    while True:
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            pause.wait(0.02)
        else:
            return


if __name__ == "__main__":
    _keep(*sys.argv[1:])
