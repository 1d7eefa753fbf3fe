"""One run of one row, and what the judge says of it; what ends a run early is written down, too."""

import asyncio
import json
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.bench import Bench, Row, Tried
from tests.faults.node import Unmet
from tests.faults.record import Result, add

ROOT = Path(__file__).parents[2]


async def once(row: Row, bench: Bench, docs: Path | None) -> bool:
    """One run, added to the table of these docs; whether all was well, and all of it was tried."""
    say(f"{row.name} on {bench.store}, seed {bench.seed} …")
    started = time.monotonic()
    verdicts = await _verdicts(row, bench)
    if bench.late and await bench.look():
        bench.excuse()
    result = Result.of(row.name, bench, verdicts)
    say(f"  {result.messages} messages, {result.faults} faults, {result.violations} violations")
    for told in bench.told:
        say(f"  {told}")
    say(f"  {time.monotonic() - started:.0f} s")
    for kind, those in (("failed", bench.failed), ("missed", bench.missed)):
        for one in those:
            say(f"  {kind}: {one}")
    for one in bench.broken_off:
        say(f"  broken off by {one}")
    if docs is not None:
        add(result, docs)
    well = not (result.violations or result.missed or result.broken_off)
    if well:
        shutil.rmtree(bench.folder)
    else:
        say(f"  logs: {bench.folder}")
    return well


async def _verdicts(row: Row, bench: Bench) -> list[dict[str, Any]]:
    """What is said of each of its worlds; nothing of a run that broke off."""
    try:
        await row.run(bench)
        verdicts = [await _judge(folder) for folder in bench.folders]
    except Exception as error:  # whatever it is: the next run has nothing to do with it
        say(traceback.format_exc())
        bench.failed.extend(_unmet(error))
        bench.broken_off.append(repr(error))
        return []
    names = ("faults", "met", "p99_answer", "messages")
    tried = [Tried(*(one[name] for name in names)) for one in verdicts]
    bench.weigh(tried, prompt=row.prompt)
    return verdicts


def _unmet(error: BaseException | None) -> Iterator[str]:
    """What a server did not do, where that is why; taking the world down may have failed, too."""
    while error is not None:
        if isinstance(error, Unmet):
            yield str(error)
        error = error.__context__


async def _judge(folder: Path) -> dict[str, Any]:
    """What the checker, a program of its own, says; its last line is the sum."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.checker", str(folder)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    *lines, last = output.decode().splitlines()
    for line in lines:
        say(f"    {line}")
    verdict: dict[str, Any] = json.loads(last)
    return verdict


def say(text: str) -> None:
    """To whoever runs it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
