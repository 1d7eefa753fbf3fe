"""What a turn held goes with it: nothing of it waits for the collector of garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from bot import Kind
from tests.engine.house import Gate, House, ScriptedModel, calls, says
from tests.engine.test_journal import Till


@contextmanager
def rings() -> Iterator[set[str]]:
    """What of ours only the collector would have found, once the block has ended."""
    found = set[str]()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = (type(one) for one in gc.garbage)
        found |= {kind.__qualname__ for kind in ours if kind.__module__.startswith("bot.")}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def test_an_answer_leaves_no_ring_behind() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("one")
        await house.has_sent(1)
        await house.at_rest()
        with rings() as found:
            await house.say("two")
            await house.has_sent(2)
            await house.at_rest()
    assert found == set()


async def test_neither_does_one_with_a_call_that_somebody_watched_and_that_was_stopped() -> None:
    till, gate = Till(), Gate(before="so far")
    till.release.set()
    model = ScriptedModel(calls(("pay", "{}")), says("Paid."), calls(("pay", "{}")), gate)
    async with House(model, tools=till.tools).open() as house:
        await house.say("pay")
        await house.has_sent(1)
        await house.at_rest()
        with rings() as found:
            await house.say("pay again")
            await gate.reached.wait()
            await house.say("/stop", kind=Kind.COMMAND)
            await house.has_sent(2)
            await house.at_rest()
    assert found == set()
