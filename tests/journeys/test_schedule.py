"""What runs from time to time changes no answer, and runs once however many nodes there are."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot import Held, Transient
from bot.store.sqlite import SqliteStore
from tests.fakes import FakeClock, until
from tests.journeys.inside import Inside, inside
from tests.peers.model import ModelPeer
from tests.peers.model_answers import echo

HOUR, DAY = 3600.0, 86400.0
PAUSES = (0.0, 1 * HOUR, 2 * HOUR, 1.9 * HOUR, 9 * HOUR, 1 * HOUR, 2 * DAY, 1 * HOUR, 100 * DAY)


async def everything(house: Inside) -> None:
    """Every job of the schedule, as if its time had come."""
    schedule = house.app.schedule()
    for job in schedule._jobs:
        await schedule.fire(job)


async def dialogue(folder: Path, *, scheduled: bool) -> list[Any]:
    """The prompts of one dialogue with long pauses, and with answers that could not be sent."""
    outbox = {"hold": "1d", "expires": "10m"}
    clock = FakeClock()
    async with (
        ModelPeer(echo()) as model,
        inside(
            folder, model, clock=clock, store=await opened(folder, clock), outbox=outbox
        ) as house,
    ):
        schedule = house.app.schedule()
        if scheduled:
            await schedule.start()
        for n, pause in enumerate(PAUSES):
            for part in range(3):
                await house.later(pause / 3)
                if scheduled and part:
                    await everything(house)
            if n in {3, 5}:
                house.platform().faults = [Held() if n == 5 else Transient()]
            await house.say(f"message {n}")
            await until(lambda n=n: len(model.asked) == n + 1, 20)  # type: ignore[misc]
            await house.at_rest()
        await schedule.stop()
        await house.app.store.close()
        return [asked.messages for asked in model.asked]


async def opened(folder: Path, clock: FakeClock) -> SqliteStore:
    store = SqliteStore(folder / "kept.db", clock=clock)
    await store.open()
    return store


@pytest.mark.slow
async def test_a_dialogue_has_the_same_prompts_with_the_schedule_and_without(
    tmp_path: Path,
) -> None:
    running = await dialogue(tmp_path / "running", scheduled=True)
    stopped = await dialogue(tmp_path / "stopped", scheduled=False)
    assert running == stopped
    people = [sum(line["role"] == "user" for line in prompt) for prompt in running]
    assert people == [1, 2, 1, 2, 1, 2, 1, 2, 1]


async def test_two_schedules_over_one_store_run_a_job_once(tmp_path: Path) -> None:
    async with ModelPeer(echo()) as model, inside(tmp_path, model) as one:
        await one.ask("hello")
        server = {"node": "another"}
        async with inside(
            tmp_path, model, store=one.app.store, clock=one.clock, server=server
        ) as two:
            await one.later(3 * HOUR)
            await asyncio.gather(one.tick("sessions"), two.tick("sessions"))
            assert sorted([ended(one), ended(two)]) == [0, 1]
            await asyncio.gather(one.tick("sessions"), two.tick("sessions"))
            assert ended(one) + ended(two) == 1


def ended(house: Inside) -> int:
    """How many sessions the sweep of this node has ended."""
    text = house.app.telemetry._metrics.text().decode()
    name = 'parley_upkeep_rows_total{job="sessions"}'
    return sum(int(float(line.split()[-1])) for line in text.splitlines() if name in line)
