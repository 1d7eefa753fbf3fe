"""The judge of fault runs is judged: a good run passes, falsified ones do not."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.checker.delivery import Reported, no_loss, reported, went_wrong
from tests.faults.checker.judge import judge
from tests.faults.checker.outcomes import Talked, told
from tests.faults.checker.records import (
    Ask,
    Event,
    Evidence,
    Line,
    Message,
    Promise,
    Screen,
    Story,
    Strike,
    Version,
)
from tests.faults.doctor import FORGERIES, forge, rewrite
from tests.faults.doctor_logs import WORTHLESS
from tests.faults.doctor_screens import SCREENS, SORRY
from tests.faults.doctor_subtle import SUBTLE
from tests.faults.doctor_tools import SECOND, Forgery
from tests.faults.driver import Habits
from tests.faults.marks import END, WORDS, Mark, Talk, is_exact
from tests.faults.plan import Plan
from tests.faults.sampling import sample
from tests.faults.world import world
from tests.needs import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TALK = Talk("a", 1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def good(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Path, None]:
    """The logs of a short run in which nothing went wrong."""
    folder = tmp_path_factory.mktemp("good")
    plan = Plan("good", "sqlite", talks=2, habits=Habits(rate=40, twice=0.2))
    async with world(plan, folder) as made:
        await made.start()
        # One after the other, so that the order of each conversation is known.
        for wish in ("", "stamp", "look stamp"):
            for talk in made.talks:
                await made.driver.say(talk, wish)
            assert await made.settle()
        await sample(made.nodes, made.url, folder, "before")
        await made.driver.run(20)
        assert await made.settle()
        await sample(made.nodes, made.url, folder, "after")
        await made.finish()
    yield folder


async def test_a_good_run_passes(good: Path) -> None:
    verdict = judge(good)
    assert not verdict.violations
    assert verdict.figures.messages == verdict.figures.answered == 32


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_falsified_run_is_found_out(good: Path, tmp_path: Path, name: str) -> None:
    folder = forge(good, tmp_path / "forged", FORGERIES[name][0])
    found = [one for one in judge(folder).violations if one.promise is FORGERIES[name][1]]
    assert found
    assert all(one.evidence for one in found)


@pytest.mark.parametrize("forgery", [*SCREENS, *SUBTLE], ids=lambda one: one.__name__)
async def test_a_run_that_only_looks_right_is_found_out(
    good: Path, tmp_path: Path, forgery: Forgery
) -> None:
    folder = forge(good, tmp_path / "forged", forgery)
    found = [one for one in judge(folder).violations if one.promise is (SCREENS | SUBTLE)[forgery]]
    assert found


@pytest.mark.parametrize("name", WORTHLESS)
async def test_logs_of_which_something_is_missing_prove_nothing(
    good: Path, tmp_path: Path, name: str
) -> None:
    folder = forge(good, tmp_path / "forged", WORTHLESS[name], sealed=False)
    assert Promise.WHOLE in {one.promise for one in judge(folder).violations}


async def test_sealing_hides_nothing_and_finds_nothing(good: Path, tmp_path: Path) -> None:
    assert not judge(forge(good, tmp_path / "forged", lambda folder: None)).violations


@pytest.mark.parametrize(
    ("store", "minutes", "found"),
    [("postgres", 1, True), ("postgres", 10, False), ("sqlite", 10, True)],
)
async def test_only_what_postgresql_keeps_from_one_timed_checkpoint_to_the_next_is_no_growth(
    good: Path, tmp_path: Path, store: str, minutes: int, found: bool
) -> None:
    def longer(folder: Path) -> None:
        rewrite(folder / "run.json", lambda about: about | {"store": store})
        rewrite(folder / "samples.jsonl", lambda line: _later_and_longer(line, minutes))

    broken = judge(forge(good, tmp_path / "forged", longer)).violations
    assert {one.promise for one in broken} == ({Promise.BOUNDED} if found else set())


def _later_and_longer(line: Line, minutes: int) -> Line:
    """What a node holds after a run of so long, with 150 MB of the database's log."""
    if line["phase"] == "before":
        return line
    held = {**line["held"], "wal": 150e6}
    return {**line, "mono": line["mono"] + minutes * 60 * SECOND, "held": held}


