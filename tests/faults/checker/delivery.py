"""I1, I2 and I7: nothing lost, nothing twice, and nothing out of nowhere."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from tests.faults.checker.outcomes import OPENING, Talked, at, is_repeat
from tests.faults.checker.records import Ask, Message, Promise, Screen, Story, Violation
from tests.faults.marks import Mark, Talk, is_exact

SECOND = 1_000_000
ANSWERED = 6
"""Seconds in which a platform's answer is there, or will not come."""
MODEL = "model"
USUAL = ("stop", "tool_calls", None)
"""How a reply ends behind which nobody is owed a sentence."""
READABLE = ("slack",)
"""Platforms that can be asked what stands there: of no send anybody has to wonder for long."""
LONGEST_SEND = 60 * SECOND
"""How long before it shows a send can have begun, and gone wrong."""

LEFT_ALONE = 65 * SECOND
"""How long a service that failed is not asked: a minute, and while one call tries it again."""
BLOCKED = "blocked"
"""What a platform says, and what an operator reads, where a person has blocked a bot."""
UNAVAILABLE = (503, 0)
"""How a door turns a message away that cannot be stored: it says so, or nobody heard anything."""


@dataclass(slots=True)
class Reported:
    """Which sentence stands for which message; a sentence stands for one turn and no more."""

    of: dict[Mark, Screen] = field(default_factory=dict)
    spare: list[Screen] = field(default_factory=list)
    """Said for nobody: whom it could be for had been answered, or told, before."""


def no_loss(story: Story, talked: Talked, reported: Reported) -> Iterator[Violation]:
    """Each acknowledged message has an answer, or a sentence at its place, in time."""
    answered = talked.first_answers()
    within = story.about["within"] * SECOND
    messages = acknowledged(story, talked)
    waiting = [one for one in messages if one.mark not in answered and not _is_known(story, one)]
    for message in waiting:
        yield from _unanswered(story, message, reported.of.get(message.mark))
    for message in messages:
        answer = answered.get(message.mark)
        if answer is not None and at(answer) - (message.acknowledged_at or 0) > within:
            yield _late(message, at(answer), answer)
    for screen in talked.halves:
        if not _is_orphan(story, screen):
            what = f"in {talked.talk} half an answer was left on the screen: {screen.text[:60]!r}"
            yield Violation(Promise.NO_LOSS, what, screen.evidence)


def _unanswered(story: Story, message: Message, sentence: Screen | None) -> Iterator[Violation]:
    """A sentence may stand there where the row expects some, in time, and for a reason."""
    lines = tuple(map(str, message.lines))
    if sentence is None:
        what = f"{message.mark} was acknowledged and has no outcome"
        yield Violation(Promise.NO_LOSS, what, lines)
    elif not story.about["reports"]:
        what = f"{message.mark} has a sentence instead of an answer: {sentence.text[:60]!r}"
        yield Violation(Promise.NO_LOSS, what, lines)
    elif at(sentence) - (message.acknowledged_at or 0) > story.about["within"] * SECOND:
        yield _late(message, at(sentence), sentence)
    elif not _had_reason(story, message, sentence):
        what = f"{message.mark} was given up although nothing had gone wrong"
        yield Violation(Promise.NO_LOSS, what, sentence.evidence)


def _had_reason(story: Story, message: Message, sentence: Screen) -> bool:
    since, until = message.first_at - LONGEST_SEND, at(sentence)
    odd = any(
        ask.at <= until and message.mark in ask.block and ask.finish not in USUAL
        for ask in story.asks
    )
    failed = model_failed(story, message.first_at - LEFT_ALONE, until)
    return odd or failed or went_wrong(story, message.mark.talk, since, until)


def turned_away(story: Story) -> Iterator[Violation]:
    """What a door does not take is to come again: no other word is true of a message."""
    for status, line in story.refusals:
        if status not in UNAVAILABLE:
            what = f"a message was turned away with {status}, and not with 503"
            yield Violation(Promise.NO_LOSS, what, (str(line),))


def exact(talked: Talked) -> Iterator[Violation]:
    """What stands there is what the model said, word for word."""
    for screen in talked.answers:
        if not is_exact(screen.text):
            what = f"in {talked.talk} an answer is not what the model said: {screen.text[:60]!r}"
            yield Violation(Promise.NO_LOSS, what, screen.evidence)


