"""What runs from time to time: a timer on every node, and a row that lets one of them act."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.domain.records import Node
from bot.ports import Clock, Observer, Ticks

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
GRACE = timedelta(seconds=5)
LOOK_EVERY = 60.0
"""Seconds between two looks whether the machine's clock was set back."""


class Scope(StrEnum):
    """Who runs a job when its time comes."""

    ONE_NODE = "one_node"
    EVERY_NODE = "every_node"


@dataclass(frozen=True, slots=True)
class Job:
    """Something done every so often. `limit` is how long one run may take.

    A job of every node looks at that node itself (probes, counts) and also runs at the start.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[object]]
    scope: Scope = Scope.ONE_NODE
    limit: timedelta = timedelta(minutes=5)


class Schedule:
    """Fires the jobs; all nodes fire together, and the tick's row says which one of them runs.

    The library is a timer here: it keeps nothing and knows of no other node.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        *,
        ticks: Ticks,
        node: Callable[[], Node],
        clock: Clock,
        wall: Clock,
        observer: Observer,
    ) -> None:
        self._jobs = tuple(jobs)
        self._ticks = ticks
        self._node = node
        self._clock = clock
        self._wall = wall
        self._observer = observer
        self._looking: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._timer: AsyncIOScheduler | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin to fire, at whole multiples of each interval."""
        # A zone of our own: the library's default asks the machine for its local one.
        self._timer = AsyncIOScheduler(timezone=UTC)
        for job in self._jobs:
            self._timer.add_job(
                self._begin,
                IntervalTrigger(seconds=job.every.total_seconds(), start_date=EPOCH, timezone=UTC),
                args=(job,),
                id=job.name,
                # A loop that stalls must not make the library skip a run, nor run it twice.
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )
        self._timer.start()
        self._looking = asyncio.create_task(self._look(self._timer))
        for job in self._jobs:
            if job.scope is Scope.EVERY_NODE:
                self._begin_now(job)

    async def stop(self, grace: timedelta = GRACE) -> None:
        """Fire no more; what runs may finish within the grace time and is cancelled then."""
        if self._timer is None:
            return
        self._stopping = True
        if self._looking is not None:
            self._looking.cancel()
        # The library would cancel what runs, so it is told only when nothing does.
        self._timer.pause()
        await self._drain(grace)
        self._timer.shutdown(wait=False)
        self._timer = None
        # Its shutdown is only a callback for the loop's next round.
        await asyncio.sleep(0)

    async def _look(self, timer: AsyncIOScheduler) -> None:
        """Plan all runs anew when the machine's clock was set back.

        The library reckons by that clock: an hour back, and it would wait for an hour.
        """
        while True:
            before = self._wall.now()
            await self._wall.sleep(LOOK_EVERY)
            if self._wall.now() < before:
                for job in timer.get_jobs():
                    timer.reschedule_job(job.id, trigger=job.trigger)

    async def fire(self, job: Job) -> None:
        """Run a job for the present tick, unless another node has taken it."""
        try:
            async with asyncio.timeout(job.limit.total_seconds()):
                await self._run(job)
        except Exception as error:  # the run of a tick: it must not end the ones to come
            self._observer.failed(place=f"tick {job.name}", error=error)

    async def _run(self, job: Job) -> None:
        if job.scope is Scope.EVERY_NODE:
            await job.run()
            return
        scheduled_at = floor(self._clock.now(), job.every)
        if await self._ticks.claim_tick(job.name, scheduled_at, self._node()):
            await job.run()
            await self._ticks.tick_done(job.name, scheduled_at)

    async def _begin(self, job: Job) -> None:
        """Called by the timer, in a task of its executor, which would be cancelled at its stop."""
        if not self._stopping:
            await asyncio.wait({self._begin_now(job)})

    def _begin_now(self, job: Job) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self.fire(job), name=f"tick {job.name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _drain(self, grace: timedelta) -> None:
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=grace.total_seconds())


def floor(at: datetime, every: timedelta) -> datetime:
    """The last whole multiple of the interval: the name of a tick, the same on every node."""
    return at - (at - EPOCH) % every
