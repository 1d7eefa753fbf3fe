"""What strangers send to a webhook: forged, too large, too slow, not what it says it is."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import aiohttp

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.marks import Mark, Talk
from tests.faults.node import Node
from tests.faults.plan import Plan
from tests.faults.platforms import ADAPTERS, Event, Name
from tests.faults.rows import abuse_slack, abuse_telegram, abuse_wechat
from tests.faults.rows.abuse_calls import HUNG_UP, Forge, make, never_end
from tests.faults.rows.under import under
from tests.faults.world import World

FORGED = 900_000
"""Numbers of messages that nobody sends: an answer to one is a phantom."""
FAILED, UNAVAILABLE = 500, 503
TOO_SLOW = 408
COPIES = (2, 5)
"""How often every message is delivered, at once and later, by whichever node."""
LATEST = 5.0
BETWEEN = 0.2
"""Seconds between two rounds of knocks."""


@dataclass(frozen=True, slots=True)
class Strangers:
    """What they know of a platform: to write as it does, and to spoil what they have written."""

    right: Forge
    spoils: Sequence[Forge]


STRANGERS: Mapping[Name, Strangers] = {
    "telegram": Strangers(abuse_telegram.right, abuse_telegram.TELEGRAM),
    "slack": Strangers(abuse_slack.right, abuse_slack.SLACK),
    "wechat": Strangers(abuse_wechat.right, abuse_wechat.WECHAT),
}


async def abuse(bench: Bench) -> None:
    """Strangers knock all the time; people write and are answered as ever."""
    await _abuse(bench, "telegram")


async def slack_abuse(bench: Bench) -> None:
    """The same at Slack's door."""
    await _abuse(bench, "slack")


async def wechat_abuse(bench: Bench) -> None:
    """The same at WeChat's."""
    await _abuse(bench, "wechat")


async def _abuse(bench: Bench, platform: Name) -> None:
    plan = Plan(
        "webhook abuse",
        bench.store,
        platform=platform,
        nodes=1 if bench.store == "sqlite" else 2,
        talks=10,
        seed=bench.seed,
        habits=Habits(rate=5.0, copies=COPIES, spread=LATEST),
    )
    await under(bench, plan, partial(_knock, bench))


@dataclass(frozen=True, slots=True)
class Visit:
    """One stranger on the way to one door."""

    node: Node
    url: str
    event: Event


async def _knock(bench: Bench, world: World, chance: random.Random) -> None:
    numbers = itertools.count(FORGED)
    strangers = STRANGERS[world.plan.platform]
    refused: Counter[str] = Counter()
    endless = [
        asyncio.create_task(_wait(world, _visit(world, talk, node, next(numbers)), dropping))
        for node in world.nodes
        for talk in (world.talks[0], world.talks[-1])
        for dropping in (False, True)
    ]
    async with aiohttp.ClientSession() as session:
        while not world.over:
            knocks = []
            for spoil in strangers.spoils:
                talk, node = chance.choice(world.talks), chance.choice(world.nodes)
                visit = _visit(world, talk, node, next(numbers))
                knocks.append(_once(bench, world, session, spoil, visit))
            refused.update(filter(None, await asyncio.gather(*knocks)))
            await asyncio.sleep(BETWEEN)
    ended = await asyncio.gather(*endless)
    bench.told.append(f"refused: {dict(refused)}; without an end: {dict(Counter(ended))}")
    if lacking := [one.__name__ for one in strangers.spoils if not refused[one.__name__]]:
        bench.missed.append(f"never came to be refused: {', '.join(lacking)}")
    if wrong := [status for status in ended if status not in (TOO_SLOW, HUNG_UP)]:
        bench.failed.append(f"what had no end was not ended, but came to {wrong}")


def _visit(world: World, talk: Talk, node: Node, number: int) -> Visit:
    event = world.driver.event(Mark(talk, number))
    return Visit(node, f"{node.url}/in/{ADAPTERS[talk.tenant]}", event)


async def _wait(world: World, visit: Visit, dropping: bool) -> int:
    """What a server makes of a right message that never comes to its end."""
    call = STRANGERS[world.plan.platform].right(visit.event)
    status = await never_end(visit.url, call, dropping=dropping)
    _note(world, visit, "dropping" if dropping else "silent", status)
    return status


async def _once(
    bench: Bench, world: World, session: aiohttp.ClientSession, spoil: Forge, visit: Visit
) -> str | None:
    """The knock's name where the server has refused it; None where the door was shut."""
    call, name = spoil(visit.event), spoil.__name__
    status = await make(session, visit.url, call)
    taken = 200 <= status < 300
    _note(world, visit, name, status)
    # What was taken in is a phantom to the judge, too, where it is answered.
    wrong = taken and not call.harmless
    if wrong or (status >= FAILED and status != UNAVAILABLE):
        what = f"{name} was answered with {status}"
        bench.failed += [what] if what not in bench.failed else []
    return name if taken or 400 <= status < 500 else None


def _note(world: World, visit: Visit, name: str, status: int) -> None:
    kind = "knocked" if status else "note"
    world.log.write(kind, node=visit.node.name, knock=name, status=status)
