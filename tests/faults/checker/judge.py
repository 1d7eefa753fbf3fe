"""All promises, one story: the violations, and the figures of the run."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import context, counts, delivery, durability, isolation, order
from tests.faults.checker.outcomes import Talked, at, is_repeat, told
from tests.faults.checker.reading import read
from tests.faults.checker.records import BESIDE, Ask, Story, ToolRun, Violation
from tests.faults.marks import Talk

SECOND = 1_000_000
FAULTS = (
    *("killed", "frozen", "cut_off", "fault", "told_to_stop", "restarted", "terminated"),
    *BESIDE,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run was like, beside right or wrong."""

    lease: float
    messages: int
    answered: int
    sentences: int
    repeats: int
    dead: int
    """Answers that nobody knows the end of: dead letters, shown to an operator."""
    orphans: int
    """Marks of thinking that were left because their sender died while it put them there."""
    faults: int
    p99_answer: float
    p99_recovery: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker says of a run."""

    violations: tuple[Violation, ...]
    figures: Figures


def judge(folder: Path) -> Verdict:
    """Read the logs of a run and prove its promises."""
    story = read(folder)
    talks = told(story)
    return Verdict(tuple(_violations(story, talks)), _figures(story, talks))


def _violations(story: Story, talks: dict[Talk, Talked]) -> Iterator[Violation]:
    asks: dict[Talk, list[Ask]] = defaultdict(list)
    runs: dict[Talk, list[ToolRun]] = defaultdict(list)
    for ask in story.asks:
        if ask.talk is not None:
            asks[ask.talk].append(ask)
    for run in story.tools:
        runs[run.talk].append(run)
    for talk, talked in talks.items():
        yield from delivery.no_loss(story, talked)
        yield from delivery.at_most_once(story, talked)
        yield from order.order(story, talked)
        yield from order.one_turn_at_a_time(story, asks[talk], runs[talk])
        yield from delivery.no_phantom(story, talked)
        yield from context.context(story, talked, asks[talk])
        yield from context.not_again(story, asks[talk])
        yield from counts.accounting(story, talked, asks[talk])
    yield from durability.durability(story)
    yield from counts.tools(story)
    yield from counts.bounded(story)
    yield from isolation.isolation(story)
    yield from isolation.no_secrets(story)


def _figures(story: Story, talks: dict[Talk, Talked]) -> Figures:
    answers: list[float] = []
    recoveries: list[float] = []
    copies = len(story.copies)
    faults = sorted(event.at for event in story.events if event.kind in FAULTS)
    for talked in talks.values():
        for mark, screen in talked.first_answers().items():
            message = story.messages.get(mark)
            if message is None:
                continue
            answers.append((at(screen) - message.first_at) / SECOND)
            during = [when for when in faults if message.first_at <= when <= at(screen)]
            recoveries += [(at(screen) - when) / SECOND for when in during[-1:]]
    return Figures(
        lease=story.about["lease"],
        messages=len(story.messages),
        answered=len(answers),
        sentences=sum(len(talked.sentences) for talked in talks.values()),
        repeats=sum(is_repeat(one) for talked in talks.values() for one in talked.answers),
        dead=len(story.dead),
        orphans=sum(len(talked.halves) for talked in talks.values()),
        faults=max(copies, len(faults)),
        p99_answer=_p99(answers) or 0.0,
        p99_recovery=_p99(recoveries),
    )


def _p99(values: list[float]) -> float | None:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))] if values else None
