"""Each message is counted at one end: a run's sums are its messages."""

from tests.faults.checker.fates import Fates, fates_of
from tests.faults.checker.outcomes import told
from tests.faults.checker.records import Ask, Evidence, Message, Screen, Story, Version
from tests.faults.marks import Mark, Talk

TALK, OTHER = Talk("a", 1), Talk("b", 2)
LINE = Evidence("events.jsonl", "")


def written(story: Story, talk: Talk, number: int, *, taken: bool = True) -> Mark:
    """Somebody writes; a server acknowledges it, or none ever does."""
    mark = Mark(talk, number)
    story.messages[mark] = Message(
        mark, number * 100, str(mark), number * 100 + 1 if taken else None
    )
    return mark


def said(story: Story, talk: Talk, at: int, text: str) -> None:
    story.screens.setdefault(talk, []).append(Screen(talk, [Version(at, text, LINE)]))


def asked(story: Story, at: int, *block: Mark) -> None:
    story.asks.append(Ask(1, at, "n1", block, 0, [], "", LINE))


def fates(story: Story) -> Fates:
    found = fates_of(story, told(story))
    ends = (found.answered, found.told, found.dead, found.untaken)
    assert sum(ends) <= len(story.messages)
    return found


def test_a_message_that_was_answered_counts_as_that_whatever_else_became_of_it() -> None:
    story = Story({"lease": 2.0})
    mark = written(story, TALK, 1, taken=False)
    said(story, TALK, 150, f"On {mark}: one [end]")
    said(story, TALK, 160, f"(sent again) On {mark}: one [end]")
    story.dead[mark] = "ambiguous"
    assert fates(story) == Fates(answered=1, told=0, dead=0, untaken=0)


def test_one_sentence_for_a_turn_of_two_messages_tells_both() -> None:
    story = Story({"lease": 2.0})
    first, second = written(story, TALK, 1), written(story, TALK, 2)
    asked(story, 250, first, second)
    said(story, TALK, 300, "I could not reach the language model")
    written(story, OTHER, 3)  # has nothing, and the judge says so
    assert fates(story) == Fates(answered=0, told=2, dead=0, untaken=0)


def test_what_nobody_acknowledged_and_nothing_came_of_was_never_taken() -> None:
    story = Story({"lease": 2.0})
    written(story, TALK, 1, taken=False)
    letter = written(story, OTHER, 2, taken=False)
    story.dead[letter] = "ambiguous"
    answered = written(story, OTHER, 3)
    said(story, OTHER, 350, f"On {answered}: one [end]")
    assert fates(story) == Fates(answered=1, told=0, dead=1, untaken=1)


def test_who_was_told_why_counts_as_that_although_a_dead_letter_is_left_as_well() -> None:
    story = Story({"lease": 2.0})
    mark = written(story, TALK, 1)
    story.dead[mark] = "too long"
    asked(story, 150, mark)
    said(story, TALK, 300, "I am sorry: that could not be shown here")
    assert fates(story) == Fates(answered=0, told=1, dead=0, untaken=0)
