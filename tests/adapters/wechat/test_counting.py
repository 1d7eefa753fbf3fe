"""What is remembered between calls: deliveries, replays, windows, permission."""

from datetime import timedelta

from adapters.wechat.guard import Guard
from adapters.wechat.normalise import Opens
from adapters.wechat.permission import Permission
from adapters.wechat.windows import Windows
from tests.fakes import FakeClock
from tests.peers.wechat import ANN, BEN


def stamp(clock: FakeClock, ahead: int = 0) -> str:
    return str(int(clock.now().timestamp()) + ahead)


def number(guard: Guard, timestamp: str, nonce: str, created: int, key: str = "1") -> int | None:
    delivery = guard.admit(timestamp, nonce, openid=ANN, key=key, created=created)
    return None if delivery is None else delivery.number


def test_only_what_was_signed_within_five_minutes_is_fresh() -> None:
    clock = FakeClock()
    guard = Guard(clock)
    assert all(guard.is_fresh(stamp(clock, ahead)) for ahead in (-300, 0, 300))
    assert not any(guard.is_fresh(stamp(clock, ahead)) for ahead in (-301, 301))
    assert not any(guard.is_fresh(text) for text in ("", "now", "-1", "١٢٣", "9" * 40))


def test_deliveries_are_counted_here() -> None:
    clock = FakeClock()
    guard = Guard(clock)
    created = int(stamp(clock))
    assert [number(guard, stamp(clock), str(nonce), created) for nonce in range(4)] == [1, 2, 3, 3]


def test_deliveries_that_went_to_another_node_are_known_by_the_platforms_times() -> None:
    clock = FakeClock()
    created = int(stamp(clock))
    found = []
    for _ in range(3):
        found.append(number(Guard(clock), stamp(clock), "n", created))
        clock.advance(5)
    assert found == [1, 2, 3]


def test_that_holds_where_all_three_carry_the_first_ones_time_and_our_clock_is_wrong() -> None:
    clock = FakeClock()
    guard = Guard(clock)
    theirs = stamp(clock, -90)
    assert number(guard, theirs, "other", int(theirs), key="0") == 1
    clock.advance(5)
    assert number(guard, theirs, "first", int(theirs)) == 2
    clock.advance(5)
    assert number(guard, theirs, "first", int(theirs)) == 3


def test_what_was_held_up_before_its_first_delivery_is_not_the_last() -> None:
    clock = FakeClock()
    assert number(Guard(clock), stamp(clock), "n", int(stamp(clock, -60))) == 1


def test_the_same_request_is_a_repeat_until_it_is_answered_and_a_replay_after() -> None:
    clock = FakeClock()
    guard = Guard(clock)
    now = stamp(clock)
    first = guard.admit(now, "n", openid=ANN, key="1", created=0)
    assert first is not None
    again = guard.admit(now, "n", openid=ANN, key="1", created=0)
    assert again is not None
    again.answered = True
    assert guard.admit(now, "n", openid=ANN, key="1", created=0) is None
    assert guard.admit(now, "m", openid=ANN, key="1", created=0) is not None


def test_a_nonce_serves_for_one_event_of_one_person() -> None:
    clock = FakeClock()
    guard = Guard(clock)
    now = stamp(clock)
    assert guard.admit(now, "n", openid=ANN, key="1", created=0) is not None
    assert guard.admit(now, "n", openid=ANN, key="2", created=0) is None
    assert guard.admit(now, "n", openid=BEN, key="1", created=0) is None


def test_what_is_too_old_to_be_repeated_is_forgotten() -> None:
    clock = FakeClock()
    guard = Guard(clock)
    for nonce in range(50):
        assert guard.admit(stamp(clock), str(nonce), openid=ANN, key=str(nonce), created=0)
    clock.advance(601)
    assert guard.admit(stamp(clock), "x", openid=ANN, key="x", created=0)
    assert (len(guard._requests), len(guard._counts)) == (1, 1)


def test_a_message_opens_five_for_two_days_and_a_touch_adds_nothing_to_them() -> None:
    clock = FakeClock()
    windows = Windows(clock)
    assert windows.left(ANN) is None
    windows.open(ANN, Opens.TOUCH)
    assert windows.left(ANN) == 3
    windows.open(ANN, Opens.MESSAGE)
    windows.spend(ANN)
    windows.open(ANN, Opens.TOUCH)
    assert windows.left(ANN) == 4
    windows.open(ANN, Opens.MESSAGE, clock.now() + timedelta(seconds=1))
    assert windows.left(ANN) == 5
    clock.advance(48 * 3600 + 1)
    assert windows.left(ANN) == 0


def test_a_window_that_was_never_seen_is_nobodys_to_spend() -> None:
    windows = Windows(FakeClock())
    for act in (windows.spend, windows.refund, windows.replied):
        act(ANN)
    assert (windows.left(ANN), windows.opened_at(ANN), windows.pause(ANN)) == (None, None, 0.0)


def test_a_message_keeps_its_distance_from_a_reply() -> None:
    clock = FakeClock()
    windows = Windows(clock)
    windows.open(ANN, Opens.MESSAGE)
    assert windows.pause(ANN) == 0
    windows.replied(ANN)
    assert windows.pause(ANN) == 1
    clock.advance(1)
    assert windows.pause(ANN) == 0


def test_permission_is_configured_or_found_and_a_no_is_doubted_later() -> None:
    clock = FakeClock()
    auto = Permission(configured=None, clock=clock)
    found = [auto.known]
    auto.found(allowed=False)
    found.append(auto.known)
    clock.advance(600)
    assert [*found, auto.known] == [None, False, None]
    never = Permission(configured=False, clock=clock)
    never.found(allowed=True)
    clock.advance(6000)
    assert never.known is False
    always = Permission(configured=True, clock=clock)
    always.found(allowed=False)
    found = [always.known]
    clock.advance(600)
    assert [*found, always.known] == [False, True]
