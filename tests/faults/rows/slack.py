"""Slack under `kill -9`, while calls to it go wrong in every way: nothing twice, nothing lost."""

import asyncio
import random
from dataclasses import replace
from typing import Any

from tests.faults.bench import Bench
from tests.faults.rows.random_kills import kill_now_and_then, plan_of
from tests.faults.rows.under import under
from tests.faults.world import World

METHODS = {"a": ("chat.postMessage", "chat.update"), "b": ("chat.postMessage",)}
"""What each bot's answers are made of."""
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("limited", {"retry_after": 1}),
    ("page", {}),
    ("page", {"status": 503}),
    ("garbage", {}),
    ("garbage", {"effect": True}),
    ("hang", {}),
    ("hang", {"effect": True}),
    ("cut", {}),
    ("cut", {"effect": True}),
    ("late", {"seconds": 1.5}),
)
EVERY = (0.5, 2.0)
"""Seconds between calls that go wrong."""


async def slack_kills(bench: Bench) -> None:
    """As at Telegram, and no answer may stand there twice: it can be read what stands there."""
    plan = replace(plan_of(bench, "Slack kills"), platform="slack", within=90.0)
    await under(bench, plan, _trouble, noticed=("turn.resumed",))


async def _trouble(world: World, chance: random.Random) -> None:
    await asyncio.gather(kill_now_and_then(world, chance), _fail_now_and_then(world, chance))


async def _fail_now_and_then(world: World, chance: random.Random) -> None:
    while not world.over:
        await asyncio.sleep(chance.uniform(*EVERY))
        tenant = chance.choice(tuple(METHODS))
        name, args = chance.choice(KINDS)
        method = chance.choice(METHODS[tenant])
        world.log.write("fault", node=tenant, kind_of=name, method=method)
        await world.bots[tenant].tell("faults", name=name, args=args, method=method)
