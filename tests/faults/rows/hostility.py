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
            world.log.write("fault", node="plugin", kind_of=wish, mark=str(mark))
        world.driver.deliver_soon(mark, wish)
        await asyncio.sleep(EVERY)


def compare(bench: Bench, story: Story, phases: Sequence[Phase]) -> None:
    """How far hostility moves the p99, each phase beside the phase of peace right before it.

    What else the machine does changes by and by and meets both. Phases of peace differ among
    themselves as well: less than three times their middle distance from their median proves
    nothing.
    """
    answers = answers_of(story)
    peace, hostility = (
        [_p99(story, answers, one.marks) for one in phases if one.hostile is hostile]
        for hostile in (False, True)
    )
    usual = median(peace)
    moved = median(there - here for here, there in zip(peace, hostility, strict=True))
    noise = max(BLINK, 3 * median(abs(one - usual) for one in peace))
    bench.told.append(
        f"p99 of bystanders {usual * 1000:.0f} ms in peace ({_shown(peace)}), moved by "
        f"{moved * 1000:+.0f} ms under hostility ({_shown(hostility)}), noise {noise * 1000:.0f} ms"
    )
    if moved > usual * MOST_MOVED and moved > noise:
        bench.slow(f"p99 moved: {usual:.3f} s of the others by {moved:.3f} s, by hostile plugins")


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


def _p99(story: Story, answers: dict[Mark, Screen], marks: Sequence[Mark]) -> float:
    took = sorted(
        (at(answers[one]) - story.messages[one].first_at) / SECOND
        for one in marks
        if one in answers
    )
    return took[min(len(took) - 1, int(len(took) * 0.99))]


def _shown(p99: Sequence[float]) -> str:
    return "/".join(f"{one * 1000:.0f}" for one in p99)
