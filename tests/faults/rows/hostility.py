"""Plugins that fail in every way but one: nobody else may notice, not even by waiting longer."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.faults.bench import Bench
from tests.faults.checker.outcomes import at, told
from tests.faults.checker.records import Screen, Story
from tests.faults.marks import Mark, Talk
from tests.faults.world import World

HARMLESS = tuple(
    f"{tool}:{kind}"
    for kind in ("raise", "hang", "recursion", "output", "sys_exit")
    for tool in ("hostile", "stubborn")
)
QUIET = ("look",)
"""What the same people ask for while there is peace: as many messages, as many calls."""
ROUNDS = 5
"""Phases of peace, and as many of hostility, in turn: what the machine does meets both."""
TROUBLES = 6
"""Conversations of troublemakers with each bot."""
EVERY = 0.25
"""Seconds between two messages of troublemakers."""
MOST_MOVED = 0.20
"""The part of the usual p99 by which it may move."""
BLINK = 0.010
"""Seconds; less is what a thread waits for the interpreter when another has it (5 ms), twice."""
SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Compared:
    """What bystanders had to wait for, in seconds."""

    peace: Sequence[float]
    """The p99 of each phase."""
    hostility: Sequence[float]
    usual: float
    """The p99 of all phases of peace together: in a single one it is what its slowest had."""
    moved: float
    """By how much that of all phases of hostility differs from it."""

    @property
    def noise(self) -> float:
        """Phases of peace differ among themselves: less than three times their middle distance."""
        middle = median(self.peace)
        return max(BLINK, 3 * median(abs(one - middle) for one in self.peace))

    @property
    def middle(self) -> float:
        """By how much the middle one of the phases moved, each beside the peace right before it.

        One stall of the machine is enough to move what all of them have together.
        """
        return median(there - here for here, there in zip(self.peace, self.hostility, strict=True))

    @property
    def is_worse(self) -> bool:
        """Whether hostility is what somebody would have noticed."""
        return min(self.moved, self.middle) > max(self.usual * MOST_MOVED, self.noise)


@dataclass(slots=True)
class Phase:
    """One stretch of peace or hostility, and what bystanders wrote in it."""

    hostile: bool
    marks: list[Mark] = field(default_factory=list)


def is_trouble(talk: Talk) -> bool:
    """Whether it is a troublemaker's."""
    return talk.number <= TROUBLES


async def alternate(world: World, seconds: float) -> list[Phase]:
    """Peace and hostility in turn, each for so long."""
    phases = [Phase(hostile=bool(n % 2)) for n in range(2 * ROUNDS)]
    harmless = itertools.cycle(HARMLESS)
    for phase in phases:
        known = set(world.driver.sent)
        wishes = harmless if phase.hostile else itertools.cycle(QUIET)
        trouble = asyncio.create_task(_trouble(world, wishes, seconds))
        await bystanders(world, round(world.plan.habits.rate * seconds))
        await trouble
        # A phase ends with its last outcome, so that none has to do with another's.
        await world.settle()
        phase.marks = [one for one in set(world.driver.sent) - known if not is_trouble(one.talk)]
    return phases


async def bystanders(world: World, messages: int) -> None:
    """So many messages of people who have nothing to do with it."""
    driver = world.driver
    await driver.run(messages, [talk for talk in world.talks if not is_trouble(talk)])


async def _trouble(world: World, wishes: Iterator[str], seconds: float) -> None:
    talks = itertools.cycle([talk for talk in world.talks if is_trouble(talk)])
    for _ in range(round(seconds / EVERY)):
        wish = next(wishes)
        mark = world.driver.next(next(talks))
        if wish not in QUIET:
            told = {"kind_of": wish, "mark": str(mark), "harmless": True}
            world.log.write("fault", node="plugin", **told)
        world.driver.deliver_soon(mark, wish)
        await asyncio.sleep(EVERY)


def compare(bench: Bench, story: Story, phases: Sequence[Phase]) -> None:
    """Say how far hostility moves the p99 of the others, and whether that is too far."""
    found = compared(story, phases)
    bench.told.append(
        f"p99 of bystanders {found.usual * 1000:.0f} ms in peace ({_shown(found.peace)}), moved by "
        f"{found.moved * 1000:+.0f} ms under hostility ({_shown(found.hostility)}), its middle by "
        f"{found.middle * 1000:+.0f} ms, noise {found.noise * 1000:.0f} ms"
    )
    if found.is_worse:
        what = f"p99 moved: {found.usual:.3f} s of the others by {found.moved:.3f} s"
        bench.slow(f"{what}, by hostile plugins")


def compared(story: Story, phases: Sequence[Phase]) -> Compared:
    """All phases of hostility beside all of peace: what else the machine does meets both."""
    answers = answers_of(story)
    peace, hostility = (
        [_took(story, answers, one.marks) for one in phases if one.hostile is hostile]
        for hostile in (False, True)
    )
    usual = _p99([*itertools.chain(*peace)])
    moved = _p99([*itertools.chain(*hostility)]) - usual
    return Compared([*map(_p99, peace)], [*map(_p99, hostility)], usual, moved)


def tried(bench: Bench, world: World) -> None:
    """Whether the hostile functions were called at all, by their own book."""
    book = world.node.ledger.read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in book]
    calls = Counter(line["tool"] for line in lines if line["kind"] in ("begun", "tried"))
    bench.told.append(f"calls of hostile functions: {calls['hostile']} and {calls['stubborn']}")
    if not calls["hostile"] or not calls["stubborn"]:
        bench.missed.append("hostile functions were never called")


def answers_of(story: Story) -> dict[Mark, Screen]:
    """Where each message was answered first."""
    talks = told(story).values()
    return {mark: screen for one in talks for mark, screen in one.first_answers().items()}


def _took(story: Story, answers: dict[Mark, Screen], marks: Sequence[Mark]) -> list[float]:
    known = [one for one in marks if one in answers]
    return [(at(answers[one]) - story.messages[one].first_at) / SECOND for one in known]


def _p99(took: Sequence[float]) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * 0.99))]


def _shown(p99: Sequence[float]) -> str:
    return "/".join(f"{one * 1000:.0f}" for one in p99)
