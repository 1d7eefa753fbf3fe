"""We stay below the service's limits, and what must arrive goes before decoration."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from adapters.telegram.limits import FINALS_RESERVE, PATIENCE, Pace, Rates
from bot import Transient
from tests.fakes import FakeClock, until
from tests.peers.telegram_rules import Flood

PERSON, GROUP = 7, -7


async def run(clock: FakeClock, work: Awaitable[None]) -> float:
    """Let time pass until it is done; the seconds that it took."""
    started = clock.monotonic()
    task = asyncio.ensure_future(work)
    async with asyncio.timeout(5):
        while not task.done():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if not task.done():
                clock.advance(0.05)
    await task
    return clock.monotonic() - started


def seconds_of(error: Transient) -> float:
    assert error.retry_after is not None
    return error.retry_after.total_seconds()


async def stream(
    clock: FakeClock, step: Callable[[], Awaitable[None]], seconds: float
) -> list[float]:
    """When each of as many steps as possible was let through."""
    times: list[float] = []
    while clock.monotonic() < seconds:
        try:
            await run(clock, step())
        except Transient as error:
            clock.advance(seconds_of(error))
            continue
        times.append(clock.monotonic())
    return times


async def test_a_short_burst_is_free_and_then_it_is_one_a_second() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates())
    for _ in range(3):
        assert await run(clock, pace.final(PERSON)) == 0
    assert await run(clock, pace.final(PERSON)) == pytest.approx(1.05, abs=0.06)


async def test_one_chat_does_not_wait_for_another() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates())
    pace.pause(PERSON, 100)
    assert await run(clock, pace.final(8)) == 0
    assert await run(clock, pace.final(GROUP)) == 0


async def test_a_pause_holds_everything_in_its_chat_back() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates())
    pace.pause(GROUP, 30)
    for step in (pace.edit, pace.draft, pace.final):
        with pytest.raises(Transient) as refused:
            await step(GROUP)
        assert refused.value.retry_after == timedelta(seconds=30)


async def test_a_short_pause_is_waited_for() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates())
    pace.pause(GROUP, PATIENCE - 1)
    assert await run(clock, pace.final(GROUP)) == pytest.approx(PATIENCE - 1, abs=0.06)


async def test_drafts_come_every_eight_tenths_of_a_second() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates())
    times = await stream(clock, lambda: pace.draft(PERSON), 4)
    assert 5 <= len(times) <= 6


async def test_edits_of_a_group_grow_slower_and_leave_room_for_answers() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates())
    times = await stream(clock, lambda: pace.edit(GROUP), 60)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= 1.2
    assert len(times) <= 20 - FINALS_RESERVE
    assert gaps[0] < 1.4 < gaps[8]
    for _ in range(3):
        assert await run(clock, pace.final(GROUP)) <= PATIENCE


async def test_an_edit_lets_a_waiting_answer_go_first() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates())
    for _ in range(3):
        await pace.final(PERSON)
    order: list[str] = []

    async def go(name: str, step: Callable[[int], Awaitable[None]]) -> None:
        await step(PERSON)
        order.append(name)

    edit = asyncio.ensure_future(go("edit", pace.edit))
    final = asyncio.ensure_future(go("final", pace.final))
    await until(lambda: clock.sleepers == 2)
    await run(clock, asyncio.wait_for(asyncio.shield(final), None))
    await run(clock, asyncio.wait_for(edit, None))
    assert order == ["final", "edit"]


async def test_all_chats_together_stay_below_the_bots_limit() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates())
    for chat in range(1, 31):
        assert await run(clock, pace.final(chat)) == 0
    assert await run(clock, pace.final(31)) >= 1.0


async def test_a_zero_sets_no_limit() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates(overall=0, chat=0, group=0))
    for _ in range(200):
        await pace.final(GROUP)
    assert clock.monotonic() == 0


async def test_the_service_never_has_to_refuse_us() -> None:
    clock = FakeClock()
    pace, flood = Pace(clock, Rates()), Flood()
    for number in range(120):
        step = pace.final if number % 5 == 0 else pace.edit
        try:
            await run(clock, step(GROUP))
        except Transient as error:
            clock.advance(seconds_of(error))
            continue
        flood.take(GROUP, clock.monotonic())


async def test_chats_that_are_quiet_are_forgotten() -> None:
    clock = FakeClock()
    pace = Pace(clock, Rates(overall=0))
    for chat in range(1, 4097):
        await pace.final(chat)
    clock.advance(200)
    await pace.final(5000)
    assert len(pace._chats) == 1
