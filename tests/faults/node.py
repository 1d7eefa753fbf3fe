"""One `parley serve` of a fault run: started, killed, frozen, asked to stop, started again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.watchdog import STOOD_STILL
from tests.faults.warm import Started, Warm
from tests.peers.log import Log

ROOT = Path(__file__).parents[2]
START = 120.0
"""Seconds; an idle machine needs a twentieth."""
GRACE = 30.0
"""Seconds within which a server that is told to stop is gone; it gives 25 to what runs."""
STALLED = (STOOD_STILL, -signal.SIGPROF)
"""How a server ends itself whose loop was not let run for most of a lease: by its watchdog, or by
the kernel's count of its CPU time."""


class Unmet(AssertionError):
    """A server did not do what it must, and without that the run cannot go on."""


class Late(Unmet, TimeoutError):
    """It has not done it in time."""


@dataclass(frozen=True, slots=True)
class End:
    """A server has ended that nobody had ended, or not as it was to."""

    what: str
    slow: bool = False
    """Whether that was a matter of time: on a machine with too much to do nobody knows whose."""


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
        self.may_end: Collection[int] = ()
        """Exit codes with which it may end by itself, in a row that brings that about."""
        self.ends: list[End] = []
        """How it ended when it should not have, or not so, over all its lives."""
        self._process: asyncio.subprocess.Process | Started | None = None
        self._ending: asyncio.Task[int] | None = None
        self._asked = False
        """Whether this life of it was to end."""
        self._told = False
        """Whether somebody has heard already how this life ends."""
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
        await self.ready()

    async def launch(self, *, fault: str | None = None) -> None:
        """Start, and wait for nothing; one that has ended by itself is noted."""
        if self._process is not None:
            assert not self.alive, f"{self.name} runs already"
            self._note("ended by itself", await self._bury())
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
            process: asyncio.subprocess.Process | Started = await self.warm.start(
                self.config, environ, self._out
            )
        else:
            process = await self._start_cold(environ)
        self._process, self._asked, self._told = process, self._over, self._over
        self._ending = asyncio.create_task(self._watch(process))
        if self._over:  # who made trouble was left behind by a run that broke off
            process.send_signal(signal.SIGKILL)
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
        """Wait until it says that it can do its work.

        Raises:
            Unmet: it has ended instead; `Late`: it does not say so in time.
        """
        try:
            async with asyncio.timeout(within), aiohttp.ClientSession() as session:
                while not await self._says_ready(session):
                    if not self.alive:
                        self._told = True
                        raise Unmet(f"{self.name} ended at its start:\n{self.tail()}")
                    await asyncio.sleep(0.03)
        except TimeoutError as late:
            what = f"{self.name} was not ready within {within:.0f} s:\n{self.tail()}"
            raise Late(what) from late
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
        """SIGKILL, whatever it does; one that has ended by itself before is noted."""
        if self._process is None:
            return
        killed = self.alive
        if killed:
            self._asked = True
            self._log.write("killed", node=self.name, pid=self.pid, why=why)
            self._signal(signal.SIGKILL)
        code = await self._bury()
        # Who has ended in this very moment does not die of it.
        if not killed or code != -signal.SIGKILL:
            self._note("ended by itself", code)

    async def end(self) -> None:
        """Its run is over: it is killed, and nobody starts it again."""
        self._over = True
        await self.kill("the run is over")

    async def stop(self, within: float = GRACE) -> int:
        """SIGTERM, and wait for its end; its exit code. Another one than 0 is noted.

        Raises:
            Unmet: it is still there.
        """
        assert self._process is not None
        self._log.write("told_to_stop", node=self.name, pid=self.pid)
        told = self.alive
        if told:
            self._asked = True
            self._signal(signal.SIGTERM)
        code = await self._ends(within, "was told to stop")
        if code or not told:
            self._note("was told to stop and ended" if told else "ended by itself", code)
        return code

    async def finish(self, within: float = GRACE) -> None:
        """Stop it in good order if it runs, the last time; what is wrong about that is noted."""
        if self._process is None:
            return
        try:
            await self.stop(within)
        except Late as late:
            self.ends.append(End(str(late), slow=True))
            await self.kill("it did not stop")

    def freeze(self) -> None:
        """SIGSTOP: it holds what it holds and does nothing."""
        self._log.write("frozen", node=self.name, pid=self.pid)
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it stood, whatever has become of its work."""
        self._log.write("thawed", node=self.name, pid=self.pid)
        self._signal(signal.SIGCONT)

    async def gone(self, within: float) -> int:
        """Wait until it ends by itself, as it was to; its exit code.

        Raises:
            Unmet: it does not.
        """
        return await self._ends(within, "was to end by itself")

    def tail(self, characters: int = 3000) -> str:
        """Its last words."""
        return self.output[-characters:]

    @property
    def output(self) -> str:
        """All that it has written, over all its lives."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    # ---- how it ends -------------------------------------------------------------------------

    def _signal(self, number: int) -> None:
        """Nothing happens to one that has just ended: its number may be another's by now."""
        if self._process is not None and self.alive:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _watch(self, process: asyncio.subprocess.Process | Started) -> int:
        """Its exit code; its end stands in the log when it is, whoever looks at it when."""
        code = await process.wait()
        self._log.write("gone" if self._asked else "ended", node=self.name, code=code)
        return code

    async def _ends(self, within: float, why: str) -> int:
        assert self._ending is not None
        done, _ = await asyncio.wait([self._ending], timeout=within)
        if not done:
            self._told = True
            raise Late(f"{self.name} {why}, and is there {within:.0f} s later")
        return await self._bury()

    async def _bury(self) -> int:
        assert self._ending is not None
        code = await self._ending
        self._process = self._ending = None
        return code

    def _note(self, how: str, code: int) -> None:
        if not self._told and code not in self.may_end:
            self.ends.append(End(f"{self.name} {how} with {code}", slow=code in STALLED))
