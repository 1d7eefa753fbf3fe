"""What is done from time to time, on the store that tests run on."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.records import Retention
from bot.engine import upkeep
from bot.ports import Upkeep
from tests.contracts.worlds import World, memory_world
from tests.fakes import RecordingObserver

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
    await upkeep.drop_what_is_old(counting, rules, observer)
    assert counting.rounds == [{"outbox": 1}]
    assert observer.named("upkeep") == [{"job": "retention", "rows": 17}]


async def test_what_is_old_loses_its_text(world: World) -> None:
    await world.answered(await world.claimed())
    await world.age(3 * DAY)
    observer = RecordingObserver()
    await upkeep.drop_what_is_old(world.store, Retention(DAY, 2 * DAY), observer)
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


async def test_a_lane_that_overslept_is_an_alert() -> None:
    observer = RecordingObserver()
    await upkeep.wake_sleepers(Counting(asleep=0), observer)
    await upkeep.wake_sleepers(Counting(asleep=2), observer)
    assert observer.named("upkeep") == [{"job": "repair", "rows": 2}]


async def _expire(store: Upkeep, observer: RecordingObserver) -> None:
    await upkeep.expire_answers(store, timedelta(days=7), lambda address: "support", observer)
