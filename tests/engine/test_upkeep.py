"""What is done from time to time, on the store that tests run on."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.records import Retention
from bot.engine import upkeep
from bot.engine.lane import BROKEN
from bot.errors import PartlyDone
from bot.ports import Upkeep
from bot.store.operating import RESTS
from tests.contracts.worlds import World, memory_world
from tests.fakes import FakeClock, RecordingObserver

DAY = 86400.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with memory_world(tmp_path) as world:
        yield world


class Rests:
    """Sessions of which so many rest."""

    def __init__(self, resting: int) -> None:
        self.resting = resting
        self.rounds = 0

    async def sweep(self) -> int:
        self.rounds += 1
        ended = min(self.resting, upkeep.BATCH)
        self.resting -= ended
        return ended


class Counting:
    """An upkeep port whose retention and repair say what they are told to."""

    def __init__(self, *rounds: Mapping[str, int], asleep: int = 0) -> None:
        self.rounds = list(rounds)
        self.asleep = asleep

    async def retain(self, rules: Retention) -> Mapping[str, int]:
        return self.rounds.pop(0)

    async def repair(self) -> int:
        return self.asleep


class Backlog:
    """An upkeep port with so many old rows, each round of which takes its time."""

    def __init__(self, rows: int, *, seconds: float = 0.0, refuses: bool = False) -> None:
        self.rows = rows
        self.clock = FakeClock()
        self.seconds = seconds
        self.refuses = refuses

    async def retain(self, rules: Retention) -> Mapping[str, int]:
        self.clock.advance(self.seconds)
        done = min(self.rows, rules.batch)
        self.rows -= done
        if self.refuses:
            raise PartlyDone("a statement that takes too long", {"inbox": done})
        return {"inbox": done}


async def test_a_sweep_goes_on_while_there_is_more_and_says_how_many() -> None:
    sessions, observer = Rests(2 * upkeep.BATCH + 7), RecordingObserver()
    await upkeep.end_idle_sessions(sessions, observer)
    assert sessions.rounds == 3
    assert observer.named("upkeep") == [{"job": "sessions", "rows": 2007}]


async def test_a_sweep_that_finds_nothing_says_nothing() -> None:
    observer = RecordingObserver()
    await upkeep.end_idle_sessions(Rests(0), observer)
    assert observer.facts == []


async def test_a_backlog_is_worked_off_in_runs_that_end() -> None:
    sessions = Rests(10**9)
    await upkeep.end_idle_sessions(sessions, RecordingObserver())
    assert sessions.rounds == upkeep.MOST_ROUNDS


async def test_retention_goes_on_while_any_kind_fills_its_batch() -> None:
    rules = Retention(DAY, DAY, batch=10)
    counting = Counting({"inbox": 3, "outbox": 10}, {"inbox": 0, "outbox": 4}, {"outbox": 1})
    observer = RecordingObserver()
    await upkeep.drop_what_is_old(counting, rules, observer, FakeClock())
    assert counting.rounds == [{"outbox": 1}]
    assert observer.named("upkeep") == [{"job": "retention", "rows": 17}]


async def test_a_run_of_retention_leaves_nothing_however_much_there_was() -> None:
    rules, observer = Retention(DAY, DAY, batch=10), RecordingObserver()
    backlog = Backlog(100 * rules.batch + 1)
    await upkeep.drop_what_is_old(backlog, rules, observer, backlog.clock)
    assert backlog.rows == 0
    assert observer.facts == [("upkeep", {"job": "retention", "rows": 1001})]


async def test_what_retention_cannot_do_in_its_time_is_reported() -> None:
    backlog, observer = Backlog(10**9, seconds=7.0), RecordingObserver()
    await upkeep.drop_what_is_old(backlog, Retention(DAY, DAY), observer, backlog.clock)
    (late,) = observer.named("failed")
    assert late["place"] == "retention"
    # A tick is given up after five minutes.
    assert 200 < backlog.clock.monotonic() < 290


async def test_what_fails_again_and_again_keeps_retention_from_nothing_else() -> None:
    rules, observer = Retention(DAY, DAY, batch=10), RecordingObserver()
    backlog = Backlog(35, refuses=True)
    with pytest.raises(PartlyDone):
        await upkeep.drop_what_is_old(backlog, rules, observer, backlog.clock)
    assert backlog.rows == 0
    assert observer.named("upkeep") == [{"job": "retention", "rows": 35}]


async def test_what_is_old_loses_its_text(world: World) -> None:
    await world.answered(await world.claimed())
    await world.age(3 * DAY)
    observer = RecordingObserver()
    await upkeep.drop_what_is_old(world.store, Retention(DAY, 2 * DAY), observer, FakeClock())
    assert observer.named("upkeep")[0]["job"] == "retention"
    assert await world.said((await world.accept()).conversation) == []


async def test_every_expired_piece_is_reported_under_its_adapter(world: World) -> None:
    await world.answered(
        await world.claimed(), pieces=2, expires_at=world.now() + timedelta(hours=1)
    )
    observer = RecordingObserver()
    await _expire(world.store, observer)
    before = observer.named("send_failed")
    await world.age(2 * 3600)
    await _expire(world.store, observer)
    await _expire(world.store, observer)
    assert before == []
    assert [
        (fact["adapter"], fact["piece"], fact["outcome"]) for fact in observer.named("send_failed")
    ] == [("support", 0, "expired"), ("support", 1, "expired")]


def test_no_lane_in_which_a_message_waits_rests_as_long_as_one_that_oversleeps() -> None:
    assert timedelta(seconds=BROKEN) < timedelta(microseconds=RESTS)


async def test_a_lane_that_overslept_is_an_alert() -> None:
    observer = RecordingObserver()
    await upkeep.wake_sleepers(Counting(asleep=0), observer)
    await upkeep.wake_sleepers(Counting(asleep=2), observer)
    assert observer.named("upkeep") == [{"job": "repair", "rows": 2}]


async def _expire(store: Upkeep, observer: RecordingObserver) -> None:
    await upkeep.expire_answers(store, timedelta(days=7), lambda address: "support", observer)
