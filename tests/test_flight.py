"""What is on its way to a platform cannot be called back: the whole answer stands all the same."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import BaseModel

from adapters import slack, telegram
from bot import Ambiguous, Flight, Permanent, Transient
from bot.engine.outbox import SEND_LIMIT
from bot.flight import ENDING, LANDING
from tests.fakes import until

SOON = 0.01
"""Seconds; instead of the time that an earlier call is given."""


@pytest.mark.parametrize("settings", [telegram.Settings, slack.Settings])
def test_the_longest_end_of_a_draft_stays_below_what_the_engine_gives_one_send(
    settings: type[BaseModel],
) -> None:
    call = settings.model_fields["timeout"].default.total_seconds()
    # What came before it, the call, those that are still away, one that was given up; once more.
    assert LANDING + call + ENDING + LANDING + call < SEND_LIMIT


class Screen:
    """Shows what landed last. A call lands when it is let, and answers when it is let."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.may_land = asyncio.Event()
        self.asked = 0

    async def at_once(self, text: str) -> None:
        self.asked += 1
        self.texts.append(text)

    async def late(self, text: str) -> None:
        """It hangs on its way."""
        await self.may_land.wait()
        self.texts.append(text)

    async def unanswered(self, text: str, error: Exception) -> None:
        """We give up; the service does not."""
        del text
        raise error


async def shown(flight: Flight, screen: Screen) -> None:
    """A half text is on its way, and whoever showed it has been cancelled."""
    showing = asyncio.ensure_future(flight.carry(screen.late("half")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)


async def test_a_call_comes_to_its_end_although_its_caller_is_cancelled() -> None:
    flight, screen = Flight(), Screen()
    await shown(flight, screen)
    screen.may_land.set()
    await until(lambda: screen.texts == ["half"])


async def test_what_a_call_raises_is_its_callers() -> None:
    flight, screen = Flight(), Screen()
    with pytest.raises(Permanent):
        await flight.carry(screen.unanswered("half", Permanent("no")))


async def test_the_last_call_waits_for_the_one_before_it() -> None:
    flight, screen = Flight(), Screen()
    await shown(flight, screen)
    last = asyncio.ensure_future(flight.last(lambda: screen.at_once("whole")))
    await asyncio.sleep(0)
    screen.may_land.set()
    await last
    assert screen.texts == ["half", "whole"]


async def test_an_answer_is_there_soon_and_stands_when_an_earlier_call_lands_behind_it() -> None:
    flight, screen = Flight(landing=SOON), Screen()
    await shown(flight, screen)
    last = asyncio.ensure_future(flight.last(lambda: screen.at_once("whole")))
    await until(lambda: screen.texts == ["whole"])
    screen.may_land.set()
    await last
    assert screen.texts == ["whole", "half", "whole"]


async def test_an_answer_is_not_called_sent_while_an_earlier_call_is_still_on_its_way() -> None:
    flight, screen = Flight(landing=SOON, ending=SOON), Screen()
    await shown(flight, screen)
    with pytest.raises(Transient):
        await flight.last(lambda: screen.at_once("whole"))
    assert screen.texts == ["whole"]
    screen.may_land.set()
    await flight.last(lambda: screen.at_once("whole"))
    assert screen.texts[-1] == "whole"


@pytest.mark.parametrize("error", [Ambiguous("no answer"), Transient("no answer"), OSError()])
async def test_what_was_given_up_without_an_answer_may_still_land_and_is_written_over(
    error: Exception,
) -> None:
    flight, screen = Flight(landing=SOON), Screen()
    with pytest.raises(type(error)):
        await flight.carry(screen.unanswered("half", error))

    async def whole() -> None:
        await screen.at_once("whole")
        if screen.asked == 1:
            screen.texts.append("half")

    await flight.last(whole)
    assert screen.texts == ["whole", "half", "whole"]


@pytest.mark.parametrize(
    "error", [None, Permanent("no"), Transient("limit", retry_after=timedelta(seconds=1))]
)
async def test_what_landed_or_was_refused_needs_no_second_edit(error: Exception | None) -> None:
    flight, screen = Flight(), Screen()
    if error is None:
        await flight.carry(screen.at_once("half"))
    else:
        with pytest.raises(type(error)):
            await flight.carry(screen.unanswered("half", error))
    screen.asked = 0
    await flight.last(lambda: screen.at_once("whole"))
    assert screen.asked == 1


async def test_a_message_that_is_gone_once_it_said_the_answer_has_said_it() -> None:
    flight, screen = Flight(landing=SOON), Screen()
    with pytest.raises(Ambiguous):
        await flight.carry(screen.unanswered("half", Ambiguous("no answer")))

    async def once() -> None:
        if screen.texts:
            raise Permanent("somebody has deleted it")
        await screen.at_once("whole")

    await flight.last(once)
    assert screen.texts == ["whole"]


async def test_a_last_call_that_is_refused_is_its_callers() -> None:
    flight, screen = Flight(), Screen()
    with pytest.raises(Permanent):
        await flight.last(lambda: screen.unanswered("whole", Permanent("gone")))