async def test_a_secret_in_a_log_is_found(good: Path, tmp_path: Path) -> None:
    folder = forge(good, tmp_path / "forged", lambda folder: None)
    with (folder / "node-n1.log").open("a", encoding="utf-8") as log:
        log.write("the token is 111111111:FAULTS-alpha-token-xxxxxxxx\n")
    assert "I9" in {one.promise for one in judge(folder).violations}


async def test_the_program_prints_the_evidence_and_fails(good: Path, tmp_path: Path) -> None:
    folder = forge(good, tmp_path / "forged", FORGERIES["doubled"][0])
    code, output = await _check(folder)
    assert code == 1
    assert "I2: ma" in output
    assert output.count("bot-a.jsonl:") >= 2
    assert (await _check(good))[0] == 0


async def test_of_messages_nobody_was_asked_about_each_may_have_a_sentence_and_no_more() -> None:
    story = Story({"lease": 2.0})
    for number in (1, 2):
        mark = Mark(TALK, number)
        story.messages[mark] = Message(mark, number, str(number))
    spare = [
        len(reported(story, Talked(TALK, sentences=_sentences(count)), []).spare)
        for count in (1, 2, 3, 4)
    ]
    assert spare == [0, 0, 1, 2]


async def test_only_over_a_line_that_lets_nothing_pass_a_lease_must_end() -> None:
    story = Story({"lease": 2.0})
    for number, how in enumerate(("silent", "lossy", "deaf", "slow", "dumb", "cut")):
        for kind, at in (("cut_off", 10 * number), ("joined", 10 * number + 5)):
            story.events.append(Event(kind, at, how, Evidence("events.jsonl", ""), at, how=how))
    ended = [node for node, _, _ in story.severed()]
    assert ended == ["silent", "deaf", "dumb", "cut"]


async def test_a_lease_ends_while_its_table_is_locked_and_under_no_other_lock() -> None:
    line = Evidence("events.jsonl", "")
    story = Story({"lease": 2.0})
    for call, node in enumerate(("n1", "n2")):
        story.asks.append(Ask(call, 1, node, (), 0, [], "", line))
    for at, table in ((10, "inbox"), (20, "node")):
        story.events.append(Event("locked", at, "postgres", line, at + 5, how=table))
    assert story.severed() == [("n1", 20, 25), ("n2", 20, 25)]


async def test_what_still_goes_on_is_trouble_however_long_ago_it_began() -> None:
    story = Story({"lease": 2.0}, ended_at=100)
    story.events.append(Event("locked", 10, "postgres", Evidence("events.jsonl", ""), 30))
    spans = ((1, 9), (1, 10), (12, 20), (30, 40), (31, 40))
    assert [went_wrong(story, TALK, *span) for span in spans] == [False, True, True, True, False]


@pytest.mark.parametrize(("words", "answers", "halves"), [(600, 1, 0), (100, 0, 1)])
async def test_an_answer_goes_on_in_another_message_only_where_the_first_one_is_full(
    words: int, answers: int, halves: int
) -> None:
    filler = [WORDS[number % len(WORDS)] for number in range(words)]
    parts = [["On ma1x1:", *filler[: words // 2]], [*filler[words // 2 :], END]]
    line = Evidence("bot-a.jsonl", "")
    shown = [Screen(TALK, [Version(10, " ".join(part), line)]) for part in parts]
    talked = told(Story({"lease": 2.0}, screens={TALK: shown}))[TALK]
    assert (len(talked.answers), len(talked.halves)) == (answers, halves)
    assert all(is_exact(answer.text) for answer in talked.answers)


async def test_who_has_blocked_the_bot_is_owed_what_an_operator_finds_and_nothing_else() -> None:
    line, mark = Evidence("bot-a.jsonl", ""), Mark(TALK, 1)
    story = Story({"lease": 2.0, "platform": "telegram", "within": 60.0, "reports": False})
    story.messages[mark] = Message(mark, 1, "1", acknowledged_at=2)
    for error, how, owed in (
        ("Forbidden: bot was blocked", "blocked", 0),
        ("Forbidden: bot was blocked", "flood", 1),
        ("expired", "blocked", 1),
    ):
        story.dead, story.strikes = {mark: error}, [Strike(3, "a", TALK, line, how)]
        assert len([*no_loss(story, Talked(TALK), Reported())]) == owed


def _sentences(count: int) -> list[Screen]:
    line = Evidence("bot-a.jsonl", "")
    return [Screen(TALK, [Version(10 + number, SORRY, line)]) for number in range(count)]


async def _check(folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.checker", str(folder)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()
