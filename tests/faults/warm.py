"""A process that has read Parley's code already and makes servers of itself: `make chaos` runs it.

Most of what a fault run costs is the start of servers, and most of a start is reading code, a
second of a core each time. What is forked here runs the very function that `parley serve` runs,
as a process of its own that dies by SIGKILL like any other. `make test` starts its servers cold.
"""

import asyncio
import gc
import importlib
import json
import os
import pkgutil
import random
import select
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "adapters.slack", "adapters.telegram", "adapters.terminal", "adapters.wechat")
LATE = ("asyncpg", "openai.resources.chat.completions", "tests.faults.plugins.ledger")
"""What a server reads only when it is used."""
PATIENCE = 60.0


class Started:
    """A server that was made here; what `asyncio.subprocess.Process` has of it, and no more."""

    def __init__(self, pid: int, ends: "asyncio.Task[int]") -> None:
        self.pid = pid
        self._ends = ends

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._ends.result() if self._ends.done() else None

    def send_signal(self, number: int) -> None:
        """Whatever it does."""
        if not self._ends.done():
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Its exit code, negative for a signal."""
        return await asyncio.shield(self._ends)


class Warm:
    """The way to the process that waits."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def start(self, config: Path, environ: Mapping[str, str], out: Path) -> Started:
        """A server of this tree."""
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        asked = {"config": str(config), "environ": dict(environ), "out": str(out)}
        writer.write(json.dumps(asked).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            pid = int(await reader.readline())

        async def ends() -> int:
            try:
                return int(await reader.readline())
            finally:
                writer.close()

        return Started(pid, asyncio.create_task(ends()))


@asynccontextmanager
async def warm(folder: Path) -> AsyncGenerator[Warm, None]:
    """Ready once it has read everything; it ends when its standard input does."""
    path = folder / "warm.sock"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.warm", str(path)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            await process.stdout.readline()
        yield Warm(path)
    finally:
        process.stdin.close()
        await process.wait()
        path.unlink(missing_ok=True)


# ---- the process that waits ----------------------------------------------------------------


def main() -> None:
    """Read the code, then make a server for each connection."""
    for name in (*_everything(), *LATE):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that the children's collections do not copy what is shared
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sys.argv[1])
    listening.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([sys.stdin, listening], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _keep(connection)
        connection.close()


def _everything() -> Iterable[str]:
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith(("__main__", "env")) and ".versions" not in module.name:
                yield module.name


def _keep(connection: socket.socket) -> None:
    """Make the server, say its number, wait for its end, say how it was."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("rb") as file:
        asked = json.loads(file.readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _serve(asked)
    connection.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _serve(asked: Mapping[str, Any]) -> None:
    for number, path, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        file = os.open(path, how, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(asked["environ"])
    sys.argv = ["parley", "serve", "--config", asked["config"]]
    random.seed()  # the others began with the same state
    serve = importlib.import_module("bot.cli").main
    code = 1
    try:
        serve()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
