"""All promises, one story: the violations, and the figures of the run."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import context, counts, delivery, durability, isolation, order
from tests.faults.checker.fates import fates_of
from tests.faults.checker.outcomes import Talked, at, is_repeat, told
from tests.faults.checker.reading import read
from tests.faults.checker.records import (
    BESIDE,
    PEERS,
    Ask,
    Event,
    Message,
    Screen,
    Story,
    ToolRun,
    Violation,
)
from tests.faults.marks import Talk

SECOND = 1_000_000
FAULTS = (
    *("killed", "frozen", "cut_off", "fault", "told_to_stop", "restarted", "terminated"),
    *("exhausted", "locked", "conflicted", *BESIDE),
)
"""What the harness did, each entry once; what the stand-ins did wrong is in their own logs."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run was like, beside right or wrong."""

    lease: float
    messages: int
    answered: int
    sentences: int
    """Messages that have a sentence instead of an answer."""
    repeats: int
    dead: int
    """Messages with neither, whose answers are dead letters, shown to an operator."""
    untaken: int
    """Messages that no server ever acknowledged, and of which nothing came."""
    orphans: int
    """Marks of thinking that were left because their sender died while it put them there."""
    faults: int
    met: int
    """Faults that met a message: between its first delivery and its outcome."""
    p99_answer: float | None
    """Seconds from the first delivery of a message to its answer."""
    p99_recovery: float | None
    """The same from the first fault that met it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker says of a run."""

    violations: tuple[Violation, ...]
    figures: Figures


def judge(folder: Path) -> Verdict:
    """Read the logs of a run and prove its promises."""
    story = read(folder)
    talks = told(story)
    return Verdict(tuple(_violations(story, talks)), figures_of(story, talks))


def _violations(story: Story, talks: dict[Talk, Talked]) -> Iterator[Violation]:
    asks: dict[Talk, list[Ask]] = defaultdict(list)
    runs: dict[Talk, list[ToolRun]] = defaultdict(list)
    for ask in story.asks:
        if ask.talk is not None:
            asks[ask.talk].append(ask)
    for run in story.tools:
        runs[run.talk].append(run)
    yield from story.broken
    yield from delivery.enough(story, talks)
    yield from delivery.turned_away(story)
    for talk, talked in talks.items():
        reported = delivery.reported(story, talked, asks[talk])
        yield from delivery.no_loss(story, talked, reported)
        yield from delivery.exact(talked)
        yield from delivery.at_most_once(story, talked)
        yield from delivery.repeats(story, talked, reported)
        yield from order.order(story, talked, asks[talk], reported)
        yield from order.one_turn_at_a_time(story, asks[talk], runs[talk])
        yield from order.asks_without_a_lease(story, asks[talk])
        yield from delivery.no_phantom(story, talked, reported)
        yield from context.context(story, talked, asks[talk])
        yield from counts.ran(story, asks[talk])
        yield from counts.unknown(talked, runs[talk])
        yield from context.not_again(story, asks[talk])
        yield from counts.accounting(story, talked, asks[talk])
    yield from context.about_nothing(story)
    yield from durability.durability(story)
    yield from counts.tools(story)
    yield from counts.bounded(story)
    yield from isolation.isolation(story)
    yield from isolation.no_secrets(story)


def figures_of(story: Story, talks: dict[Talk, Talked]) -> Figures:
    """What can be counted."""
    answers: list[float] = []
    recoveries: list[float] = []
    faults = sorted(_faults(story))
    # A function that does harm meets at least the message that called it.
    met = {bisect_left(faults, one.at) for one in _struck(story) if one.mark in story.messages}
    spans = [event for event in _struck(story) if event.until > event.at]
    for talk, talked in talks.items():
        own = sorted(_faults(story, talk))
        for mark, screen in talked.first_answers().items():
            message = story.messages.get(mark)
            if message is None:
                continue
            there = at(screen)
            answers.append((there - message.first_at) / SECOND)
            met |= set(_within(faults, message.first_at, there))
            overlapping = [span.at for span in spans if _overlap(span, message, screen)]
            met |= {bisect_left(faults, when) for when in overlapping}
            # What went on already has met it when it was written.
            struck = [own[place] for place in _within(own, message.first_at, there)]
            since = message.first_at if overlapping else next(iter(struck), None)
            if since is not None:
                recoveries.append((there - since) / SECOND)
    fates = fates_of(story, talks)
    return Figures(
        lease=story.about["lease"],
        messages=len(story.messages),
        answered=fates.answered,
        sentences=fates.told,
        repeats=sum(is_repeat(one) for talked in talks.values() for one in talked.answers),
        dead=fates.dead,
        untaken=fates.untaken,
        orphans=sum(len(talked.halves) for talked in talks.values()),
        faults=len(faults),
        # A call that went wrong for a conversation has met what it was for.
        met=max(len(met), sum(strike.talk is not None for strike in story.strikes), _turned(story)),
        p99_answer=_p99(answers),
        p99_recovery=_p99(recoveries),
    )


def _within(faults: list[int], since: int, until: int) -> range:
    """Which of them struck in between, by their places."""
    return range(bisect_left(faults, since), bisect_right(faults, until))


def _faults(story: Story, talk: Talk | None = None) -> Iterator[int]:
    """When each struck: of what the harness did until it was over, and of the stand-ins' own.

    With a conversation, only what can have met it: nobody else's call that went wrong.
    """
    yield from (event.at for event in _struck(story))
    for strike in story.strikes:
        if talk is None or strike.talk in (talk, None):
            yield strike.at


def _struck(story: Story) -> Iterator[Event]:
    for event in story.events:
        own = event.node not in PEERS
        if event.kind in FAULTS and own and event.at <= story.over_at:
            yield event


def _turned(story: Story) -> int:
    """How often somebody wrote while the way to the model was shut."""
    written = [one.first_at for one in story.messages.values()]
    return sum(any(since <= one <= until for one in written) for since, until in story.shut)


def _overlap(span: Event, message: Message, screen: Screen) -> bool:
    return span.at < message.first_at <= span.until <= at(screen)


def _p99(values: list[float]) -> float | None:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))] if values else None
