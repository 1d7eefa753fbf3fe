"""The model's service in every bad state: each kind alone, and many at random."""

import asyncio
import random
from dataclasses import replace
from functools import partial
from typing import Any

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.marks import Talk
from tests.faults.plan import Plan
from tests.faults.rows.resting import rested, warmed
from tests.faults.rows.under import under
from tests.faults.world import World

SILENCE = 2.0
"""Seconds that the model may be silent in these rows, or a hang would last longer than all else."""
PLAIN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rate_limited", {"retry_after": 1}),
    ("rate_limited", {"retry_after": None}),
    ("rate_limited", {"retry_after": 600}),
    ("out_of_quota", {}),
    *(("failure", {"status": status}) for status in (500, 502, 503, 504, 529)),
    ("error_in_200", {}),
    ("page", {}),
    ("page", {"status": 200, "text": "Welcome"}),
    ("picture", {}),
    ("garbage", {}),
    ("hang", {}),
    ("cut", {}),
    ("late", {"seconds": 1.0}),
    ("slow_head", {}),
)
FLAWS = (
    *("cut", "cut_utf8", "malformed", "stall", "error", "empty_choices", "null_choices"),
    *("huge_line", "no_finish", "no_done", "nothing", "cut_json", "trickle", "as_json", "as_text"),
)
IN_A_CALL = tuple(("flaw", {"kind": kind, "at": 3}) for kind in ("cut_json", "cut", "trickle"))
"""Where the arguments of a function that the model wants to be called are half said."""
KINDS = (
    *PLAIN,
    *(("flaw", {"kind": kind, "at": at}) for kind in FLAWS for at in (1, 5)),
)
BRIEF = tuple(one for one in KINDS if one != ("rate_limited", {"retry_after": 600}))
"""A service that asks for ten minutes is given them: nothing else would be tried in that run."""
SHARE = 3
"""One call in so many goes wrong."""
ODD = ("length", "filtered", "nothing", "loop", "unknown", "json", "twins")
LEAST_BROKEN = 0.2
"""The part of all calls that goes wrong where a third is meant to."""


def _plan(bench: Bench, row: str, rate: float) -> Plan:
    return Plan(
        row,
        bench.store,
        talks=10,
        seed=bench.seed,
        silence=SILENCE,
        reports=True,
        habits=Habits(rate=rate),
    )


async def model_kinds(bench: Bench) -> None:
    """Each kind of failure meets a call, at both bots; and each kind of odd answer."""
    plan = replace(_plan(bench, "model kinds", 20.0), least=0.65)
    async with bench.world(plan) as world:
        await world.start()
        await warmed(world)
        for number, (name, args) in enumerate((*KINDS, *IN_A_CALL)):
            called = number % 3 == 0 or number >= len(KINDS)
            for talk in _two(world, number):
                await world.model.tell("faults", name=name, args=args)
                await world.driver.say(talk, "look" if called else "")
                await _outcome(bench, world, f"{name} {args}")
                if await world.model.tell("waiting"):
                    bench.missed.append(f"{name} {args} never struck")
                    await world.model.tell("clear")
        for number, odd in enumerate(ODD):
            for talk in _two(world, number):
                await world.driver.say(talk, f"odd:{odd}")
                await _outcome(bench, world, odd)
        await rested(world)
        await world.finish()


def _two(world: World, number: int) -> list[Talk]:
    return [talk for talk in world.talks if talk.number == 1 + number % world.plan.talks]


async def _outcome(bench: Bench, world: World, kind: str) -> None:
    world.log.write("fault", node="model", kind_of=kind)
    if not await world.settle():
        bench.failed.append(f"no outcome after {kind}")


async def model_at_random(bench: Bench) -> None:
    """A third of all calls fails, each in another way."""
    plan = replace(_plan(bench, "model at random", 10.0), least=0.5)
    await under(bench, plan, partial(_fail_now_and_then, bench))


async def _fail_now_and_then(bench: Bench, world: World, chance: random.Random) -> None:
    asked, planned = await _asked(world), 0
    while not world.over:
        # Never more than the share of the calls so far: when there are few, few go wrong.
        if planned * SHARE <= await _asked(world) - asked:
            name, args = chance.choice(BRIEF)
            world.log.write("fault", node="model", kind_of=name)
            await world.model.tell("faults", name=name, args=args)
            planned += 1
        await asyncio.sleep(chance.uniform(0.02, 0.1))
    struck = planned - int(await world.model.tell("waiting"))
    asked = await _asked(world) - asked
    bench.told.append(f"{struck} of {asked} calls of the model went wrong")
    if struck < asked * LEAST_BROKEN:
        bench.missed.append(f"only {struck} of {asked} calls went wrong")


async def _asked(world: World) -> int:
    return int(await world.model.tell("count"))