def _is_known(story: Story, message: Message) -> bool:
    """Whether nobody can know if its answer arrived, and the operator has been told so."""
    if story.about["platform"] in READABLE:
        return False
    if _is_blocked(story, message):
        return True
    trouble = went_wrong(story, message.mark.talk, message.first_at, story.ended_at)
    return story.dead.get(message.mark) == "ambiguous" and trouble


def _is_blocked(story: Story, message: Message) -> bool:
    """Whether nobody could be told anything there: what was left of it the operator has."""
    struck = any(
        one.how == BLOCKED and one.talk == message.mark.talk and one.at >= message.first_at
        for one in story.strikes
    )
    return struck and BLOCKED in story.dead.get(message.mark, "")


def _is_orphan(story: Story, screen: Screen) -> bool:
    """A mark of thinking whose sender died before it could learn where the mark stands."""
    if story.about["platform"] in READABLE:
        return False
    opened = screen.versions[0].at
    only_opened = screen.text == OPENING and len(screen.versions) == 1
    span = ANSWERED * SECOND
    return only_opened and went_wrong(story, screen.talk, opened - span, opened + span)


def _late(message: Message, when: int, screen: Screen) -> Violation:
    seconds = (when - (message.acknowledged_at or 0)) / SECOND
    what = f"{message.mark} had its outcome only after {seconds:.1f} s"
    return Violation(Promise.NO_LOSS, what, (*map(str, message.lines), *screen.evidence))


def at_most_once(story: Story, talked: Talked) -> Iterator[Violation]:
    """No second answer, but one that says so, where an answer is no edit."""
    for mark, screens in _shown(talked).items():
        first, *more = screens
        proof = tuple(line for screen in screens for line in screen.evidence)
        if len(more) > 1 or not all(map(is_repeat, more)):
            yield Violation(
                Promise.AT_MOST_ONCE, f"{mark} was answered {len(screens)} times", proof
            )
        elif more and mark.talk.tenant in story.about["editing"] and len(first.versions) > 1:
            what = f"{mark} was answered again where the answer could have been edited"
            yield Violation(Promise.AT_MOST_ONCE, what, proof)


def repeats(story: Story, talked: Talked, reported: Reported) -> Iterator[Violation]:
    """Whatever says that it may be there twice says so with reason, alone or not.

    Nobody could read whether the first one is there, it is the policy to send it again, and
    something had gone wrong since it was due.
    """
    for screen in filter(is_repeat, (*talked.answers, *talked.sentences)):
        name = " ".join(map(str, screen.marks)) or "a sentence"
        what = f"in {talked.talk} {name} was sent again "
        if story.about["platform"] in READABLE:
            what += "where it can be read what stands there"
        elif story.about["ambiguous"] == "report":
            what += "although the policy is to report"
        elif not went_wrong(story, talked.talk, _due(story, talked, reported, screen), at(screen)):
            what += "although nothing had gone wrong"
        else:
            continue
        yield Violation(Promise.AT_MOST_ONCE, what, screen.evidence)


def _due(story: Story, talked: Talked, reported: Reported, screen: Screen) -> int:
    """When it can have been sent for the first time, at the earliest."""
    marks = screen.marks or [mark for mark, one in reported.of.items() if one is screen]
    written = [story.messages[mark].first_at for mark in marks if mark in story.messages]
    shown = _shown(talked)
    others = (at(one) for mark in marks for one in shown.get(mark, ()))
    return min([*written, *(when - LONGEST_SEND for when in (at(screen), *others))])


def _shown(talked: Talked) -> dict[Mark, list[Screen]]:
    """Where each message was answered."""
    shown: dict[Mark, list[Screen]] = defaultdict(list)
    for screen in talked.answers:
        for mark in screen.marks:
            shown[mark].append(screen)
    return shown


