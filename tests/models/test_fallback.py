"""The next model answers where the one before cannot."""

import pytest

from bot.domain.model import Finished, Reason, TextDelta
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.fallback import Fallback
from tests.models.asking import ScriptedModel, asking, collect, end_of, first_of


@pytest.mark.parametrize("error", [Transient("down"), Permanent("wrong key")])
async def test_the_next_rung_answers_and_is_named(error: Exception) -> None:
    first, second = ScriptedModel(error), ScriptedModel()
    deltas = await collect(Fallback({"main": first, "spare": second}), asking())
    assert deltas == [TextDelta("fine"), Finished(Reason.STOP, "spare")]
    assert first.closed == second.closed == 1


async def test_while_the_first_works_nobody_else_is_asked() -> None:
    spare = ScriptedModel()
    deltas = await collect(Fallback({"main": ScriptedModel(), "spare": spare}), asking())
    assert end_of(deltas).rung == "main"
    assert spare.asked == 0


async def test_when_all_fail_the_last_error_is_told() -> None:
    model = Fallback({"a": ScriptedModel(Transient("a")), "b": ScriptedModel(Permanent("b"))})
    with pytest.raises(Permanent, match="b"):
        await collect(model, asking())


async def test_what_was_seen_is_not_said_twice() -> None:
    spare = ScriptedModel()
    broken = ScriptedModel([TextDelta("half"), Transient("cut")])
    with pytest.raises(Transient):
        await collect(Fallback({"main": broken, "spare": spare}), asking())
    assert spare.asked == 0


async def test_a_prompt_that_is_too_long_goes_back_to_be_shortened() -> None:
    spare = ScriptedModel()
    with pytest.raises(ContextTooLong):
        await collect(Fallback({"main": ScriptedModel(ContextTooLong()), "s": spare}), asking())
    assert spare.asked == 0


async def test_a_turn_stays_on_the_rung_that_answered_its_first_step() -> None:
    main, spare = ScriptedModel(), ScriptedModel()
    deltas = await collect(Fallback({"main": main, "spare": spare}), asking(step=2, rung="spare"))
    assert end_of(deltas).rung == "spare"
    assert main.asked == 0


async def test_a_turn_leaves_its_rung_when_that_fails() -> None:
    main, spare = ScriptedModel(), ScriptedModel(Transient("down"))
    deltas = await collect(Fallback({"main": main, "spare": spare}), asking(step=2, rung="spare"))
    assert end_of(deltas).rung == "main"


async def test_a_rung_that_is_gone_from_the_configuration_is_no_obstacle() -> None:
    deltas = await collect(Fallback({"main": ScriptedModel()}), asking(step=2, rung="gone"))
    assert end_of(deltas).rung == "main"


async def test_closing_it_closes_the_model_below_at_once() -> None:
    main = ScriptedModel()
    await first_of(Fallback({"main": main}), asking())
    assert main.closed == 1
