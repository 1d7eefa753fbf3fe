"""A circuit opens when a provider is down, and closes when it is back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import TextDelta
from bot.errors import Permanent, Transient
from bot.models.breaker import Breaker, Circuit, CircuitOpen, CircuitState, Crowded
from bot.models.failures import Busy
from tests.fakes import FakeClock
from tests.models.asking import ANSWER, ScriptedModel, asking, collect, first_of

DOWN = Transient("down")


class Rig:
    """A breaker over a scripted model."""

    def __init__(self, *plays: Exception) -> None:
        self.clock = FakeClock()
        self.circuit = Circuit()
        self.leaf = ScriptedModel(*plays)
        self.model = Breaker(self.leaf, self.circuit, self.clock, name="main")

    async def ask(self) -> type[Exception] | None:
        try:
            assert tuple(await collect(self.model, asking())) == ANSWER
        except (Transient, Permanent) as error:
            return type(error)
        return None

    @property
    def state(self) -> CircuitState:
        return self.circuit.state(self.clock.monotonic())


async def test_five_failures_in_a_row_open_it_and_then_nobody_is_asked() -> None:
    rig = Rig(*[DOWN] * 5)
    assert [await rig.ask() for _ in range(5)] == [Transient] * 5
    assert await rig.ask() is CircuitOpen
    assert rig.leaf.asked == 5


async def test_an_answer_in_between_starts_the_count_again() -> None:
    rig = Rig()
    for _ in range(3):
        rig.leaf._plays = [DOWN] * 4
        for _ in range(5):
            await rig.ask()
        rig.clock.advance(31)
    assert rig.state is CircuitState.CLOSED


async def test_half_of_ten_failures_within_half_a_minute_open_it() -> None:
    rig = Rig()
    for _ in range(5):
        rig.leaf._plays = [DOWN]
        assert rig.state is CircuitState.CLOSED
        await rig.ask()
        await rig.ask()
    rig.leaf._plays = [DOWN]
    await rig.ask()
    assert rig.state is CircuitState.OPEN


async def test_failures_that_lie_further_apart_do_not() -> None:
    rig = Rig()
    for _ in range(12):
        rig.leaf._plays = [DOWN]
        await rig.ask()
        rig.clock.advance(4)
        await rig.ask()
        rig.clock.advance(4)
    assert rig.state is CircuitState.CLOSED


@pytest.mark.parametrize("error", [Busy("429"), Permanent("401")])
async def test_a_provider_that_refuses_is_there(error: Exception) -> None:
    rig = Rig(*[error] * 20)
    for _ in range(20):
        await rig.ask()
    assert rig.state is CircuitState.CLOSED


async def test_the_fifth_refusal_in_a_row_says_that_everybody_is_refused() -> None:
    rig = Rig(*[Busy("429")] * 6)
    assert [await rig.ask() for _ in range(6)] == [Busy] * 4 + [Crowded] * 2
    assert await rig.ask() is None
    rig.leaf._plays = [Busy("429")]
    assert await rig.ask() is Busy


async def test_refusals_of_long_ago_are_not_counted() -> None:
    rig = Rig(*[Busy("429")] * 10)
    for _ in range(4):
        await rig.ask()
    rig.clock.advance(30)
    assert await rig.ask() is Busy


async def test_when_to_come_back_is_told_to_whom_all_are_refused() -> None:
    rig = Rig(*[Busy("429", retry_after=timedelta(seconds=7))] * 9)
    assert [await rig.ask() for _ in range(8)] == [Busy] * 8
    rig.clock.advance(7)
    with pytest.raises(Crowded) as crowded:
        await collect(rig.model, asking())
    assert crowded.value.retry_after == timedelta(seconds=7)


async def test_one_probe_goes_through_and_closes_it() -> None:
    rig = Rig(*[DOWN] * 5)
    for _ in range(5):
        await rig.ask()
    states = [rig.state]
    rig.clock.advance(5)
    states.append(rig.state)
    assert await rig.ask() is None
    states.append(rig.state)
    assert states == [CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]


async def test_while_a_probe_runs_nobody_else_asks() -> None:
    rig = Rig(*[DOWN] * 5)
    for _ in range(5):
        await rig.ask()
    rig.clock.advance(5)
    probe = rig.model.stream(asking())
    await anext(probe)
    assert await rig.ask() is CircuitOpen
    await probe.aclose()


async def test_a_probe_that_is_given_up_leaves_room_for_the_next() -> None:
    rig = Rig(*[DOWN] * 5)
    for _ in range(5):
        await rig.ask()
    rig.clock.advance(5)
    assert await first_of(rig.model, asking()) == TextDelta("fine")
    assert rig.leaf.closed == 6
    assert await rig.ask() is None


async def test_each_failed_probe_doubles_the_wait_up_to_a_minute() -> None:
    rig = Rig(*[DOWN] * 20)
    for _ in range(5):
        await rig.ask()
    for wait in (5, 10, 20, 40, 60, 60):
        rig.clock.advance(wait - 0.5)
        assert await rig.ask() is CircuitOpen
        rig.clock.advance(0.5)
        assert await rig.ask() is Transient


@given(
    st.lists(
        st.tuples(
            st.floats(0, 40), st.sampled_from(["answered", "failed", "refused", "spoke", "left"])
        ),
        max_size=200,
    )
)
def test_whatever_happens_it_never_stays_shut(events: list[tuple[float, str]]) -> None:
    circuit, now = Circuit(), 0.0
    for pause, event in events:
        now += pause
        if circuit.ask(now):
            assert circuit.state(now) is not CircuitState.CLOSED
            continue
        if event in {"answered", "failed", "refused"}:
            getattr(circuit, event)(now)
        else:
            getattr(circuit, event)()
        assert 0 <= circuit._bad <= len(circuit._calls)
    assert circuit.ask(now + 60) == 0.0
