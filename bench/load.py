"""Conversations that speak all at once, and what that cost the program."""

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from bench.plan import SPREAD, Case, Shape, Size
from bench.readings import cpu_seconds, resident_mb
from bench.talk import Talk, WrongAnswersError

SETTLE = 0.3
"""Seconds after the last answer in which a second copy of one would show, and what follows a
send is written down: both belong to the messages."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one row of the table says."""

    name: str
    messages: int
    cpu_ms: float
    per_second: float
    p50_ms: float
    p99_ms: float
    rss_mb: float
    ceiling: float | None = None


async def measure(
    talks: Sequence[Talk],
    case: Case,
    size: Size,
    pid: int,
    profile: AbstractAsyncContextManager[None] | None = None,
) -> Cost:
    """Warm up, then count what the messages of so many rounds cost.

    Raises:
        WrongAnswersError: one is missing, came twice or is not the model's.
    """
    spread = SPREAD if case.shape is Shape.PACED else 0.0
    await _drive(talks, len(talks), size.warm_up, spread=spread)
    await asyncio.sleep(SETTLE)
    async with profile or nullcontext():
        before, began = cpu_seconds(pid), time.monotonic()
        waits = await _drive(talks, case.in_flight, size.rounds, spread=spread)
        seconds = time.monotonic() - began
        await asyncio.sleep(SETTLE)
        used = cpu_seconds(pid) - before
    for talk in talks:
        talk.check()
        # An answer that comes in one gulp may be whole before its first draft has been shown.
        if case.shape is not Shape.BURST and bool(talk.grown) is not case.shape.streamed:
            raise WrongAnswersError(f"an answer grew {talk.grown} times on the screen")
    return Cost(
        case.name,
        size.messages,
        cpu_ms=used * 1000 / size.messages,
        per_second=size.messages / seconds,
        p50_ms=quantile(waits, 0.5) / 1000,
        p99_ms=quantile(waits, 0.99) / 1000,
        rss_mb=resident_mb(pid),
        ceiling=case.ceiling,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


async def _drive(talks: Sequence[Talk], in_flight: int, rounds: int, *, spread: float) -> list[int]:
    """Let every conversation speak so often, so many of them at a time; how long each waited."""

    async def speak(first: int) -> list[int]:
        # Nobody's people write in the same instant: paced answers would march in step.
        await asyncio.sleep(spread * first / in_flight)
        own = talks[first::in_flight]
        return [await talk.ask() for _ in range(rounds) for talk in own]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(speak(first)) for first in range(in_flight)]
    return [wait for task in tasks for wait in task.result()]
