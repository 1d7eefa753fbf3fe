"""What is counted of a run: how long people waited, and from when on something was wrong."""

from tests.faults.checker.judge import Figures, figures_of
from tests.faults.checker.outcomes import told
from tests.faults.checker.records import Event, Evidence, Message, Screen, Story, Strike, Version
from tests.faults.marks import Mark, Talk

TALK, OTHER = Talk("a", 1), Talk("a", 2)
LINE = Evidence("events.jsonl", "")
SECOND = 1_000_000


def story_of(*, asked: float, answered: float) -> Story:
    """One message and its answer."""
    story, mark = Story({"lease": 2.0}), Mark(TALK, 1)
    story.messages[mark] = Message(mark, round(asked * SECOND), "1")
    version = Version(round(answered * SECOND), f"On {mark}: one [end]", LINE)
    story.screens[TALK] = [Screen(TALK, [version])]
    story.ended_at = 100 * SECOND
    return story


def happens(story: Story, kind: str, at: float, until: float | None = None) -> None:
    begin, end = round(at * SECOND), round((at if until is None else until) * SECOND)
    story.events.append(Event(kind, begin, "n1", LINE, end))


def strikes(story: Story, talk: Talk | None, at: float) -> None:
    story.strikes.append(Strike(round(at * SECOND), "model", talk, LINE))


def figures(story: Story) -> Figures:
    return figures_of(story, told(story))


def test_recovery_counts_from_the_first_fault_that_met_a_message() -> None:
    story = story_of(asked=10.0, answered=20.0)
    for at in (9.0, 12.0, 15.0, 19.0, 21.0):
        happens(story, "killed", at)
    assert figures(story).p99_recovery == 8.0
    assert figures(story).p99_answer == 10.0


def test_what_went_on_when_a_message_was_written_met_it_then() -> None:
    story = story_of(asked=10.0, answered=20.0)
    happens(story, "locked", 8.0, until=14.0)
    happens(story, "killed", 19.0)
    assert figures(story).p99_recovery == 10.0


def test_a_call_that_went_wrong_for_somebody_else_has_not_met_it() -> None:
    story = story_of(asked=10.0, answered=20.0)
    strikes(story, OTHER, 11.0)
    assert figures(story).p99_recovery is None
    strikes(story, TALK, 14.0)
    assert figures(story).p99_recovery == 6.0
    strikes(story, None, 13.0)
    assert figures(story).p99_recovery == 7.0


def test_without_an_answer_there_is_no_time_to_tell() -> None:
    story = story_of(asked=10.0, answered=20.0)
    story.screens.clear()
    happens(story, "killed", 12.0)
    found = figures(story)
    assert (found.answered, found.p99_answer, found.p99_recovery) == (0, None, None)
