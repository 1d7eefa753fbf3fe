"""What became of each message, each counted once: the columns of a run add up to its messages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.faults.checker.delivery import reported
from tests.faults.checker.outcomes import Talked
from tests.faults.checker.records import Story
from tests.faults.marks import Mark, Talk


@dataclass(frozen=True, slots=True)
class Fates:
    """How many messages came to which end; what is left beside these is lost."""

    answered: int
    told: int
    """No answer, and a sentence that says why."""
    dead: int
    """Neither, and a dead letter: shown to an operator."""
    untaken: int
    """None of these, and no delivery of it was ever acknowledged."""


def fates_of(story: Story, talks: Mapping[Talk, Talked]) -> Fates:
    """Look at each message once."""
    answered = {mark for talked in talks.values() for mark in talked.first_answers()}
    told = set(_told(story, talks)) - answered
    left = story.messages.keys() - answered - told
    return Fates(
        answered=len(story.messages.keys() & answered),
        told=len(story.messages.keys() & told),
        dead=len(left & story.dead.keys()),
        untaken=sum(
            story.messages[mark].acknowledged_at is None for mark in left - story.dead.keys()
        ),
    )


def _told(story: Story, talks: Mapping[Talk, Talked]) -> Iterator[Mark]:
    for talk, talked in talks.items():
        if talked.sentences:
            asks = [ask for ask in story.asks if ask.talk == talk]
            yield from reported(story, talked, asks).of
