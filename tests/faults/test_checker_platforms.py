"""The judge of runs with Slack and WeChat is judged: good runs pass, falsified ones do not."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.checker.delivery import reported
from tests.faults.checker.judge import judge
from tests.faults.checker.outcomes import Talked
from tests.faults.checker.records import Evidence, Message, Screen, Story, Version
from tests.faults.doctor import forge
from tests.faults.doctor_platforms import SLACK, WECHAT, hang_up, mark_alone
from tests.faults.doctor_screens import SORRY
from tests.faults.doctor_tools import Forgery
from tests.faults.driver import Habits
from tests.faults.marks import END, Mark, Talk, pieces_of
from tests.faults.plan import Plan
from tests.faults.platforms import Name
from tests.faults.world import world

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def _run(folder: Path, platform: Name) -> Path:
    """A short run in which nothing goes wrong, and its logs."""
    plan = Plan("good", "sqlite", platform=platform, talks=2, habits=Habits(rate=40, twice=0.2))
    async with world(plan, folder) as made:
        await made.start()
        # One after the other, so that the order of each conversation is known.
        for wish in ("", "stamp", "look stamp"):
            for talk in made.talks:
                await made.driver.say(talk, wish)
            assert await made.settle()
        await made.driver.run(10)
        assert await made.settle()
        await made.finish()
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Path, None]:
    """The logs of a good run with Slack."""
    yield await _run(tmp_path_factory.mktemp("slack"), "slack")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wechat(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Path, None]:
    """The logs of a good run with WeChat."""
    yield await _run(tmp_path_factory.mktemp("wechat"), "wechat")


def _is_good(folder: Path, tmp_path: Path) -> None:
    for logs in (folder, forge(folder, tmp_path / "sealed", lambda folder: None)):
        verdict = judge(logs)
        assert not verdict.violations
        assert verdict.figures.messages == verdict.figures.answered == 22


def _is_found_out(good: Path, tmp_path: Path, forgery: Forgery) -> None:
    folder = forge(good, tmp_path / "forged", forgery)
    found = [one for one in judge(folder).violations if one.promise is (SLACK | WECHAT)[forgery]]
    assert found
    assert all(one.evidence for one in found)


async def test_a_good_run_with_slack_passes(slack: Path, tmp_path: Path) -> None:
    _is_good(slack, tmp_path)


async def test_a_good_run_with_wechat_passes(wechat: Path, tmp_path: Path) -> None:
    _is_good(wechat, tmp_path)


@pytest.mark.parametrize("forgery", SLACK, ids=lambda one: one.__name__)
async def test_a_falsified_run_with_slack_is_found_out(
    slack: Path, tmp_path: Path, forgery: Forgery
) -> None:
    _is_found_out(slack, tmp_path, forgery)


@pytest.mark.parametrize("forgery", WECHAT, ids=lambda one: one.__name__)
async def test_a_falsified_run_with_wechat_is_found_out(
    wechat: Path, tmp_path: Path, forgery: Forgery
) -> None:
    _is_found_out(wechat, tmp_path, forgery)


async def test_an_answer_that_was_perhaps_in_a_call_which_wechat_gave_up_says_so_with_reason(
    wechat: Path, tmp_path: Path
) -> None:
    folder = forge(wechat, tmp_path / "forged", lambda folder: hang_up(folder, mark_alone(folder)))
    assert not judge(folder).violations


async def test_several_outcomes_of_one_message_are_read_one_by_one() -> None:
    first, second = f"On ma1x1: one {END}", f"(sent again) On ma1x2: one {END}"
    sorry = "I am sorry: something went wrong.\n\nBy then I had done this already: stamp."
    doubt = "I had begun “stamp” and cannot tell whether it was done."
    begun = f"{doubt}\n\n"
    half = "On ma1x3: one two\n\n(the answer was cut off here)"
    for pieces in (
        [first, sorry, second],
        [sorry, begun + second, half],
        [first, half, begun + first],
        [first, "(sent again)\n\n" + second],
        ["only half"],
        [first, f"I am sorry: something went wrong.\n\n{doubt}"],
    ):
        assert pieces_of("\n\n".join(pieces)) == pieces


async def test_a_sentence_is_first_of_all_for_whom_no_dead_letter_stands() -> None:
    talk = Talk("a", 1)
    story, line = Story({"platform": "wechat"}), Evidence("bot-a.jsonl", "")
    for number in (1, 2):
        mark = Mark(talk, number)
        story.messages[mark] = Message(mark, number, str(number))
    story.dead[Mark(talk, 1)] = "ambiguous"
    said = [Screen(talk, [Version(10, SORRY, line)]), Screen(talk, [Version(11, SORRY, line)])]
    first = reported(story, Talked(talk, sentences=said[:1]), [])
    both = reported(story, Talked(talk, sentences=said), [])
    assert (first.of, first.spare) == ({Mark(talk, 2): said[0]}, [])
    assert (both.of, both.spare) == ({Mark(talk, 2): said[0], Mark(talk, 1): said[1]}, [])


async def test_a_sentence_is_not_for_what_was_perhaps_never_taken() -> None:
    talk = Talk("a", 1)
    story, line = Story({"platform": "wechat"}), Evidence("bot-a.jsonl", "")
    for number in (1, 2):
        mark = Mark(talk, number)
        story.messages[mark] = Message(mark, number, str(number))
    story.messages[Mark(talk, 2)].acknowledged_at = 3
    said = [Screen(talk, [Version(10, SORRY, line)])]
    assert reported(story, Talked(talk, sentences=said), []).of == {Mark(talk, 2): said[0]}
