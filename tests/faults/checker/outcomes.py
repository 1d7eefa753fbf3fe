"""What became of each message: its answer, or the sentence that stands in its place."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from tests.faults.checker.records import Screen, Story
from tests.faults.marks import END, REPEATED, WORDS, Mark, Talk, is_outcome

OPENING = "…"
LONG = 1_000
"""Characters of a message behind which the same answer may go on: the least that full ones hold."""
FILLER = {*WORDS, END}
"""What stands in a message that goes on, and nothing else."""


@dataclass(slots=True)
class Talked:
    """One conversation, told from what its person saw."""

    talk: Talk
    answers: list[Screen] = field(default_factory=list)
    """Whole answers, in the order in which they were whole for the first time."""
    sentences: list[Screen] = field(default_factory=list)
    """Messages of the bot that answer nobody by name."""
    halves: list[Screen] = field(default_factory=list)
    """Left on the screen, and neither an answer nor a sentence: also what once was one."""

    def first_answers(self) -> dict[Mark, Screen]:
        """Where each message was answered first."""
        found: dict[Mark, Screen] = {}
        for screen in self.answers:
            for mark in screen.marks:
                found.setdefault(mark, screen)
        return found


def at(screen: Screen) -> int:
    """When an answer was there, or a sentence."""
    return (screen.whole or screen.versions[-1]).at


def is_repeat(screen: Screen) -> bool:
    """Whether it says itself that it may be there twice."""
    return screen.text.startswith(REPEATED)


def told(story: Story) -> dict[Talk, Talked]:
    """Every conversation's outcomes."""
    found: dict[Talk, Talked] = defaultdict(lambda: Talked(Talk("?", 0)))
    for talk in story.talks():
        found[talk] = talked = Talked(talk)
        for screen in _whole(story.screens.get(talk, ())):
            whole = screen.whole is not None and is_outcome(screen.text)
            if whole and screen.marks:
                talked.answers.append(screen)
            elif whole:
                talked.sentences.append(screen)
            else:
                talked.halves.append(screen)
        talked.answers.sort(key=at)
    return dict(found)


def _whole(screens: Iterable[Screen]) -> Iterator[Screen]:
    """What stands there; an answer that was too long for one message is put together again."""
    begun: Screen | None = None
    for screen in screens:
        if screen.deleted_at is not None:
            continue
        if begun is not None and _goes_on(begun, screen):
            last = screen.versions[-1]
            text = f"{begun.text} {last.text}"
            begun = Screen(begun.talk, [*begun.versions, replace(last, text=text)])
            continue
        if begun is not None:
            yield begun
        begun = screen
    if begun is not None:
        yield begun


def _goes_on(begun: Screen, screen: Screen) -> bool:
    """Whether the one is full and has no end, and the other holds the model's words alone."""
    full = len(begun.text) >= LONG and bool(begun.marks) and not is_outcome(begun.text)
    return full and set(screen.text.split()) <= FILLER
