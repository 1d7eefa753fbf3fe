"""What is done from time to time: idle sessions end, what is old goes, no lane oversleeps."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from bot.domain.address import Address
from bot.domain.records import OutboxRow, Retention
from bot.errors import PartlyDone, Transient
from bot.ports import Clock, Observer

BATCH = 1000
"""Rows changed by one statement: short enough not to keep others from writing."""
MOST_ROUNDS = 100
"""Batches of one run; what is left then is the next run's."""

ENOUGH = 240.0
"""Seconds after which retention begins no batch; what runs at a tick is given up after 300."""


class Sweeps(Protocol):
    async def sweep(self) -> int: ...


class Retains(Protocol):
    async def retain(self, rules: Retention) -> Mapping[str, int]: ...


class Expires(Protocol):
    async def expire_outbox(self, hold: timedelta, limit: int = BATCH) -> Sequence[OutboxRow]: ...


class Repairs(Protocol):
    async def repair(self) -> int: ...


async def end_idle_sessions(sessions: Sweeps, observer: Observer) -> None:
    """End what has rested too long; turns do not depend on it, they look for themselves."""
    ended = 0
    for _ in range(MOST_ROUNDS):
        swept = await sessions.sweep()
        ended += swept
        if swept < BATCH:
            break
    _tell(observer, "sessions", ended)


async def drop_what_is_old(
    store: Retains, rules: Retention, observer: Observer, clock: Clock
) -> None:
    """Take the text from what is done and delete what is past its time, until nothing is left.

    Raises:
        PartlyDone: something could not be done, again and again; the rest was.
    """
    dropped, began = 0, clock.monotonic()
    failure: PartlyDone | None = None
    while True:
        try:
            counts = await store.retain(rules)
        except PartlyDone as error:
            counts, failure = error.counts, error
        dropped += sum(counts.values())
        # Each kind is limited by itself: the fullest says whether there is more.
        if max(counts.values(), default=0) < rules.batch:
            break
        if clock.monotonic() - began >= ENOUGH:
            late = Transient("more is past its time than one run can delete; the next goes on")
            observer.failed(place="retention", error=late)
            break
    _tell(observer, "retention", dropped)
    if failure is not None:
        raise failure


async def expire_answers(
    store: Expires, hold: timedelta, adapter_of: Callable[[Address], str], observer: Observer
) -> None:
    """Give up what could not be sent in its time, and report every piece of it."""
    expired = 0
    for _ in range(MOST_ROUNDS):
        rows = await store.expire_outbox(hold, BATCH)
        expired += len(rows)
        for row in rows:
            observer.send_failed(
                adapter=adapter_of(row.outbound.address),
                turn=row.turn,
                piece=row.piece,
                outcome="expired",
                reason="",
            )
        if len(rows) < BATCH:
            break
    _tell(observer, "outbox", expired)


async def wake_sleepers(store: Repairs, observer: Observer) -> None:
    """Wake lanes that hold work and no time to wake: a row here is a bug, or a clock set back.

    What stands behind an answer that the platform holds back is no such work: it waits as well.
    """
    _tell(observer, "repair", await store.repair())


def _tell(observer: Observer, job: str, rows: int) -> None:
    if rows:
        observer.upkeep(job=job, rows=rows)
