"""Why a model gave no answer is told to the operator, also where another one answers."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.domain.model import Delta, TextDelta
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.fallback import Fallback
from bot.models.telling import Telling
from tests.fakes import FakeClock, RecordingObserver
from tests.models.asking import ANSWER, ScriptedModel, asking, collect, end_of, first_of


def telling(
    observer: RecordingObserver, *plays: Exception | Sequence[Delta | Exception]
) -> Telling:
    return Telling(ScriptedModel(*plays), observer, name="main")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Transient("main: no answer in time"), "transient"),
        (Permanent("main: HTTP 404 model_not_found"), "permanent"),
    ],
)
async def test_each_failure_is_told_once_with_the_rung_and_the_reason(
    error: Exception, outcome: str
) -> None:
    observer = RecordingObserver()
    with pytest.raises(type(error)):
        await collect(telling(observer, error), asking())
    (failed,) = observer.named("model_failed")
    assert (failed["rung"], failed["outcome"]) == ("main", outcome)
    assert failed["reason"] == str(error).removeprefix("main: ")
    assert failed["turn"] == asking().facts.turn


async def test_it_is_told_although_the_next_rung_answers() -> None:
    observer = RecordingObserver()
    main = telling(observer, Permanent("main: the account has no quota left"))
    model = Fallback({"main": main, "spare": ScriptedModel()}, FakeClock())
    assert end_of(await collect(model, asking())).rung == "spare"
    assert [failed["rung"] for failed in observer.named("model_failed")] == ["main"]


async def test_an_answer_that_breaks_off_is_told_and_a_whole_one_is_not() -> None:
    observer = RecordingObserver()
    model = telling(observer, [TextDelta("half"), Transient("main: the answer broke off")])
    with pytest.raises(Transient):
        await collect(model, asking())
    assert await collect(model, asking()) == list(ANSWER)
    assert len(observer.named("model_failed")) == 1


async def test_a_prompt_that_comes_back_shortened_is_no_failure_yet() -> None:
    observer = RecordingObserver()
    model = telling(observer, ContextTooLong("main: HTTP 400"), ContextTooLong("main: HTTP 400"))
    told = []
    for request in (asking(), replace(asking(), shortened=True)):
        with pytest.raises(ContextTooLong):
            await collect(model, request)
        told.append(len(observer.named("model_failed")))
    assert told == [0, 1]


async def test_whoever_leaves_closes_the_model_below_and_nothing_is_told() -> None:
    observer, leaf = RecordingObserver(), ScriptedModel()
    await first_of(Telling(leaf, observer, name="main"), asking())
    assert leaf.closed == 1
    assert observer.named("model_failed") == []
