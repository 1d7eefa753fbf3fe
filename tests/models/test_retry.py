"""Asking again: how often, how long after, and when not."""

import asyncio
from datetime import timedelta

import pytest

from bot.domain.model import TextDelta
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.breaker import Breaker, Circuit, CircuitOpen, Crowded
from bot.models.failures import Busy
from bot.models.retry import Retry
from tests.fakes import FakeClock
from tests.models.asking import ANSWER, ScriptedModel, asking, collect, first_of


async def run_out(clock: FakeClock, task: asyncio.Task[object]) -> float:
    """Let every pause pass; the time that went by."""
    async with asyncio.timeout(5):
        while not task.done():
            if clock.sleepers:
                clock.advance(0.01)
            await asyncio.sleep(0)
    return clock.monotonic()


async def test_a_passing_error_is_asked_again_until_it_works() -> None:
    clock = FakeClock()
    leaf = ScriptedModel(Transient("down"), Transient("down"))
    model = Retry(leaf, clock, random=lambda: 1.0)
    task = asyncio.create_task(collect(model, asking()))
    passed = await run_out(clock, task)
    assert tuple(task.result()) == ANSWER
    assert leaf.asked == leaf.closed == 3
    assert passed == pytest.approx(0.5 + 1.0, abs=0.05)


async def test_three_attempts_are_enough() -> None:
    clock = FakeClock()
    leaf = ScriptedModel(*[Transient("down")] * 5)
    task = asyncio.create_task(collect(Retry(leaf, clock, random=lambda: 0.0), asking()))
    await run_out(clock, task)
    assert isinstance(task.exception(), Transient)
    assert leaf.asked == 3


async def test_what_the_provider_asks_for_is_waited() -> None:
    clock = FakeClock()
    leaf = ScriptedModel(Busy("busy", retry_after=timedelta(seconds=7)))
    task = asyncio.create_task(collect(Retry(leaf, clock), asking()))
    assert await run_out(clock, task) == pytest.approx(7, abs=0.05)
    assert tuple(task.result()) == ANSWER


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    leaf = ScriptedModel(Busy("busy", retry_after=timedelta(seconds=61)))
    with pytest.raises(Busy):
        await collect(Retry(leaf, FakeClock()), asking(within=60))
    assert leaf.asked == 1


@pytest.mark.parametrize(
    "error",
    [Permanent("no"), ContextTooLong("long"), CircuitOpen("open"), Crowded("everybody")],
)
async def test_what_would_fail_again_is_not_asked_again(error: Exception) -> None:
    leaf = ScriptedModel(error)
    with pytest.raises(type(error)):
        await collect(Retry(leaf, FakeClock()), asking())
    assert leaf.asked == 1


async def test_a_provider_that_has_too_much_of_us_is_asked_once_for_each_request() -> None:
    clock = FakeClock()
    leaf = ScriptedModel(*[Busy("busy")] * 1000)
    model = Retry(Breaker(leaf, Circuit(), clock, name="main"), clock)
    for _ in range(60):
        task = asyncio.create_task(collect(model, asking()))
        await run_out(clock, task)
        assert isinstance(task.exception(), Busy)
    assert leaf.asked <= 1.1 * 60


async def test_who_is_told_when_to_come_back_comes_back_however_many_there_are() -> None:
    clock = FakeClock()
    leaf = ScriptedModel(*[Busy("busy", retry_after=timedelta(seconds=1))] * 10)
    model = Retry(Breaker(leaf, Circuit(), clock, name="main"), clock)
    tasks = [asyncio.create_task(collect(model, asking())) for _ in range(10)]
    for task in tasks:
        await run_out(clock, task)
    assert [task.exception() for task in tasks] == [None] * 10
    assert leaf.asked == 20


async def test_an_answer_that_has_begun_shows_that_not_everybody_is_refused() -> None:
    clock = FakeClock()
    refusals, circuit = [Busy("busy")] * 4, Circuit()
    leaf = ScriptedModel(*refusals, [TextDelta("slowly"), Transient("cut")], *refusals)
    model = Breaker(leaf, circuit, clock, name="main")
    found = []
    for _ in range(9):
        with pytest.raises(Transient) as refused:
            await collect(model, asking())
        found.append(refused.type)
    assert Crowded not in found


async def test_after_the_first_delta_nothing_is_begun_again() -> None:
    leaf = ScriptedModel([TextDelta("half of"), Transient("cut")])
    stream = Retry(leaf, FakeClock()).stream(asking())
    assert await anext(stream) == TextDelta("half of")
    with pytest.raises(Transient):
        await anext(stream)
    assert leaf.asked == 1


async def test_closing_it_closes_the_model_below_at_once() -> None:
    leaf = ScriptedModel()
    await first_of(Retry(leaf, FakeClock()), asking())
    assert leaf.closed == 1
