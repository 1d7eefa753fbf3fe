"""The next model answers where the one before cannot."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.clock import SystemClock
from bot.domain.model import Finished, Reason, TextDelta
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.fallback import Fallback, begin_times
from bot.models.retry import Retry
from tests.fakes import EPOCH, FakeClock
from tests.models.asking import (
    ScriptedModel,
    asking,
    collect,
    end_of,
    first_of,
    speaking_to,
    text_of,
)
from tests.peers import faults
from tests.peers.model import ModelPeer


@pytest.mark.parametrize("error", [Transient("down"), Permanent("wrong key")])
async def test_the_next_rung_answers_and_is_named(error: Exception) -> None:
    first, second = ScriptedModel(error), ScriptedModel()
    deltas = await collect(Fallback({"main": first, "spare": second}, FakeClock()), asking())
    assert deltas == [TextDelta("fine"), Finished(Reason.STOP, "spare")]
    assert first.closed == second.closed == 1


async def test_while_the_first_works_nobody_else_is_asked() -> None:
    spare = ScriptedModel()
    deltas = await collect(
        Fallback({"main": ScriptedModel(), "spare": spare}, FakeClock()), asking()
    )
    assert end_of(deltas).rung == "main"
    assert spare.asked == 0


async def test_when_all_fail_the_last_error_is_told() -> None:
    model = Fallback(
        {"a": ScriptedModel(Transient("a")), "b": ScriptedModel(Permanent("b"))}, FakeClock()
    )
    with pytest.raises(Permanent, match="b"):
        await collect(model, asking())


async def test_what_was_seen_is_not_said_twice() -> None:
    spare = ScriptedModel()
    broken = ScriptedModel([TextDelta("half"), Transient("cut")])
    with pytest.raises(Transient):
        await collect(Fallback({"main": broken, "spare": spare}, FakeClock()), asking())
    assert spare.asked == 0


async def test_a_prompt_that_is_too_long_goes_back_to_be_shortened() -> None:
    spare = ScriptedModel()
    with pytest.raises(ContextTooLong):
        await collect(
            Fallback({"main": ScriptedModel(ContextTooLong()), "s": spare}, FakeClock()), asking()
        )
    assert spare.asked == 0


async def test_a_prompt_that_was_shortened_and_is_too_long_still_goes_to_the_next_rung() -> None:
    rungs = {"main": ScriptedModel(ContextTooLong()), "spare": ScriptedModel()}
    deltas = await collect(Fallback(rungs, FakeClock()), replace(asking(), shortened=True))
    assert end_of(deltas).rung == "spare"


async def test_a_turn_stays_on_the_rung_that_answered_its_first_step() -> None:
    main, spare = ScriptedModel(), ScriptedModel()
    deltas = await collect(
        Fallback({"main": main, "spare": spare}, FakeClock()), asking(step=2, rung="spare")
    )
    assert end_of(deltas).rung == "spare"
    assert main.asked == 0


async def test_a_turn_leaves_its_rung_when_that_fails() -> None:
    main, spare = ScriptedModel(), ScriptedModel(Transient("down"))
    deltas = await collect(
        Fallback({"main": main, "spare": spare}, FakeClock()), asking(step=2, rung="spare")
    )
    assert end_of(deltas).rung == "main"


async def test_a_rung_that_is_gone_from_the_configuration_is_no_obstacle() -> None:
    deltas = await collect(
        Fallback({"main": ScriptedModel()}, FakeClock()), asking(step=2, rung="gone")
    )
    assert end_of(deltas).rung == "main"


async def test_closing_it_closes_the_model_below_at_once() -> None:
    main = ScriptedModel()
    await first_of(Fallback({"main": main}, FakeClock()), asking())
    assert main.closed == 1


def test_the_last_rung_keeps_a_third_of_the_time_and_the_others_share_the_rest() -> None:
    due = EPOCH + timedelta(seconds=120)
    for rungs, expected in ((1, [120]), (2, [80, 120]), (3, [40, 80, 120])):
        found = [(time - EPOCH).total_seconds() for time in begin_times(rungs, EPOCH, due)]
        assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("watched", [True, False])
async def test_a_rung_that_hangs_leaves_time_for_the_next_one(watched: bool) -> None:
    clock = SystemClock()
    async with (
        ModelPeer() as hanging,
        ModelPeer() as well,
        speaking_to(hanging.base_url, clock) as first,
        speaking_to(well.base_url, clock) as second,
    ):
        hanging.faults.plan(faults.hang(), times=3)
        rungs = {"main": Retry(first, clock), "spare": Retry(second, clock)}
        deadline = clock.now() + timedelta(seconds=2.4)  # of which the spare has a third
        asked = replace(asking("hello", watched=watched), deadline=deadline)
        deltas = await collect(Fallback(rungs, clock), asked)
        await hanging.wait_for(lambda: not hanging.open)
    assert end_of(deltas).rung == "spare"
    assert text_of(deltas)
    assert len(well.asked) == 1
