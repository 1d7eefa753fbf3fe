"""What the transcript keeps of a turn: all that its person was shown, and each word once."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from bot import Address, Kind, Role, Transient, tool
from bot.domain.model import Delta, Reason, Request, TextDelta
from tests.engine.house import Gate, House, Script, ScriptedModel, calls, says
from tests.engine.test_crashes import faulty, passing
from tests.engine.test_done_before import DONE, breaks, paid
from tests.engine.test_journal import PAY, Till
from tests.engine.test_thinking import ends
from tests.fakes import until

CUT_OFF = "(the answer was cut off here)"


@tool
async def look() -> str:
    """Look."""
    return "seen"


def speaks(words: str, then: Script) -> Script:
    async def script(request: Request) -> AsyncGenerator[Delta, None]:
        yield TextDelta(words)
        async for delta in then(request):
            yield delta

    return script


LOOKS = speaks("Let me look.", calls(("look", "{}")))


async def kept(house: House) -> list[str]:
    """Our side of the transcript, as a page or `parley history` shows it."""
    await house.at_rest()
    entries = await house.store.page(
        "default", Address("list", "me", "room"), before=None, limit=50
    )
    said = [entry.message for entry in entries if entry.message.role is Role.ASSISTANT]
    return [message.text for message in said if message.text]


async def stop(house: House) -> None:
    await house.say("/stop", kind=Kind.COMMAND, event_key="stop")


# ---- all that was shown ------------------------------------------------------------------------


async def test_that_nobody_knows_whether_a_call_was_done_stays_in_the_transcript() -> None:
    till = Till(timeout=0.01)
    async with House(ScriptedModel(PAY, says("I stop here.")), tools=till.tools).open() as house:
        await house.say("pay")
        (text,) = await house.has_sent(1)
        assert text.startswith("I had begun “pay”")
        assert text.endswith("please check.\n\nI stop here.")
        assert await kept(house) == [text]


@pytest.mark.parametrize("reason", [Reason.LENGTH, Reason.FILTERED])
async def test_that_an_answer_was_cut_off_stays_in_the_transcript(reason: Reason) -> None:
    async with House(ScriptedModel(ends("half", reason))).open() as house:
        await house.say("tell me")
        (text,) = await house.has_sent(1)
        assert text == f"half\n\n{CUT_OFF}"
        assert await kept(house) == [text]
        await house.say("go on")
        await house.has_sent(2)
        assert house.model.requests[-1].messages[-2].text == text


async def test_that_a_turn_was_stopped_before_its_first_word_stays_in_the_transcript() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("tell me")
        await gate.reached.wait()
        await stop(house)
        assert await house.has_sent(1) == ["Stopped."]
        assert await kept(house) == ["Stopped."]


# ---- each word once ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "closing"),
    [
        (breaks(Transient("away")), "I could not reach the language model"),
        (speaks("It", breaks(Transient("cut"))), "It\n\nI could not reach"),
        (ends("It is", Reason.LENGTH), f"It is\n\n{CUT_OFF}"),
        (ends("", Reason.LENGTH), CUT_OFF),
        (breaks(TimeoutError()), "That took longer"),
    ],
)
async def test_what_was_said_before_a_call_stands_once_however_the_turn_ends(
    script: Script, closing: str
) -> None:
    async with House(ScriptedModel(LOOKS, script), tools=[look]).open() as house:
        await house.say("look")
        (text,) = await house.has_sent(1)
        assert text.startswith(f"Let me look.\n\n{closing}")
        before, after = await kept(house)
        assert before == "Let me look."
        assert f"{before}\n\n{after}" == text


async def test_what_was_said_before_a_call_stands_once_when_the_turn_is_stopped() -> None:
    gate = Gate(before="It is")
    async with House(ScriptedModel(LOOKS, gate), tools=[look]).open() as house:
        await house.say("look")
        await gate.reached.wait()
        await stop(house)
        assert await house.has_sent(1) == ["Let me look.\n\nIt is\n\n(stopped)"]
        assert await kept(house) == ["Let me look.", "It is\n\n(stopped)"]


async def test_what_was_said_before_a_call_that_never_came_back_is_kept_without_it() -> None:
    begun = asyncio.Event()

    @tool
    async def ponder() -> str:
        """Think for ever."""
        begun.set()
        await asyncio.Event().wait()
        return "never"

    model = ScriptedModel(speaks("Let me think.", calls(("ponder", "{}"))))
    async with House(model, tools=[ponder]).open() as house:
        await house.say("ponder")
        await begun.wait()
        await stop(house)
        assert await house.has_sent(1) == ["Let me think.\n\n(stopped)"]
        assert await kept(house) == ["Let me think.\n\n(stopped)"]


async def test_what_was_said_before_a_call_stands_once_when_nothing_is_said_behind_it() -> None:
    async with House(ScriptedModel(LOOKS, ends(" \n", Reason.STOP)), tools=[look]).open() as house:
        await house.say("look")
        assert await house.has_sent(1) == ["Let me look."]
        assert await kept(house) == ["Let me look."]
        await house.say("and?")
        await house.has_sent(2)
        roles = [message.role.value for message in house.model.requests[-1].messages]
        assert roles == ["system", "user", "assistant", "tool", "user"]


async def test_what_was_said_before_a_call_stands_once_beside_a_question() -> None:
    till = paid(asks=True)
    model = ScriptedModel(LOOKS, speaks("I would pay.", PAY))
    async with House(model, tools=[look, *till.tools]).open() as house:
        await house.say("look and pay")
        (text,) = await house.has_sent(1)
        assert text.startswith("Let me look.\n\nI would pay.\n\nShall I do this?")
        before, question = await kept(house)
        assert before == "Let me look."
        assert f"{before}\n\n{question}" == text


async def test_what_was_said_before_a_call_of_an_earlier_run_stands_once_with_its_end() -> None:
    gate, till = Gate(), paid()
    model = ScriptedModel(speaks("I pay.", PAY), gate)
    house, store = faulty(model, tools=till.tools)
    async with house.open():
        await house.say("pay")
        await gate.reached.wait()
    again = House(model, clock=house.clock, store=store, tools=till.tools)
    store.faults["step"] = [Transient("away")]  # the reply is there, its call not come to again
    async with again.open():
        await until(lambda: again.observer.named("failed"))
        await stop(again)
        await passing(again, lambda: again.platform.sent)
        text = f"I pay.\n\n(stopped)\n\n{DONE}"
        assert again.platform.texts == [text]
        assert await kept(again) == [text]
        await again.say("did you?", event_key="later")
        await again.has_sent(2)
        roles = [message.role.value for message in again.model.requests[-1].messages]
        assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert len(till.keys) == 1
