"""A job runs once for each tick, whichever node comes first, and one failure stops nothing."""

import asyncio
import logging
import warnings
from datetime import UTC, datetime, timedelta

import pytest

from bot.clock import SystemClock
from bot.domain.records import Node
from bot.errors import Transient
from bot.ports import Clock
from bot.scheduler import LOOK_EVERY, Job, Schedule, Scope, floor
from bot.store.memory import MemoryStore
from bot.store.memory_rows import Rows
from tests.fakes import FakeClock, RecordingObserver, until

MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=15)
SHORT = timedelta(milliseconds=20)


class Work:
    """A job's function that counts, and may fail or take its time."""

    def __init__(self) -> None:
        self.runs = 0
        self.ended = 0
        self.error: Exception | None = None
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._ran = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._ran:
            self.runs += 1
            self._ran.notify_all()
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        self.ended += 1

    async def has_run(self, times: int) -> None:
        async with asyncio.timeout(10), self._ran:
            await self._ran.wait_for(lambda: self.runs >= times)


class Deployment:
    """Nodes over the same rows."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.observer = RecordingObserver()
        self._rows = Rows()

    async def node(self, name: str, *jobs: Job) -> Schedule:
        store = MemoryStore(self.clock, self._rows)
        node = await store.join(name, LEASE)
        return self.schedule(store, node, *jobs)

    def schedule(self, store: MemoryStore, node: Node, *jobs: Job) -> Schedule:
        return Schedule(
            jobs,
            ticks=store,
            node=lambda: node,
            clock=self.clock,
            wall=self.clock,
            observer=self.observer,
        )


async def test_a_tick_runs_once_however_many_nodes_there_are() -> None:
    work, deployment = Work(), Deployment(FakeClock())
    job = Job("sweep", MINUTE, work)
    nodes = [await deployment.node(name, job) for name in ("one", "two", "three")]
    await asyncio.gather(*(node.fire(job) for node in nodes))
    await nodes[0].fire(job)
    assert work.runs == 1


async def test_the_next_tick_runs_again() -> None:
    clock, work = FakeClock(), Work()
    job = Job("sweep", MINUTE, work)
    schedule = await Deployment(clock).node("one", job)
    for _ in range(3):
        await schedule.fire(job)
        clock.advance(60)
    assert work.runs == 3


async def test_nodes_whose_timers_fire_a_little_apart_mean_the_same_tick() -> None:
    clock, work = FakeClock(), Work()
    deployment, job = Deployment(clock), Job("sweep", MINUTE, work)
    one, two = await deployment.node("one", job), await deployment.node("two", job)
    clock.advance(0.1)
    await one.fire(job)
    clock.advance(5)
    await two.fire(job)
    assert work.runs == 1


async def test_a_tick_whose_holder_died_is_taken_by_another() -> None:
    clock, work = FakeClock(), Work()
    deployment, job = Deployment(clock), Job("sweep", timedelta(hours=1), work)
    one = await deployment.node("one", job)
    work.may_end.clear()
    dies = asyncio.create_task(one.fire(job))
    await work.has_run(1)
    dies.cancel()
    await asyncio.wait({dies})
    work.may_end.set()
    clock.advance(60)
    two = await deployment.node("two", job)
    await two.fire(job)
    assert (work.runs, work.ended) == (2, 1)


async def test_a_job_of_every_node_runs_on_each_and_claims_nothing() -> None:
    work, deployment = Work(), Deployment(FakeClock())
    job = Job("probes", MINUTE, work, scope=Scope.EVERY_NODE)
    for name in ("one", "two"):
        await (await deployment.node(name, job)).fire(job)
    assert work.runs == 2


@pytest.mark.parametrize("error", [RuntimeError("canary"), Transient("database gone")])
async def test_a_run_that_fails_is_reported_and_the_next_one_comes(error: Exception) -> None:
    clock, work = FakeClock(), Work()
    work.error = error
    deployment, job = Deployment(clock), Job("sweep", MINUTE, work)
    schedule = await deployment.node("one", job)
    await schedule.fire(job)
    clock.advance(60)
    work.error = None
    await schedule.fire(job)
    assert deployment.observer.named("failed") == [{"place": "tick sweep", "error": error}]
    assert work.ended == 1


async def test_a_run_that_hangs_is_given_up_at_its_limit() -> None:
    work, deployment = Work(), Deployment(FakeClock())
    work.may_end.clear()
    job = Job("sweep", MINUTE, work, limit=timedelta(milliseconds=10))
    schedule = await deployment.node("one", job)
    async with asyncio.timeout(10):
        await schedule.fire(job)
    (report,) = deployment.observer.named("failed")
    assert isinstance(report["error"], TimeoutError)


async def test_the_timer_fires_again_and_again_until_it_is_stopped() -> None:
    work = Work()
    schedule = await Deployment(SystemClock()).node("one", Job("sweep", SHORT, work))
    await schedule.start()
    await work.has_run(3)
    await schedule.stop()
    runs = work.runs
    await asyncio.sleep(0)
    assert work.runs == work.ended == runs


class Wall(FakeClock):
    """A clock on a wall: people set it."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


