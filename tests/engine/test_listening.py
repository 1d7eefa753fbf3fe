"""A listener that ends is begun again, however it ends; only a stop ends it for good."""

import asyncio

import pytest

from bot.engine.listening import FIRST_PAUSE, keep_listening
from bot.ports import Receive
from tests.engine.house import House, ScriptedModel
from tests.fakes import FakeClock, RecordingObserver, until


class Ending:
    """Ends like this the first time, and listens then."""

    def __init__(self, how: BaseException | None) -> None:
        self.how = how
        self.listens = 0

    async def listen(self, receive: Receive) -> None:
        self.listens += 1
        if self.listens > 1:
            await asyncio.Event().wait()
        if self.how is not None:
            raise self.how


@pytest.mark.parametrize(
    "how",
    [None, OSError("cut"), asyncio.CancelledError()],
    ids=["just ends", "fails", "cancels itself"],
)
async def test_a_listener_that_ends_is_told_and_begun_again(how: BaseException | None) -> None:
    clock, observer, adapter = FakeClock(), RecordingObserver(), Ending(how)
    receive = House(ScriptedModel()).receive
    listening = asyncio.create_task(
        keep_listening("list", adapter, receive, clock=clock, observer=observer)
    )
    await until(lambda: clock.sleepers or listening.done())
    assert [fact["alive"] for fact in observer.named("listening")] == [True, False]
    assert len(observer.named("failed")) == (how is not None)
    clock.advance(2 * FIRST_PAUSE)
    await until(lambda: adapter.listens == 2)
    assert [fact["alive"] for fact in observer.named("listening")] == [True, False, True]
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
