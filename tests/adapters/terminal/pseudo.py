"""A terminal without a screen: a program on a pseudo-terminal, what it shows and what is typed."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

# Makes the pseudo-terminal the one that Ctrl-C is typed at, then becomes the program.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
_STYLES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[=>])")

CTRL_C = "\x03"
CTRL_D = "\x04"
ENTER = "\r"
UP = "\x1b[A"


class Pseudo:
    """One program on one pseudo-terminal."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self._master = master
        self._raw = b""
        self._seen = 0
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def raw(self) -> str:
        """Everything that was written, with what steers the terminal."""
        return self._raw.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """Everything that was written, without it."""
        return _STYLES.sub("", self.raw)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    async def shows(self, text: str, seconds: float = 30.0) -> None:
        """Wait until a text appears behind the one that was waited for before."""
        try:
            async with asyncio.timeout(seconds):
                while (found := self.text.find(text, self._seen)) < 0:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{text!r} is not in {self.text[self._seen :]!r}") from None
        self._seen = found + len(text)

    async def ended(self) -> int:
        async with asyncio.timeout(30):
            return await self.process.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # the program has gone
            chunk = b""
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._master)
        self._raw += chunk
        self._news.set()


@asynccontextmanager
async def running(
    arguments: Sequence[str], *, folder: Path, environ: Mapping[str, str]
) -> AsyncIterator[Pseudo]:
    """Run this Python with arguments on a pseudo-terminal of 24 lines of 80 characters."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _TAKE_TERMINAL, *arguments),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env={"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environ},
        start_new_session=True,
    )
    os.close(slave)
    pseudo = Pseudo(process, master)
    try:
        yield pseudo
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        pseudo.close()
