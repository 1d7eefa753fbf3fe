"""I1, I2 and I7: nothing lost, nothing twice, and nothing out of nowhere."""

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.checker.outcomes import OPENING, Talked, at, is_repeat
from tests.faults.checker.records import Message, Promise, Screen, Story, Violation
from tests.faults.marks import Mark

SECOND = 1_000_000
ANSWERED = 6
"""Seconds in which a platform's answer is there, or will not come."""
LONGEST_SEND = 60 * SECOND
"""How long before it shows a send can have begun, and gone wrong."""


def no_loss(story: Story, talked: Talked) -> Iterator[Violation]:
    """Each acknowledged message has an answer, or a sentence at its place, in time."""
    answered = talked.first_answers()
    within = story.about["within"] * SECOND
    messages = acknowledged(story, talked)
    waiting = [one for one in messages if one.mark not in answered and not _is_known(story, one)]
    free = list(talked.sentences)
    for message in waiting:
        sentence = next((one for one in free if at(one) > message.first_at), None)
        if sentence is None or not story.about["reports"]:
            what = f"{message.mark} was acknowledged and has no outcome"
            if sentence is not None:
                what = f"{message.mark} has a sentence instead of an answer: {sentence.text[:60]!r}"
            yield Violation(Promise.NO_LOSS, what, tuple(map(str, message.lines)))
        elif at(sentence) - (message.acknowledged_at or 0) > within:
            yield _late(message, at(sentence), sentence)
    for message in messages:
        screen = answered.get(message.mark)
        if screen is not None and at(screen) - (message.acknowledged_at or 0) > within:
            yield _late(message, at(screen), screen)
    for screen in talked.halves:
        if not _is_orphan(story, screen):
            what = f"in {talked.talk} half an answer was left on the screen: {screen.text[:60]!r}"
            yield Violation(Promise.NO_LOSS, what, screen.evidence)


def _is_known(story: Story, message: Message) -> bool:
    """Whether nobody can know if its answer arrived, and the operator has been told so."""
    return story.dead.get(message.mark) == "ambiguous" and bool(story.troubles())


def _is_orphan(story: Story, screen: Screen) -> bool:
    """A mark of thinking whose sender died before it could learn where the mark stands."""
    opened = screen.versions[0].at
    only_opened = screen.text == OPENING and len(screen.versions) == 1
    span = ANSWERED * SECOND
    return only_opened and _trouble_between(story, opened - span, opened + span)


def _late(message: Message, when: int, screen: Screen) -> Violation:
    seconds = (when - (message.acknowledged_at or 0)) / SECOND
    what = f"{message.mark} had its outcome only after {seconds:.1f} s"
    return Violation(Promise.NO_LOSS, what, (*map(str, message.lines), *screen.evidence))


def at_most_once(story: Story, talked: Talked) -> Iterator[Violation]:
    """No second answer, but one that says so, after trouble, where an answer is no edit."""
    shown: dict[Mark, list[Screen]] = defaultdict(list)
    for screen in talked.answers:
        for mark in screen.marks:
            shown[mark].append(screen)
    for mark, screens in shown.items():
        first, *more = screens
        proof = tuple(line for screen in screens for line in screen.evidence)
        if not more:
            continue
        if len(more) > 1 or not all(map(is_repeat, more)):
            yield Violation(
                Promise.AT_MOST_ONCE, f"{mark} was answered {len(screens)} times", proof
            )
        elif story.about["ambiguous"] == "report":
            what = f"{mark} was answered again, although the policy is to report"
            yield Violation(Promise.AT_MOST_ONCE, what, proof)
        elif mark.talk.tenant in story.about["editing"] and len(first.versions) > 1:
            what = f"{mark} was answered again where the answer could have been edited"
            yield Violation(Promise.AT_MOST_ONCE, what, proof)
        elif not _trouble_between(story, at(first) - LONGEST_SEND, at(more[0])):
            what = f"{mark} was answered again although nothing had gone wrong"
            yield Violation(Promise.AT_MOST_ONCE, what, proof)


def _trouble_between(story: Story, since: int, until: int) -> bool:
    return any(since <= event.at <= until for event in story.troubles())


def no_phantom(story: Story, talked: Talked) -> Iterator[Violation]:
    """No answer without a message that was delivered before; no sentence without one either."""
    for screen in (*talked.answers, *talked.halves):
        for mark in screen.marks:
            message = story.messages.get(mark)
            if message is None or message.first_at > at(screen):
                what = f"{mark} was answered and nobody had sent it"
                yield Violation(Promise.NO_PHANTOM, what, screen.evidence)
    written = sum(mark.talk == talked.talk for mark in story.messages)
    spare = written if story.about["reports"] else 0
    if len(talked.sentences) > spare:
        what = f"{talked.talk} was told {len(talked.sentences)} sentences, at most {spare} are due"
        proof = tuple(line for screen in talked.sentences for line in screen.evidence)
        yield Violation(Promise.NO_PHANTOM, what, proof)


def acknowledged(story: Story, talked: Talked) -> list[Message]:
    """What the platform was told is taken."""
    return [
        message
        for mark, message in story.messages.items()
        if mark.talk == talked.talk and message.acknowledged_at is not None
    ]
