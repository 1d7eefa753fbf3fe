"""WeChat under `kill -9`: answers in the platform's own calls, and by messages of its API."""

import asyncio
import random
from dataclasses import replace
from typing import Any

from tests.faults.bench import Bench
from tests.faults.rows.random_kills import kill_now_and_then, plan_of
from tests.faults.rows.under import under
from tests.faults.world import World

SEND = "message/custom/send"
WINDOW = (45015, 45047)
"""What is refused 48 hours after the person wrote, and behind the fifth message since then."""
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("errcode", {"code": -1}),
    *(("errcode", {"code": code}) for code in WINDOW),
    ("page", {}),
    ("garbage", {}),
    ("garbage", {"effect": True}),
    ("hang", {}),
    ("hang", {"effect": True}),
    ("cut", {}),
    ("cut", {"effect": True}),
    ("late", {"seconds": 1.5}),
)
EVERY = (1.0, 3.0)
"""Seconds between calls that go wrong."""
REVOKED = 0.1
"""The part of what goes wrong that is a token which opens nothing any more."""


async def wechat_kills(bench: Bench) -> None:
    """As at Telegram; nobody can read or edit what stands there, so repeats are marked."""
    plan = replace(plan_of(bench, "WeChat kills"), platform="wechat", within=90.0)
    await under(bench, plan, _trouble, noticed=("turn.resumed",))


async def wechat_calls(bench: Bench) -> None:
    """Accounts that may send nothing: who has no answer in the three calls writes again."""
    plan = replace(plan_of(bench, "WeChat calls"), platform="wechat-calls", within=90.0)
    await under(bench, plan, kill_now_and_then, noticed=("turn.resumed",))


async def _trouble(world: World, chance: random.Random) -> None:
    await asyncio.gather(kill_now_and_then(world, chance), _fail_now_and_then(world, chance))


async def _fail_now_and_then(world: World, chance: random.Random) -> None:
    while not world.over:
        await asyncio.sleep(chance.uniform(*EVERY))
        tenant = chance.choice(tuple(world.bots))
        if chance.random() < REVOKED:
            await world.bots[tenant].tell("revoke")
            world.log.write("revoked", node=f"wechat-{tenant}")
            continue
        name, args = chance.choice(KINDS)
        world.log.write("fault", node=tenant, kind_of=name, method=SEND)
        await world.bots[tenant].tell("faults", name=name, args=args, method=SEND)
