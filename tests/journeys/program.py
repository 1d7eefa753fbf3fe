"""A real `parley serve`, started, watched, killed and started again."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.peers.model import ModelPeer
from tests.peers.telegram import TelegramPeer
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
START = 30.0
SECRET = "webhook-secret"


class Program:
    """One server process; its folder outlives it."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.config = dict(config)
        self.url = ""
        self.module = "bot"
        """What is run: `parley` itself, or a program of the tests that starts it."""
        self._process: asyncio.subprocess.Process | None = None
        self._output: list[str] = []
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def output(self) -> str:
        """Everything it has printed so far, over all its starts."""
        return "".join(self._output)

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None, "it has not been started"
        return self._process.pid

    @property
    def fault(self) -> Path:
        """Where it reports that it stands still."""
        return self.folder / "fault"

    async def start(self, *, fault: str | None = None) -> None:
        """Start, and wait until it accepts."""
        more: dict[str, str] = {}
        if fault is not None:
            self.fault.unlink(missing_ok=True)
            more = {"PARLEY_FAULT": fault, "PARLEY_FAULT_FILE": str(self.fault)}
        self._ready.clear()
        self._process = await self._spawn(more)
        self._reader = asyncio.create_task(self._read())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait(
            {ready, self._reader}, timeout=START, return_when=asyncio.FIRST_COMPLETED
        )
        ready.cancel()
        if not self._ready.is_set():
            await self.kill()
            raise AssertionError(f"it did not start:\n{self.output}")

    async def attempt(self) -> tuple[int, str]:
        """Start one that must not run: its exit code and what it says."""
        return await self.command("serve")

    async def command(self, *words: str) -> tuple[int, str]:
        """Another command with the same configuration: its exit code and what it says."""
        process = await self._spawn({}, *words)
        async with asyncio.timeout(START):
            output, _ = await process.communicate()
        return process.returncode or 0, output.decode(errors="replace")

    async def _spawn(self, more: Mapping[str, str], *words: str) -> asyncio.subprocess.Process:
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.config), encoding="utf-8")
        environ = {key: value for key, value in os.environ.items() if "PARLEY" not in key}
        environ.pop("OPENAI_API_KEY", None)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", self.module, *(words or ("serve",)), "--config", str(path)),
            cwd=ROOT,
            env={**environ, **more},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode(errors="replace")
            self._output.append(text)
            if found := re.search(r"http://127\.0\.0\.\d:\d+", text):
                if not self._ready.is_set():
                    self.url = found.group(0)
                self._ready.set()

    async def kill(self) -> None:
        """SIGKILL from outside, whatever it does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        return await self._end(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait until it has ended by itself; its exit code."""
        assert self._process is not None, "it has not been started"
        async with asyncio.timeout(START):
            await self._process.wait()
        return await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(how)
        async with asyncio.timeout(START):
            code = await process.wait()
        if self._reader is not None:
            await self._reader
        self._process = None
        return code

    async def at_fault(self) -> None:
        """Wait until it stands still at the point it was started with."""
        async with asyncio.timeout(START):
            while not self.fault.exists():  # noqa: ASYNC110  # another process writes the file
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(folder: Path, config: Mapping[str, Any]) -> AsyncGenerator[Program, None]:
    """A program that is gone when the block ends."""
    program = Program(folder, config)
    await program.start()
    try:
        yield program
    finally:
        await program.kill()


async def a_moment() -> None:
    """Between two looks at what another process does and cannot tell us; bound the loop."""
    await asyncio.sleep(0.02)


def telegram_config(
    telegram: TelegramPeer, model: ModelPeer, *, database: str, **changes: Any
) -> dict[str, Any]:
    """One Telegram bot behind a webhook, one model, one tool."""
    adapter = {
        "use": "adapters.telegram",
        "mode": "webhook",
        "token": telegram.token,
        "webhook_secret": SECRET,
        "stream": "off",
        "base_url": telegram.url,
    } | changes.pop("bot", {})
    return program_config(model, {"telegram": adapter}, database=database, **changes)


def program_config(
    model: ModelPeer, adapters: Mapping[str, Any], *, database: str, **changes: Any
) -> dict[str, Any]:
    """These adapters, one model, two plugins, on a port that is known before the start."""
    port = free_port()
    return {
        "server": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "database": {"url": database},
        "models": {
            "main": {
                "use": "openai",
                "model": "peer-model",
                "api_key": "key",
                "base_url": model.base_url,
            }
        },
        "adapters": dict(adapters),
        "plugins": [{"use": "plugins.clock"}, {"use": "plugins.calculator"}],
    } | changes
