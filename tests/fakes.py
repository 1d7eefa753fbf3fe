"""Doubles that implement the ports, used all over the suite."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Let everything else run until it holds; a test fails when it does not come true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # a condition over many objects has no event
            await asyncio.sleep(0)


async def at_once() -> None:
    """Instead of a wait, where there is nothing to wait for."""


class FakeClock:
    """Time that moves only when a test moves it; sleepers wake in order."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._start = start
        self._passed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._passed + seconds, self._count, future))
        await future

    def advance(self, seconds: float) -> None:
        self._passed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._passed:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    @property
    def sleepers(self) -> int:
        return sum(not future.done() for _, _, future in self._sleepers)


class RecordingObserver:
    """Keeps every fact as (name, values), for assertions."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, dict[str, Any]]] = []

    def named(self, name: str) -> list[dict[str, Any]]:
        return [values for fact, values in self.facts if fact == name]

    def _keep(self, name: str, values: dict[str, Any]) -> None:
        self.facts.append((name, values))

    def accepted(self, **values: Any) -> None:
        self._keep("accepted", values)

    def discarded(self, **values: Any) -> None:
        self._keep("discarded", values)

    def rejected(self, **values: Any) -> None:
        self._keep("rejected", values)

    def turn_started(self, **values: Any) -> None:
        self._keep("turn_started", values)

    def turn_ended(self, **values: Any) -> None:
        self._keep("turn_ended", values)

    def gave_up(self, **values: Any) -> None:
        self._keep("gave_up", values)

    def model_called(self, **values: Any) -> None:
        self._keep("model_called", values)

    def model_failed(self, **values: Any) -> None:
        self._keep("model_failed", values)

    def tool_ended(self, **values: Any) -> None:
        self._keep("tool_ended", values)

    def sent(self, **values: Any) -> None:
        self._keep("sent", values)

    def send_failed(self, **values: Any) -> None:
        self._keep("send_failed", values)

    def draft_failed(self, **values: Any) -> None:
        self._keep("draft_failed", values)

    def session_ended(self, **values: Any) -> None:
        self._keep("session_ended", values)

    def listening(self, **values: Any) -> None:
        self._keep("listening", values)

    def late_result(self, **values: Any) -> None:
        self._keep("late_result", values)

    def upkeep(self, **values: Any) -> None:
        self._keep("upkeep", values)

    def failed(self, **values: Any) -> None:
        self._keep("failed", values)
