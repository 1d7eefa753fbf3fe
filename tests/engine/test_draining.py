"""A server that stops refuses what comes again, and stores what does not."""

from datetime import timedelta

import pytest

from bot import Kind, Patience, Transient
from tests.engine.house import House, ScriptedModel
from tests.engine.test_overload import Patiently

AT_ONCE = timedelta(0)


async def test_a_platform_that_comes_again_is_told_to() -> None:
    for patience in (Patience.KEEPS, Patience.FEW_REFUSALS):
        async with House(ScriptedModel(), platform=Patiently(patience)).open() as house:
            await house.engine.runner.drain(AT_ONCE)
            with pytest.raises(Transient):
                await house.say("hello")
            assert (await house.store.health()).waiting == 0


@pytest.mark.parametrize(
    ("patience", "kind", "text", "answer"),
    [
        (Patience.FEW_REFUSALS, Kind.BUTTON, "yes", "you said: yes"),
        (Patience.FEW_REFUSALS, Kind.COMMAND, "/new", "A new conversation"),
        (Patience.NONE, Kind.MESSAGE, "hello", "you said: hello"),
    ],
)
async def test_what_comes_only_once_is_taken_and_done_by_the_next_server(
    patience: Patience, kind: Kind, text: str, answer: str
) -> None:
    house = House(ScriptedModel(), platform=Patiently(patience))
    async with house.open():
        await house.engine.runner.drain(AT_ONCE)
        await house.say(text, kind=kind)
        assert (await house.store.health()).waiting == 1
        assert not house.engine.runner.running
    again = House(house.model, clock=house.clock, store=house.store)
    async with again.open():
        assert (await again.has_sent(1))[0].startswith(answer)
