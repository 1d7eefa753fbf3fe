"""I4: every turn is thought about after all that was said before it, and after nothing else."""

from collections.abc import Iterator
from typing import Any

from tests.faults.checker.outcomes import Talked
from tests.faults.checker.records import Ask, Promise, Story, Violation
from tests.faults.marks import Mark, read_mark

ROOM = 15
"""A window with this much room left has not been cut: a turn of one message is never longer."""
LONGEST_STEP = 3
"""What each further message of a turn adds to it at most: itself, a call, its result."""
REFUSALS = range(400, 500)


def context(story: Story, talked: Talked, asks: list[Ask]) -> Iterator[Violation]:
    """A prompt's answers are the newest of those that the person got before, in that order."""
    sequence = [screen.marks for screen in _once(talked)]
    lengths: dict[tuple[Mark, ...], int] = {}
    for ask in asks:
        for marks, length in _lengths(ask):
            lengths[marks] = max(length, lengths.get(marks, 0))
    places = {mark: place for place, marks in enumerate(sequence) for mark in marks}
    for ask in asks:
        if ask.status in REFUSALS and ask.fault is None:
            what = f"the model refused a prompt of {talked.talk} ({ask.status})"
            yield Violation(Promise.CONTEXT, what, (str(ask.line),))
        own = [places[mark] for mark in ask.block if mark in places]
        if not own:
            continue  # it never became an answer: what it was asked with shows nowhere
        yield from _history(story, ask, sequence[: min(own)], lengths)
        yield from _said(ask)


def about_nothing(story: Story) -> Iterator[Violation]:
    """Nothing is thought about that nobody has said."""
    for ask in story.asks:
        if not ask.block:
            what = "the model was asked although nothing waited for an answer"
            yield Violation(Promise.CONTEXT, what, (str(ask.line),))


def _said(ask: Ask) -> Iterator[Violation]:
    """What a person said stands before its answer, all of it, and once."""
    seen: set[str] = set()
    said: list[str] = []
    oldest = True
    for role, marks, *calls in ask.messages:
        if role == "user":
            again = [mark for mark in marks if mark in seen]
            if again:
                what = f"the prompt for {_names(ask)} holds {again} twice"
                yield Violation(Promise.CONTEXT, what, (str(ask.line),))
            seen.update(marks)
            said += marks
        elif role == "assistant" and not calls:  # an answer, or the sentence in its place
            # The window may begin between two messages of one turn, and never behind the last.
            right = marks[-len(said) :] if oldest and said else marks
            oldest = False
            if marks and said != right:
                what = f"in the prompt for {_names(ask)} the answer to {marks} stands behind {said}"
                yield Violation(Promise.CONTEXT, what, (str(ask.line),))
            said = []


def _names(ask: Ask) -> str:
    return " ".join(map(str, ask.block))


def not_again(story: Story, asks: list[Ask]) -> Iterator[Violation]:
    """Where every server ends in good order, nothing is asked a second time."""
    if not story.about["calm"]:
        return
    seen: dict[str, Ask] = {}
    for ask in asks:
        first = seen.setdefault(ask.digest, ask)
        if first is not ask:
            what = f"the model was asked twice for {' '.join(map(str, ask.block))}"
            proof = (str(first.line), str(ask.line))
            yield Violation(Promise.AT_MOST_ONCE, what, proof)


def _lengths(ask: Ask) -> Iterator[tuple[tuple[Mark, ...], int]]:
    """How many messages each answered turn is long, as this prompt tells it."""
    length = 0
    for role, marks, *calls in ask.messages:
        length += 1
        if role == "assistant" and not calls:
            yield tuple(map(read_mark, marks)), length
            length = 0


def _history(
    story: Story,
    ask: Ask,
    before: list[tuple[Mark, ...]],
    lengths: dict[tuple[Mark, ...], int],
) -> Iterator[Violation]:
    history = [marks for marks in _answers(ask) if not any(mark in story.dead for mark in marks)]
    ended = before
    before = [marks for marks in before if not any(mark in story.dead for mark in marks)]
    kept = max(0, len(before) - len(history))
    oldest = next((marks for marks in _answers(ask) if marks in ended), None)
    place = len(ended) if oldest is None else ended.index(oldest)
    longest = 0
    if place:
        # A turn that begins before the window is left out whole, and one of many messages is long.
        # What may not have arrived has ended all the same, and needs its room.
        next_older = ended[place - 1]
        longest = ROOM + LONGEST_STEP * len(next_older)
        if not story.about["reports"]:
            # Without failed turns in between it is known how much room it needs.
            longest = lengths.get(next_older, longest)
    complete = len(ask.messages) + longest <= story.about["window"]
    expected = before if complete else before[kept:]
    if history != expected:
        lacking = [str(mark) for marks in expected if marks not in history for mark in marks]
        foreign = [str(mark) for marks in history if marks not in expected for mark in marks]
        what = (
            f"the prompt for {' '.join(map(str, ask.block))} does not hold what was said before: "
            f"lacking {lacking}, not expected {foreign}"
        )
        yield Violation(Promise.CONTEXT, what, (str(ask.line),))


def _answers(ask: Ask) -> list[tuple[Mark, ...]]:
    return [
        tuple(map(read_mark, marks))
        for role, marks, *calls in ask.messages
        if role == "assistant" and not calls and marks
    ]


def _once(talked: Talked) -> Iterator[Any]:
    seen: set[tuple[Mark, ...]] = set()
    for screen in talked.answers:
        if screen.marks not in seen:
            seen.add(screen.marks)
            yield screen
