"""The platform in every bad state at a send: refused, slow, cut off before or after it took."""

import asyncio
import random
from dataclasses import replace
from typing import Any

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.refusals import refusals
from tests.faults.rows.resting import rested, warmed
from tests.faults.rows.under import under
from tests.faults.world import World

KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("flood", {"retry_after": 1}),
    ("flood", {"retry_after": 3}),
    *(("failure", {"status": status}) for status in (500, 502, 503)),
    ("page", {}),
    ("garbage", {}),
    ("garbage", {"effect": True}),
    ("garbage", {"status": 502, "effect": True}),
    ("hang", {}),
    ("hang", {"effect": True}),
    ("cut", {}),
    ("cut", {"effect": True}),
    ("late", {"seconds": 1.5}),
)
ONE_BY_ONE = (*KINDS, ("failure", {"status": 502, "effect": True}))
"""A service that says that it failed is asked as often as it takes: at random, what it did all the
same might stand there a third time."""

METHODS = {
    "a": ("sendMessage", "sendMessageDraft"),
    "b": ("sendMessage", "editMessageText"),
}
"""What each bot's answers are made of."""


PACE = 0.1
"""Seconds between the pieces of an answer that is to grow on the screen."""


def _plan(bench: Bench, row: str, rate: float) -> Plan:
    return Plan(
        row,
        bench.store,
        talks=10,
        seed=bench.seed,
        within=90.0,
        habits=Habits(rate=rate),
    )


async def send_kinds(bench: Bench) -> None:
    """Each kind meets each call that an answer is made of; and then what no try helps with."""
    async with bench.world(_plan(bench, "send kinds", 20.0)) as world:
        await world.start()
        await warmed(world)
        for number, (name, args) in enumerate(ONE_BY_ONE):
            for talk in (one for one in world.talks if one.number == 1 + number % 10):
                for method in METHODS[talk.tenant]:
                    bot = world.bots[talk.tenant]
                    # A draft is begun for an answer that takes its time only.
                    pace = PACE if method == "sendMessageDraft" else 0.0
                    await world.model.tell("pace", pace=pace)
                    await bot.tell("faults", name=name, args=args, method=method)
                    world.log.write("fault", node=talk.tenant, kind_of=name, method=method)
                    await world.driver.say(talk, "look" if number % 3 == 0 else "")
                    if not await world.settle():
                        bench.failed.append(f"no answer after {name} {args} of {method}")
                    if await bot.tell("waiting"):
                        bench.missed.append(f"{name} {args} of {method} never struck")
                    await bot.tell("clear")
        await world.model.tell("pace", pace=0.0)
        await refusals(bench, world)
        await rested(world)
        await world.finish()


async def sends_at_random(bench: Bench) -> None:
    """A part of all calls fails, each in another way; answers are repeated by policy."""
    await under(bench, _plan(bench, "sends at random", 10.0), _fail_now_and_then)


async def sends_reported(bench: Bench) -> None:
    """The same where the policy is to report: nothing is ever sent a second time."""
    plan = replace(_plan(bench, "sends reported", 10.0), ambiguous="report", within=30.0)
    await under(bench, plan, _fail_now_and_then)


async def _fail_now_and_then(world: World, chance: random.Random) -> None:
    while not world.over:
        tenant = chance.choice(tuple(METHODS))
        name, args = chance.choice(KINDS)
        method = chance.choice(METHODS[tenant])
        world.log.write("fault", node=tenant, kind_of=name, method=method)
        await world.bots[tenant].tell("faults", name=name, args=args, method=method)
        await asyncio.sleep(chance.uniform(0.2, 0.8))