async def test_a_clock_that_was_set_back_is_not_waited_for() -> None:
    wall, work = Wall(), Work()
    deployment = Deployment(wall)
    schedule = await deployment.node("one", Job("sweep", SHORT, work))
    await schedule.start()
    await work.has_run(1)
    timer = schedule._timer
    assert timer is not None
    # What the library is left with when its clock goes back: the next run lies far ahead.
    timer.modify_job("sweep", next_run_time=datetime.now(UTC) + timedelta(hours=1))
    runs = work.runs
    wall.ahead = -timedelta(hours=1)
    await until(lambda: wall.sleepers)
    wall.advance(LOOK_EVERY)
    await work.has_run(runs + 1)
    await schedule.stop()


async def test_a_job_of_every_node_runs_at_the_start_already() -> None:
    work, later = Work(), Work()
    everywhere = Job("probes", timedelta(days=1), work, scope=Scope.EVERY_NODE)
    once = Job("retention", timedelta(days=1), later)
    schedule = await Deployment(FakeClock()).node("one", everywhere, once)
    await schedule.start()
    await work.has_run(1)
    await schedule.stop()
    assert later.runs == 0


async def test_a_stop_lets_what_runs_finish() -> None:
    work = Work()
    work.may_end.clear()
    schedule = await Deployment(SystemClock()).node("one", Job("sweep", SHORT, work))
    await schedule.start()
    await work.has_run(1)
    stopping = asyncio.create_task(schedule.stop(timedelta(seconds=10)))
    await asyncio.sleep(0)
    assert not stopping.done()
    work.may_end.set()
    async with asyncio.timeout(10):
        await stopping
    assert (work.runs, work.ended) == (1, 1)


async def test_a_stop_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()
    work.may_end.clear()
    deployment = Deployment(SystemClock())
    schedule = await deployment.node("one", Job("sweep", SHORT, work))
    with caplog.at_level(logging.ERROR), warnings.catch_warnings():
        warnings.simplefilter("error")
        await schedule.start()
        await work.has_run(1)
        async with asyncio.timeout(10):
            await schedule.stop(timedelta(milliseconds=10))
    assert (work.ended, deployment.observer.facts, caplog.records) == (0, [], [])


async def test_a_schedule_that_never_began_stops_at_once() -> None:
    await (await Deployment(FakeClock()).node("one")).stop()


def test_a_tick_is_named_by_a_whole_multiple_of_its_interval() -> None:
    at = datetime(2026, 11, 20, 10, 17, 42, 123456, tzinfo=UTC)
    assert floor(at, MINUTE) == datetime(2026, 11, 20, 10, 17, tzinfo=UTC)
    assert floor(at, timedelta(hours=6)) == datetime(2026, 11, 20, 6, tzinfo=UTC)
    assert floor(floor(at, MINUTE), MINUTE) == floor(at, MINUTE)
