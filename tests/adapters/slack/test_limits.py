"""Slack's pace: never too fast, answers before decoration, and a pause is kept."""

import asyncio
from datetime import timedelta

import pytest

from adapters.slack.limits import BURST, PATIENCE, POST, RESERVE, SPACING, UPDATE, Pace, Rates
from bot import Transient
from tests.fakes import FakeClock, until


def pace(**rates: float) -> tuple[Pace, FakeClock]:
    clock = FakeClock()
    return Pace(clock, Rates(**rates)), clock  # type: ignore[arg-type]  # numbers


async def after(clock: FakeClock, waiting: "asyncio.Task[None]", seconds: float) -> bool:
    """Whether it may go once so much time has passed."""
    await until(lambda: waiting.done() or clock.sleepers)
    clock.advance(seconds)
    for _ in range(5):
        await asyncio.sleep(0)
    return waiting.done()


async def test_a_channel_takes_a_few_messages_at_once_and_then_one_a_second() -> None:
    kept, clock = pace()
    for _ in range(BURST):
        await kept.post("C1")
    waiting = asyncio.create_task(kept.post("C1"))
    assert not await after(clock, waiting, 0.5)
    await kept.post("C2")
    assert await after(clock, waiting, 0.6)


async def test_edits_of_one_message_keep_their_distance_and_others_do_not_wait() -> None:
    kept, clock = pace()
    await kept.edit("C1", "1")
    await kept.edit("C1", "2")
    waiting = asyncio.create_task(kept.edit("C1", "1"))
    assert not await after(clock, waiting, SPACING[0] - 0.1)
    assert await after(clock, waiting, 0.2)


async def test_the_busier_the_minute_the_slower_texts_grow() -> None:
    kept, clock = pace()
    for number in range(50 - RESERVE - 1):
        await kept.edit("C1", str(number))
    waiting = asyncio.create_task(kept.edit("C1", "0"))
    assert not await after(clock, waiting, SPACING[1])
    waiting.cancel()


async def test_growing_texts_leave_room_for_finished_ones() -> None:
    kept, _ = pace()
    for number in range(50 - RESERVE):
        await kept.edit("C1", str(number))
    with pytest.raises(Transient) as error:
        await kept.edit("C1", "one more")
    assert error.value.retry_after is not None
    assert error.value.retry_after > timedelta(seconds=PATIENCE)
    for number in range(RESERVE):
        await kept.final("C1", str(number))
    with pytest.raises(Transient):
        await kept.final("C1", "one more")


async def test_an_answer_that_waits_goes_before_what_grows() -> None:
    kept, clock = pace()
    kept.pause(UPDATE, "", 2)
    order: list[str] = []

    async def go(name: str) -> None:
        await (kept.final if name == "final" else kept.edit)("C1", name)
        order.append(name)

    waiting = [asyncio.create_task(go(name)) for name in ("growing", "final")]
    await until(lambda: clock.sleepers == 2)
    clock.advance(2.01)
    await until(lambda: order or clock.sleepers == 1)
    clock.advance(SPACING[0])
    await asyncio.gather(*waiting)
    assert order == ["final", "growing"]


async def test_a_refused_channel_pauses_and_a_refused_method_pauses_everywhere() -> None:
    kept, clock = pace()
    kept.pause(POST, "C1", 30)
    with pytest.raises(Transient) as error:
        await kept.post("C1")
    assert error.value.retry_after == timedelta(seconds=30)
    await kept.post("C2")
    kept.pause(UPDATE, "C1", 20)
    with pytest.raises(Transient):
        await kept.edit("C2", "1")
    kept.pause("chat.postEphemeral", "C1", 10)
    with pytest.raises(Transient):
        await kept.call("chat.postEphemeral")
    assert kept.paused() == (POST, 30)
    clock.advance(31)
    assert kept.paused() is None
    await kept.post("C1")


async def test_without_limits_of_ours_nothing_waits() -> None:
    kept, clock = pace(channel=0, updates=0)
    for _ in range(100):
        await kept.post("C1")
        await kept.final("C1", "1")
    assert clock.sleepers == 0


async def test_channels_and_messages_long_gone_are_forgotten() -> None:
    kept, clock = pace(updates=0)
    for number in range(5000):
        await kept.post(f"C{number}")
        await kept.edit("C1", str(number))
        kept.pause(POST, f"C{number}", 0.5)
        clock.advance(1)
    assert len(kept._channels) <= 4096
    assert len(kept._shown) <= 4096
    assert len(kept._paused) <= 4096
