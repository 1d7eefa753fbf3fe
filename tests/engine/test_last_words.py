"""However a turn ends that is taken up again: what its earlier run began is told, and kept."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from bot import Kind, Role, ToolFailed, Transient, tool
from bot.domain.message import ToolResult
from bot.engine.working import MOST_RUNS
from tests.engine.house import Gate, House, ScriptedModel, calls, says
from tests.engine.test_crashes import faulty, passing
from tests.engine.test_journal import PAY, Till, crashed_while_paying, told
from tests.fakes import until

UNKNOWN = "“pay” and cannot tell whether it was done"
DONE = "done this already: pay."


async def stop(house: House) -> None:
    await house.say("/stop", kind=Kind.COMMAND, event_key="stop")


def results(house: House) -> list[tuple[str, bool]]:
    """What the model was told in its last prompt that its functions had given."""
    parts = [part for m in house.model.requests[-1].messages for part in m.parts]
    return [(one.text, one.failed) for one in parts if isinstance(one, ToolResult)]


async def doubted(house: House) -> list[tuple[str, str]]:
    return [(one.tool, one.key) for one in await house.store.unsure_calls()]


@asynccontextmanager
async def dead_while_paying(
    till: Till, *after: Any, model: ScriptedModel | None = None, **values: Any
) -> AsyncGenerator[House, None]:
    """The house that may take over from one that died in the middle of the call."""
    model = model or ScriptedModel(PAY, *after)
    house = House(model, tools=till.tools)
    async with house.open():
        await house.say("pay 5")
        await till.begun.wait()
        given = {"tools": till.tools, **values}
        try:
            yield House(model, clock=house.clock, store=house.store, **given)
        finally:
            till.release.set()


async def test_a_stop_of_a_turn_that_died_in_a_call_tells_that_nobody_knows_of_it() -> None:
    till = Till()
    async with dead_while_paying(till) as house:
        await stop(house)
        async with house.open():
            (text,) = await house.has_sent(1)
            assert text.startswith("Stopped.")
            assert text.count(UNKNOWN) == 1
            assert await doubted(house) == [("pay", till.keys[0])]
            await house.say("did you?", event_key="later")
            await house.has_sent(2)
            ((result, failed),) = results(house)
            assert "whether it was done is unknown" in result
            assert failed
            assert house.model.requests[-1].messages[-2].text == text
    assert len(till.keys) == 1


async def test_a_stop_of_a_turn_that_died_behind_a_call_tells_and_keeps_what_it_gave() -> None:
    till = Till()
    till.release.set()

    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    gate = Gate()
    model = ScriptedModel(calls(("look", "{}"), ("pay", "{}")), gate)
    house = House(model, tools=[*till.tools, look])
    async with house.open():
        await house.say("pay 5")
        await gate.reached.wait()
    await stop(house)
    again = House(model, clock=house.clock, store=house.store, tools=[*till.tools, look])
    async with again.open():
        (text,) = await again.has_sent(1)
        assert text == f"Stopped.\n\nBy then I had {DONE}"
        await again.say("did you?", event_key="later")
        await again.has_sent(2)
        assert results(again) == [("seen", False), ("paid", False)]
        said = [message.role for message in again.model.requests[-1].messages]
        user, assistant, result = Role.USER, Role.ASSISTANT, Role.TOOL
        assert said[1:] == [user, assistant, result, result, assistant, user]
        assert await doubted(again) == []
    assert len(till.keys) == 1


async def test_a_stopped_turn_whose_tool_knows_of_its_call_keeps_what_the_tool_knows() -> None:
    async def lookup(key: str) -> str | None:
        return "paid 5"

    till = Till(lookup)
    async with dead_while_paying(till) as house:
        await stop(house)
        async with house.open():
            assert (await house.has_sent(1))[0].endswith(DONE)
            await house.say("did you?", event_key="later")
            await house.has_sent(2)
            assert results(house) == [("paid 5", False)]
            assert await doubted(house) == []


async def test_a_stopped_turn_whose_call_surely_never_happened_says_nothing_of_it() -> None:
    async def lookup(key: str) -> None:
        return None

    till = Till(lookup)
    async with dead_while_paying(till) as house:
        await stop(house)
        async with house.open():
            assert await house.has_sent(1) == ["Stopped."]
            await house.say("did you?", event_key="later")
            await house.has_sent(2)
            assert results(house) == []
            assert await doubted(house) == []
    assert len(till.keys) == 1


async def test_a_stop_while_a_tool_is_asked_about_its_call_waits_for_what_it_says() -> None:
    asked, release = asyncio.Event(), asyncio.Event()
    keys: list[str] = []

    async def lookup(key: str) -> str | None:
        keys.append(key)
        asked.set()
        await release.wait()
        raise ToolFailed("the bank is shut")

    till = Till(lookup)
    async with dead_while_paying(till) as house, house.open():
        await asked.wait()
        await stop(house)
        for _ in range(20):
            await asyncio.sleep(0)
        release.set()
        (text,) = await house.has_sent(1)
        assert text.count(UNKNOWN) == 1
        assert await doubted(house) == [("pay", till.keys[0])]
        await house.say("did you?", event_key="later")
        await house.has_sent(2)
        assert "whether it was done is unknown" in results(house)[0][0]
    assert keys == till.keys


async def test_a_turn_that_fails_before_it_comes_to_its_call_tells_of_it_all_the_same() -> None:
    till = Till()
    house, store = faulty(ScriptedModel(PAY), tools=till.tools)
    async with house.open():
        await house.say("pay 5")
        await till.begun.wait()
        store.faults["window"] = [RuntimeError("a bug of ours")]
        again = House(house.model, clock=house.clock, store=store, tools=till.tools)
        async with again.open():
            (text,) = await again.has_sent(1)
            assert "went wrong" in text
            assert text.endswith("please check.")
            assert text.count(UNKNOWN) == 1
            assert await doubted(again) == [("pay", till.keys[0])]
            await again.say("did you?", event_key="later")
            await again.has_sent(2)
            assert again.model.requests[-1].messages[-2].text == text
        till.release.set()


async def test_a_stop_while_a_turn_waits_for_the_database_tells_what_it_had_done() -> None:
    till = Till()
    till.release.set()

    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel(PAY, calls(("look", "{}")))
    house, store = faulty(model, tools=[*till.tools, look])
    async with house.open():
        # both replies, and the beginning and the end of the payment, are written before
        store.faults["step"] = [None, None, None, None, Transient("away")]
        await house.say("pay 5")
        await until(lambda: house.observer.named("failed"))
        await stop(house)
        await passing(house, lambda: house.platform.sent)
        assert house.platform.texts == [f"Stopped.\n\nBy then I had {DONE}"]
        await house.say("did you?", event_key="later")
        await house.has_sent(2)
        assert ("paid", False) in results(house)
    assert len(till.keys) == 1


# ---- a tool that is gone -----------------------------------------------------------------------


async def test_a_call_that_was_begun_and_whose_tool_is_gone_since_is_in_doubt() -> None:
    till = Till()
    async with dead_while_paying(till, says("I am not sure."), tools=()) as house, house.open():
        (text,) = await house.has_sent(1)
        assert text.count(UNKNOWN) == 1
        assert text.endswith("I am not sure.")
        assert "is unknown" in told(house)
        assert await doubted(house) == [("pay", till.keys[0])]


async def test_a_function_that_was_never_there_is_refused_and_no_doubt() -> None:
    model = ScriptedModel(calls(("made_up", "{}")), says("There is none."))
    async with House(model).open() as house:
        await house.say("do it")
        assert await house.has_sent(1) == ["There is none."]
        assert told(house) == "There is no such function."
        assert await doubted(house) == []


# ---- a lookup that would take the server with it -----------------------------------------------


def leaves(key: str) -> str | None:
    """It does so in its thread."""
    raise SystemExit(key)


async def leaves_the_loop(key: str) -> str | None:
    """It does so on the loop."""
    raise SystemExit(key)


async def cancels(key: str) -> str | None:
    """Nobody has cancelled it."""
    raise asyncio.CancelledError


@pytest.mark.parametrize("lookup", [leaves, leaves_the_loop, cancels])
async def test_a_lookup_that_wants_to_end_the_program_cannot_tell(
    lookup: Callable[[str], Any],
) -> None:
    till = Till(lookup)
    async with crashed_while_paying(till, says("I am not sure.")) as house:
        (text,) = await house.has_sent(1)
        assert text.count(UNKNOWN) == 1
        assert await doubted(house) == [("pay", till.keys[0])]
        await house.say("still there?", event_key="later")
        assert (await house.has_sent(2))[1] == "you said: still there?"
        failed = [type(fact["error"]) for fact in house.observer.named("failed")]
        assert failed == ([] if lookup is cancels else [SystemExit])


@pytest.mark.parametrize("hours", [0, 2], ids=["in_time", "too_late"])
async def test_a_turn_that_is_given_up_asks_no_lookup_that_may_have_ended_the_process(
    hours: int,
) -> None:
    asked: list[str] = []
    release = asyncio.Event()

    async def lookup(key: str) -> str | None:
        asked.append(key)
        await release.wait()
        return "paid after all"

    def reached(run: int) -> bool:
        return len(asked) == run

    till = Till(lookup)
    async with AsyncExitStack() as stack, dead_while_paying(till) as house:
        house.clock.advance(hours * 3600)
        for run in range(1, MOST_RUNS):
            next_one = House(house.model, clock=house.clock, store=house.store, tools=till.tools)
            await stack.enter_async_context(next_one.open())
            stack.callback(release.set)
            await until(partial(reached, run))
        async with house.open():
            (text,) = await house.has_sent(1)
            assert "gave up" in text
            assert text.count(UNKNOWN) == 1
            assert await doubted(house) == [("pay", till.keys[0])]
    assert len(asked) == MOST_RUNS - 1