def enough(story: Story, talks: dict[Talk, Talked]) -> Iterator[Violation]:
    """Something happened at all, and most people have an answer and not only a sentence."""
    taken = [one for one in story.messages.values() if one.acknowledged_at is not None]
    if not taken:
        yield Violation(Promise.WHOLE, "nothing was acknowledged: nothing is proven")
        return
    answered = {mark for talked in talks.values() for mark in talked.first_answers()}
    part = sum(message.mark in answered for message in taken) / len(taken)
    if part < story.about["least"]:
        what = f"of {len(taken)} messages {part:.0%} have an answer, at least "
        yield Violation(Promise.NO_LOSS, f"{what}{story.about['least']:.0%} are due")


def went_wrong(story: Story, talk: Talk, since: int, until: int) -> bool:
    """Whether anything happened meanwhile to the servers, or to a call for this conversation.

    What a platform was told to do wrong counts only where it did, and only for whom it met; what
    the model did wrong leaves nobody wondering about a send.
    """
    if any(event.at <= until and since <= event.until for event in story.troubles()):
        return True
    calls = (one for one in (*story.strikes, *story.hung_up) if since <= one.at <= until)
    return any(one.peer != MODEL and one.talk in (talk, None) for one in calls)


def model_failed(story: Story, since: int, until: int) -> bool:
    """Whether the model did, for whomever: who asks too often in vain leaves it alone for all."""
    calls = (one for one in story.strikes if one.peer == MODEL)
    shut = any(since < end and begin <= until for begin, end in story.shut)
    return shut or any(since <= one.at <= until for one in calls)


def reported(story: Story, talked: Talked, asks: list[Ask]) -> Reported:
    """Give each sentence to the oldest message that has no outcome yet, and to its turn."""
    answered = talked.first_answers()
    written = [one for one in story.messages.values() if one.mark.talk == talked.talk]
    left = sorted((m for m in written if m.mark not in answered), key=lambda one: one.first_at)
    known = {mark for ask in asks for mark in ask.block}
    found, turns = Reported(), 0
    for sentence in sorted(talked.sentences, key=at):
        # Whose answer is a dead letter is rarely told anything: the others come first.
        living = [message for message in left if message.mark not in story.dead]
        # What was neither acknowledged nor asked about may never have been taken at all.
        taken = [one for one in living if one.acknowledged_at is not None or one.mark in known]
        tries = (_meant(some, asks, at(sentence)) for some in (taken, living, left))
        meant = next(filter(None, tries), [])
        if meant and meant[0].mark not in known:
            # They may have been one turn, or each one of its own that has a sentence later.
            turns += len(meant) - 1
        elif not meant and turns:
            turns -= 1
        elif not meant:
            found.spare.append(sentence)
        found.of |= {message.mark: sentence for message in meant}
        left = [message for message in left if message not in meant]
    return found


def _meant(left: list[Message], asks: list[Ask], when: int) -> list[Message]:
    """The oldest and all that the model was asked about together with it.

    Of those that it was never asked about nobody can tell where a turn ends.
    """
    before = [message for message in left if message.first_at < when]
    blocks = [ask.block for ask in asks if ask.at < when]
    known = {mark for block in blocks for mark in block}
    if not before:
        return []
    oldest = before[0].mark
    if oldest in known:
        turn = {mark for block in blocks if oldest in block for mark in block}
        return [message for message in before if message.mark in turn]
    return list(takewhile(lambda message: message.mark not in known, before))


def no_phantom(story: Story, talked: Talked, reported: Reported) -> Iterator[Violation]:
    """No answer without a message that was delivered before; no sentence without one either."""
    for screen in (*talked.answers, *talked.halves):
        for mark in screen.marks:
            message = story.messages.get(mark)
            if message is None or message.first_at > at(screen):
                what = f"{mark} was answered and nobody had sent it"
                yield Violation(Promise.NO_PHANTOM, what, screen.evidence)
    for screen in reported.spare:
        if not is_repeat(screen):  # whether that one has its reason is asked elsewhere
            what = f"{talked.talk} was told {screen.text[:60]!r}, and all had their outcome"
            yield Violation(Promise.NO_PHANTOM, what, screen.evidence)


def acknowledged(story: Story, talked: Talked) -> list[Message]:
    """What the platform was told is taken."""
    return [
        message
        for mark, message in story.messages.items()
        if mark.talk == talked.talk and message.acknowledged_at is not None
    ]
