"""Where the CPU of a row goes: py-spy looks at the program while it is measured."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

RATE = 250
"""Looks a second; each of them stops the program for a moment."""
SHOWN = 40
_IDLE = "_worker (concurrent/futures"
"""A thread that waits for work in a way that py-spy takes for working."""
_EVERYWHERE = 0.7
"""A function that nearly everything runs under tells nothing."""


@asynccontextmanager
async def profiled(pid: int, file: Path) -> AsyncGenerator[None, None]:
    """Write what runs meanwhile as lines of `function;function;… count`, threads apart."""
    spy = Path(sys.executable).with_name("py-spy")
    process = await asyncio.create_subprocess_exec(
        *(spy, "record", "--pid", str(pid), "--output", file, "--format", "raw"),
        *("--rate", str(RATE), "--threads", "--function", "--duration", "600"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await asyncio.sleep(1)  # until it has found its way into the process
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.wait()


def summary(file: Path) -> list[str]:
    """The functions that most of the time goes to: with all that they call, and by themselves."""
    inside: Counter[str] = Counter()
    itself: Counter[str] = Counter()
    for line in file.read_text(encoding="utf-8").splitlines():
        stack, _, number = line.rpartition(" ")
        frames = stack.split(";")
        if frames[-1].startswith(_IDLE):
            continue
        itself[frames[-1]] += int(number)
        for frame in set(frames):
            inside[frame] += int(number)
    total = itself.total()
    shown = [frame for frame, count in inside.most_common() if count < total * _EVERYWHERE]
    return [
        *_lines("with what it calls", inside, shown, total),
        *_lines("by itself", itself, [frame for frame, _ in itself.most_common()], total),
    ]


def _lines(head: str, counts: Counter[str], frames: list[str], total: int) -> list[str]:
    return [f"  {head}", *(f"  {counts[frame] / total:6.1%}  {frame}" for frame in frames[:SHOWN])]
