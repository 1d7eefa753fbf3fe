"""One `parley serve` of a fault run: started, killed, frozen, asked to stop, started again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.faults.warm import Started, Warm
from tests.peers.log import Log

ROOT = Path(__file__).parents[2]
START = 120.0
"""Seconds; an idle machine needs a twentieth."""


class Unmet(AssertionError):
    """A server did not do what it must, and without that the run cannot go on."""


class Node:
    """A server process under a name; its log goes to a file that outlives it."""

    def __init__(
        self, name: str, folder: Path, config: Mapping[str, Any], port: int, log: Log
    ) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self.fault = folder / f"{name}.fault"
        self._arm = folder / f"{name}.arm"
        self.ledger = folder / "tools.jsonl"
        self.environ: dict[str, str] = {}
        self.module = "bot"
        """What is run: `parley` itself, or a program of the tests that starts it."""
        self.clock = folder / f"{name}.clock"
        """By how many seconds its clock is ahead, where a program of the tests looks there."""
        self.switch = folder / f"{name}.switch"
        """Which of its calls to the disk fail, where a program of the tests lets them."""
        self.root = ROOT
        """The tree whose code it runs."""
        self.config = folder / f"{name}.config.json"
        self.config.write_text(json.dumps(config), encoding="utf-8")
        self._out = folder / f"node-{name}.log"
        self._log = log
        self.warm: Warm | None = None
        """What makes servers faster than a start from nothing; only those of this very tree."""
        self._process: asyncio.subprocess.Process | Started | None = None
        self._over = False

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether there is a process at all."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *, fault: str | None = None) -> None:
        """Start, and return when it is ready.

        Raises:
            Unmet: it ended instead, or was not ready in time.
        """
        await self.launch(fault=fault)
        try:
            await self.ready()
        except TimeoutError as late:
            what = f"{self.name} was not ready {START:.0f} s after its start:\n{self.tail()}"
            raise Unmet(what) from late

    async def launch(self, *, fault: str | None = None) -> None:
        """Start, and wait for nothing."""
        environ = {key: value for key, value in os.environ.items() if "PARLEY" not in key}
        environ.pop("OPENAI_API_KEY", None)
        environ |= {"FAULTS_LEDGER": str(self.ledger), "FAULTS_NODE": self.name}
        environ |= {"FAULTS_CLOCK": str(self.clock), "FAULTS_IO": str(self.switch)}
        environ |= self.environ
        for file in (self.fault, self._arm):
            file.unlink(missing_ok=True)
        if fault is not None:
            files = {"PARLEY_FAULT_FILE": str(self.fault), "PARLEY_FAULT_ARM": str(self._arm)}
            environ |= {"PARLEY_FAULT": fault, **files}
        if self.warm is not None and self.module == "bot" and self.root == ROOT:
            self._process = await self.warm.start(self.config, environ, self._out)
        else:
            self._process = await self._start_cold(environ)
        if self._over:  # who made trouble was left behind by a run that broke off
            self._process.send_signal(signal.SIGKILL)
            raise RuntimeError(f"{self.name} was started when its run was over")
        self._log.write("started", node=self.name, pid=self.pid, fault=fault)

    async def _start_cold(self, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
        with self._out.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self.module, "serve", "--config", str(self.config)),
                cwd=self.root,
                env=environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    async def ready(self, within: float = START) -> None:
        """Wait until it says that it can do its work."""
        async with asyncio.timeout(within), aiohttp.ClientSession() as session:
            while not await self._says_ready(session):
                if not self.alive:
                    raise Unmet(f"{self.name} ended at its start:\n{self.tail()}")
                await asyncio.sleep(0.03)
        self._log.write("ready", node=self.name)

    async def _says_ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            limit = aiohttp.ClientTimeout(total=2)
            async with session.get(f"{self.url}/readyz", timeout=limit) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def arm(self) -> None:
        """From now on the calls are counted that lead to its fault."""
        self._arm.touch()

    async def at_fault(self, within: float = START) -> bool:
        """Wait until it stands still at its point; False when it has not come there in time."""
        try:
            async with asyncio.timeout(within):
                while not self.fault.exists() and self.alive:  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return False
        return self.fault.exists()

    async def kill(self, why: str = "") -> None:
        """SIGKILL, whatever it does."""
        if self._process is not None:
            if self.alive:
                self._log.write("killed", node=self.name, pid=self.pid, why=why)
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
            self._log.write("gone", node=self.name, code=self._process.returncode)
            self._process = None

    async def end(self) -> None:
        """Its run is over: it is killed, and nobody starts it again."""
        self._over = True
        await self.kill("the run is over")

    async def stop(self, within: float = START) -> int:
        """SIGTERM, and wait for its end; its exit code.

        Raises:
            Unmet: it is still there.
        """
        assert self._process is not None
        self._log.write("told_to_stop", node=self.name, pid=self.pid)
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        return await self._ends(within, "was told to stop")

    def freeze(self) -> None:
        """SIGSTOP: it holds what it holds and does nothing."""
        self._log.write("frozen", node=self.name, pid=self.pid)
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it stood, whatever has become of its work."""
        self._log.write("thawed", node=self.name, pid=self.pid)
        os.kill(self.pid, signal.SIGCONT)

    async def gone(self, within: float) -> int:
        """Wait until it ends by itself; its exit code.

        Raises:
            Unmet: it does not.
        """
        return await self._ends(within, "was to end by itself")

    async def _ends(self, within: float, why: str) -> int:
        assert self._process is not None
        try:
            async with asyncio.timeout(within):
                code = await self._process.wait()
        except TimeoutError as late:
            raise Unmet(f"{self.name} {why}, and is there {within:.0f} s later") from late
        self._log.write("gone", node=self.name, code=code)
        self._process = None
        return code

    def tail(self, characters: int = 3000) -> str:
        """Its last words."""
        return self.output[-characters:]

    @property
    def output(self) -> str:
        """All that it has written, over all its lives."""
        return self._out.read_text(encoding="utf-8", errors="replace")
