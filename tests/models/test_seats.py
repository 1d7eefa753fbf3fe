"""More calls than connections: they wait for one another, and the provider is not blamed for it."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from bot.models.breaker import Breaker, Circuit, CircuitState
from bot.models.failures import NoRoom
from bot.models.retry import Retry
from tests.fakes import FakeClock
from tests.models.asking import asking, collect, speaking_to, text_of
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, always

BOTH = pytest.mark.parametrize("watched", [True, False], ids=["streamed", "whole"])


@pytest.mark.slow  # the model is, on purpose: slower than a connection may be in coming
@BOTH
async def test_more_turns_than_connections_are_answered_one_after_the_other(watched: bool) -> None:
    clock, circuit = FakeClock(), Circuit()
    connect = timedelta(seconds=0.2)
    async with (
        ModelPeer(always(Answer(text="at last", first=0.5))) as peer,
        speaking_to(peer.base_url, clock, connections=2, connect=connect) as leaf,
    ):
        model = Retry(Breaker(leaf, circuit, clock, name="main"), clock, random=lambda: 0.0)
        turns = [asyncio.create_task(collect(model, asking(watched=watched))) for _ in range(8)]
        answers = await asyncio.gather(*turns)
        assert [text_of(deltas) for deltas in answers] == ["at last"] * 8
        assert len(peer.asked) == 8, "nobody had to ask again"
    assert circuit.state(clock.monotonic()) is CircuitState.CLOSED


@BOTH
async def test_who_gets_no_connection_in_time_says_nothing_about_the_provider(
    watched: bool,
) -> None:
    clock, circuit = FakeClock(), Circuit()
    held = Answer(text="late", waits={0: asyncio.Event()})
    async with (
        ModelPeer(always(held)) as peer,
        speaking_to(peer.base_url, clock, connections=1) as leaf,
    ):
        model = Breaker(leaf, circuit, clock, name="main")
        first = asyncio.create_task(collect(model, asking(watched=watched)))
        await peer.wait_for(lambda: peer.open)
        for _ in range(6):
            with pytest.raises(NoRoom):
                await collect(model, asking(watched=watched, within=0.02))
        assert circuit.state(clock.monotonic()) is CircuitState.CLOSED
        assert len(peer.asked) == 1
        first.cancel()
        await asyncio.wait([first])
        peer.script = always(Answer(text="soon"))
        assert text_of(await collect(model, asking(watched=watched))) == "soon"


@contextmanager
def no_more_files() -> Iterator[None]:
    """Whatever this process opens is one too many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_process_that_may_open_no_more_files_does_not_call_its_provider_down() -> None:
    clock, circuit = FakeClock(), Circuit()
    async with (
        ModelPeer(always(Answer(text="there"))) as peer,
        speaking_to(peer.base_url, clock) as warm,
        speaking_to(peer.base_url, clock) as leaf,
    ):
        await collect(warm, asking())  # what is imported at the first call, is by now
        model = Breaker(leaf, circuit, clock, name="main")
        for _ in range(6):
            with no_more_files(), pytest.raises(NoRoom, match="LimitNOFILE"):
                await collect(model, asking())
        with no_more_files():
            health = await leaf.probe()
        assert not health.ok
        assert "LimitNOFILE" in health.detail
        assert text_of(await collect(model, asking())) == "there"
