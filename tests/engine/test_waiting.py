"""PatientListeners for a listener that another node holds: seldom, and not a moment too long."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from bot.engine.listening import LOOK_DEAF, LOOK_LEAST, PatientListeners
from tests.fakes import FakeClock, until


class Row:
    """`ports.ListenerRows` of one listener: held elsewhere until `free`."""

    def __init__(self, lasts: float | None) -> None:
        self.lasts = lasts
        self.free = False
        self.asked = 0

    async def hold(self, listener: str) -> int | None:
        self.asked += 1
        return 7 if self.free else None

    def free_in(self, listener: str) -> float | None:
        return self.lasts

    async def advance(self, listener: str, offset: int) -> None:
        """Nobody asks."""

    async def let_go(self, listener: str) -> None:
        """Nobody asks."""


class Bell:
    """`ports.Hints` that the test rings."""

    def __init__(self, *, hears: bool = True) -> None:
        self.hears = hears
        self.ring: Callable[[], None] = lambda: None

    def hint(self) -> None:
        """Nobody listens."""

    def on_hint(self, look: Callable[[], None]) -> None:
        self.ring = look

    async def run(self) -> None:
        """There is nothing to carry."""


@asynccontextmanager
async def waiting(
    row: Row, bell: Bell, clock: FakeClock
) -> AsyncGenerator["asyncio.Task[int]", None]:
    """An adapter that waits for its row, once it has been refused."""
    listeners = PatientListeners(row, bell, clock)

    async def wait() -> int:
        while (offset := await listeners.hold("telegram")) is None:
            await listeners.until_free("telegram")
        return offset

    task = asyncio.create_task(wait())
    try:
        await until(lambda: row.asked == 1)
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def passes(seconds: float, clock: FakeClock) -> None:
    """Time goes by in small steps."""
    for _ in range(round(seconds * 20)):
        clock.advance(0.05)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_lease_that_lasts_is_looked_at_when_it_ends_and_not_before() -> None:
    row, clock = Row(lasts=15.0), FakeClock()
    async with waiting(row, Bell(), clock) as task:
        await passes(14.0, clock)
        assert row.asked == 1
        row.free = True
        await passes(2.0, clock)
        assert await task == 7
        assert row.asked == 2


async def test_who_lets_go_is_followed_at_once() -> None:
    row, bell, clock = Row(lasts=3600.0), Bell(), FakeClock()
    async with waiting(row, bell, clock) as task:
        await passes(5.0, clock)
        row.free = True
        bell.ring()
        async with asyncio.timeout(10):
            assert await task == 7


async def test_what_rings_right_after_a_look_is_not_missed() -> None:
    row, bell, clock = Row(lasts=3600.0), Bell(), FakeClock()
    async with waiting(row, bell, clock) as task:
        row.free = True
        bell.ring()
        await passes(LOOK_LEAST + 0.1, clock)
        async with asyncio.timeout(10):
            assert await task == 7


async def test_a_busy_neighbour_rings_often_and_costs_little() -> None:
    row, bell, clock = Row(lasts=3600.0), Bell(), FakeClock()
    async with waiting(row, bell, clock):
        for _ in range(100):
            bell.ring()
            await passes(0.1, clock)
        assert row.asked <= 1 + 10 / LOOK_LEAST


@pytest.mark.parametrize("lasts", [3600.0, None])
async def test_who_cannot_be_rung_looks_often(lasts: float | None) -> None:
    row, clock = Row(lasts), FakeClock()
    async with waiting(row, Bell(hears=lasts is None), clock) as task:
        row.free = True
        await passes(LOOK_DEAF + 0.1, clock)
        async with asyncio.timeout(10):
            assert await task == 7


async def test_a_lease_that_is_over_is_not_asked_for_without_a_pause() -> None:
    row, clock = Row(lasts=0.0), FakeClock()
    async with waiting(row, Bell(hears=False), clock):
        await passes(2.0, clock)
        assert row.asked <= 1 + 2.0 / LOOK_LEAST
