"""I3: outcomes in the order of acceptance, and one turn of a conversation at a time."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from tests.faults.checker.delivery import Reported, acknowledged
from tests.faults.checker.outcomes import Talked, at, is_repeat
from tests.faults.checker.records import Ask, Message, Promise, Screen, Story, ToolRun, Violation
from tests.faults.marks import Mark

SECOND = 1_000_000
GRACE = 2.0
"""Leases within which a node that woke up has let go of what it did, on a full machine, too."""

LATE = 0.25
"""Of a lease: what was begun in time may be written down so much later on a full machine."""

OUT_OF_TURN = "I have too much waiting here"
"""The sentence that is said at once, before what waits already: that is what it is for."""


@dataclass(frozen=True, slots=True)
class _Answered:
    message: Message
    taken_at: int
    when: int


def order(story: Story, talked: Talked, asks: list[Ask], reported: Reported) -> Iterator[Violation]:
    """Outcomes come in the order of acceptance, as far as the logs can tell that order.

    A message is accepted between its first delivery and its acknowledgement; where one ends
    before another begins, their order is known.
    """
    answers = talked.first_answers() | _sentences(story, talked, asks, reported)
    answered = [
        _Answered(one, one.acknowledged_at or 0, at(answers[one.mark]))
        for one in acknowledged(story, talked)
        if one.mark in answers
    ]
    answered.sort(key=lambda one: one.taken_at)
    latest = list(accumulate(answered, _later))
    for one in answered:
        before = bisect_left(answered, one.message.first_at, key=lambda other: other.taken_at)
        if before and latest[before - 1].when > one.when:
            first, then = latest[before - 1].message, one.message
            what = f"{then.mark} had its outcome before {first.mark}, which came before it"
            shown = (*answers[then.mark].evidence, *answers[first.mark].evidence)
            lines = map(str, (*first.lines[:2], *then.lines[:2]))
            yield Violation(Promise.ORDER, what, (*lines, *shown))


def _sentences(
    story: Story, talked: Talked, asks: list[Ask], reported: Reported
) -> dict[Mark, Screen]:
    """Whose each sentence is, in a conversation in which there is no second way to see it.

    A sentence names nobody, and in a private chat it is a reply to nothing: it can be known by its
    place alone. The earliest one must be the oldest unanswered message's if outcomes come in order
    at all, the next one the next one's. That says nothing where sentences may be for others: said
    twice or out of turn, or fewer or more than there are turns without an answer; and where turns
    have no known order or, never shown to the model, no known end.
    """
    odd = any(is_repeat(one) or OUT_OF_TURN in one.text for one in talked.sentences)
    answered, known = talked.first_answers(), {mark for ask in asks for mark in ask.block}
    written = [one for one in story.messages.values() if one.mark.talk == talked.talk]
    left = sorted((m for m in written if m.mark not in answered), key=lambda one: one.first_at)
    untold = any(one.mark not in reported.of or one.mark in story.dead for one in left)
    if odd or untold or reported.spare:
        return {}
    for one, other in pairwise(left):
        if reported.of[one.mark] is reported.of[other.mark]:
            if one.mark not in known:
                return {}
        elif one.acknowledged_at is None or one.acknowledged_at >= other.first_at:
            return {}
    return {one.mark: reported.of[one.mark] for one in left}


def _later(one: _Answered, other: _Answered) -> _Answered:
    return one if one.when >= other.when else other


@dataclass(frozen=True, slots=True)
class _Span:
    """While the model or a tool was at work for a turn, as far as its node was alive."""

    begin: int
    end: int
    node: str
    turn: frozenset[Mark]
    excused: bool
    line: str


def one_turn_at_a_time(story: Story, asks: list[Ask], runs: list[ToolRun]) -> Iterator[Violation]:
    """Within a conversation what the model and the tools do never overlaps between turns.

    A node that was frozen or cut off while it asked cannot have known that others went on; and
    what a dead node asked for ends with its death.
    """
    spans = [
        _span(story, (ask.node, frozenset(ask.block)), (ask.at, ask.ended_at), str(ask.line))
        for ask in asks
    ]
    for run in runs:
        turn = frozenset(_turn_of(run, asks))
        spans.append(_span(story, (run.node, turn), (run.at, run.ended_at), str(run.line)))
    spans += [tail for ask in asks if (tail := _awake(story, ask)) is not None]
    yield from _twice_at_once(asks)
    spans.sort(key=lambda span: span.begin)
    for i, span in enumerate(spans):
        for other in spans[i + 1 :]:
            if other.begin >= span.end:
                break
            same = span.node == other.node and span.turn & other.turn
            if not same and not span.excused and not other.excused:
                what = f"two turns of {min(span.turn).talk} ran at once"
                yield Violation(Promise.ORDER, what, (span.line, other.line))


def asks_without_a_lease(story: Story, asks: list[Ask]) -> Iterator[Violation]:
    """Whose line to the database is broken begins nothing once its lease must be over.

    Nor does it go on with what it had begun before: somebody else may have its turns by then.
    """
    most = round(story.about["lease"] * (1 + LATE) * SECOND)
    for node, since, until in story.severed():
        over = since + most
        for ask in asks:
            if ask.node != node or ask.at >= until or over >= until:
                continue
            span = _span(story, (node, frozenset(ask.block)), (ask.at, ask.ended_at), "")
            if ask.at > over:
                seconds = (ask.at - since) / SECOND
                what = f"{node} asked {seconds:.1f} s after it was cut off: its lease was over"
            elif min(span.end, until) > over:
                seconds = (min(span.end, until) - since) / SECOND
                what = f"{node} went on for {seconds:.1f} s after it was cut off with what it asked"
            else:
                continue
            yield Violation(Promise.ORDER, what, (str(ask.line),))


def _awake(story: Story, ask: Ask) -> _Span | None:
    """What a node still asks long after it could know again what went on."""
    grace = round(story.about["lease"] * GRACE * SECOND)
    absences = story.absences(ask.node)
    whole = _span(story, (ask.node, frozenset(ask.block)), (ask.at, ask.ended_at), str(ask.line))
    if not whole.excused:
        return None
    since = max(to for begin, to in absences if begin < whole.end and whole.begin < to) + grace
    if whole.end <= since:
        return None
    return replace(whole, begin=since, excused=False)


def _twice_at_once(asks: list[Ask]) -> Iterator[Violation]:
    """No node asks the very same thing while it is being answered, and hears both to the end."""
    heard: dict[tuple[str, str], list[Ask]] = defaultdict(list)
    for ask in asks:
        if ask.completed and ask.fault is None:
            heard[ask.node, ask.digest].append(ask)
    for same in heard.values():
        for first, second in pairwise(sorted(same, key=lambda ask: ask.at)):
            if second.at < (first.ended_at or 0):
                what = f"{first.node} asked twice at once for {' '.join(map(str, first.block))}"
                yield Violation(Promise.ORDER, what, (str(first.line), str(second.line)))


def _turn_of(run: ToolRun, asks: list[Ask]) -> tuple[Mark, ...]:
    """The messages that were answered together with the one whose tool this is."""
    of_turn = (ask.block for ask in asks if run.mark in ask.block and ask.at <= run.at)
    return max(of_turn, key=len, default=(run.mark,))


def _span(
    story: Story, whose: tuple[str, frozenset[Mark]], when: tuple[int, int | None], line: str
) -> _Span:
    (node, turn), (begin, end) = whose, when
    death = min((at for at in story.deaths(node) if at >= begin), default=story.ended_at)
    until = death if end is None else min(end, death)
    excused = any(since < until and begin < to for since, to in story.absences(node))
    return _Span(begin, until, node, turn, excused, line)
