"""The time that everything is reckoned by does not jump when somebody sets the machine's clock."""

from datetime import datetime, timedelta

import pytest

from bot.clock import RATE, SteadyClock, SystemClock
from tests.fakes import EPOCH, FakeClock

HOUR = timedelta(hours=1)


class Wall(FakeClock):
    """A clock on a wall: people set it."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def clock(wall: Wall) -> SteadyClock:
    return SteadyClock(wall, wall.monotonic)


@pytest.mark.parametrize("step", [HOUR, -HOUR, timedelta(minutes=-10)])
def test_a_clock_that_is_set_makes_no_moment_longer(
    wall: Wall, clock: SteadyClock, step: timedelta
) -> None:
    before = clock.now()
    wall.ahead = step
    assert clock.now() == before
    wall.advance(10)
    assert abs(clock.now() - before - timedelta(seconds=10)) <= timedelta(seconds=10 * RATE)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_time_goes_on_and_comes_to_be_the_walls_again(
    wall: Wall, clock: SteadyClock, step: timedelta
) -> None:
    wall.ahead = step
    last = clock.now()
    for _ in range(int(HOUR.total_seconds() / RATE / 60) + 1):
        wall.advance(60)
        assert clock.now() > last
        last = clock.now()
    assert clock.now() == wall.now()


def test_an_undisturbed_clock_is_the_walls(wall: Wall, clock: SteadyClock) -> None:
    wall.advance(1234.5)
    assert clock.now() == EPOCH + timedelta(seconds=1234.5)


def test_what_the_database_says_is_the_time(wall: Wall, clock: SteadyClock) -> None:
    clock.follow(EPOCH + HOUR, 0.0)
    assert clock.now() == EPOCH + HOUR
    wall.ahead = -HOUR
    wall.advance(100)
    assert clock.now() == EPOCH + HOUR + timedelta(seconds=100)


def test_an_answer_that_took_a_while_leaves_alone_what_may_be_right(
    wall: Wall, clock: SteadyClock
) -> None:
    clock.follow(EPOCH - timedelta(seconds=2), 3.0)
    assert clock.now() == EPOCH
    # It cannot be earlier than this, and may be later: nothing just written is in the future.
    clock.follow(EPOCH + timedelta(seconds=2), 3.0)
    assert clock.now() == EPOCH + timedelta(seconds=5)


def test_the_machines_time_passes_while_it_sleeps_too() -> None:
    clock = SystemClock()
    assert clock.elapsed() <= clock.elapsed()
    assert clock.elapsed() >= clock.monotonic() - 1


def test_the_time_for_which_a_machine_slept_counts_for_leases_as_for_everything_else(
    wall: Wall,
) -> None:
    asleep = 0.0
    clock = SteadyClock(wall, lambda: wall.monotonic() + asleep)
    before = clock.monotonic()
    asleep = 15 * 3600.0
    assert clock.monotonic() - before == asleep
