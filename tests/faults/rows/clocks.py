"""The wall clock of a node is set, an hour ahead or back, or runs at a wrong pace for a while.

The pace is what NTP does to a clock that is a little wrong, and more. The machines stand where
summer time is kept, and some clocks are set to the moment before it begins or ends.
"""

import asyncio
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, pairwise

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.node import Node
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World

HOUR = 3600.0
STEPS = (HOUR, -HOUR, -600.0)
"""How far a right clock is set wrong; a wrong one is set right again."""
ZONE = "Europe/Berlin"
CHANGES = (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC))
"""When the hour behind two o'clock is left out there, and when it comes twice."""
BEFORE = 0.4
"""Seconds until then, shorter than any pause: whoever is set to it lives through it."""
PACES = (-0.5, 0.5, 0.9)
"""Seconds by which a clock gets further away in each second while it runs wrong."""
WRONG = (1.0, 4.0)
"""Seconds for which it does."""
TICK = 0.05
PAUSE = (0.5, 3.0)
JUMP = 300.0
"""Seconds between two lines of a log that only a clock which was set can explain."""


async def clocks(bench: Bench) -> None:
    """One clock at a time is set, and the nodes' clocks stay apart until it is set right."""
    await under(bench, plan_of(bench), partial(_set, bench))


async def an_hour_off(bench: Bench) -> None:
    """An hour ahead, then two back, while turns are thought about and others wait behind them."""
    async with bench.world(plan_of(bench)) as world:
        await world.start()
        for number, ahead in enumerate((HOUR, -HOUR)):
            for talk in world.talks[:6]:
                world.driver.begin(talk, "look enter")
            await world.driver.arrived()
            set_clock(world, world.nodes[number % len(world.nodes)], ahead)
            for talk in world.talks[:6]:
                world.driver.begin(talk)
            if not await world.settle():
                bench.failed.append(f"no answer with a clock set to {ahead:+g} s")
        await world.finish()
        await _notice(bench, world)


def plan_of(bench: Bench) -> Plan:
    """Turns long enough to be met in the middle."""
    return Plan(
        "clocks",
        bench.store,
        nodes=1 if bench.store == "sqlite" else 3,
        talks=20,
        seed=bench.seed,
        pause=0.3,
        module="tests.faults.stepping",
        environ={"TZ": ZONE},
        habits=Habits(rate=15.0),
    )


def set_clock(world: World, node: Node, ahead: float) -> None:
    """From now on this node's wall clock is so many seconds ahead."""
    _turn(node, ahead)
    world.log.write("set", node=node.name, ahead=round(ahead, 3))


def _turn(node: Node, ahead: float) -> None:
    new = node.clock.with_suffix(".new")
    new.write_text(f"{ahead}", encoding="ascii")
    new.replace(node.clock)


async def _set(bench: Bench, world: World, chance: random.Random) -> None:
    ahead = dict.fromkeys((node.name for node in world.nodes), 0.0)
    # Each in its turn, in another order each time: chance alone leaves some out.
    kinds: list[float | datetime] = [*STEPS, *CHANGES]
    steps = cycle(chance.sample(kinds, len(kinds)))
    lived_through = 0
    while not world.over:
        await asyncio.sleep(chance.uniform(*PAUSE))
        node = chance.choice(world.nodes)
        if chance.random() < 0.25:
            ahead[node.name] = await _run_wrong(world, node, ahead[node.name], chance)
            continue
        is_right = abs(ahead[node.name]) < min(map(abs, STEPS)) / 2
        step = next(steps) if is_right else 0.0
        lived_through += isinstance(step, datetime)
        ahead[node.name] = _ahead(step)
        set_clock(world, node, ahead[node.name])
    bench.told.append(f"lived through changes of the hour: {lived_through}")
    await _notice(bench, world)


def _ahead(step: float | datetime) -> float:
    if isinstance(step, datetime):
        return (step - datetime.now(UTC)).total_seconds() - BEFORE
    return step


async def _notice(bench: Bench, world: World) -> None:
    """The nodes' own logs are written with the wall's time: were it right, nothing was tried."""
    jumps = await asyncio.to_thread(lambda: sum(map(_jumps, world.nodes)))
    if not jumps:
        bench.missed.append("no clock was ever seen to jump")
    bench.told.append(f"the nodes' own logs jump {jumps} times")


def _jumps(node: Node) -> int:
    times = pairwise(_times(node.output))
    return sum(abs(later - sooner) > JUMP for sooner, later in times)


def _times(log: str) -> Iterator[float]:
    for line in log.splitlines():
        if line.startswith("{"):
            yield datetime.fromisoformat(json.loads(line)["time"]).timestamp()


async def _run_wrong(world: World, node: Node, ahead: float, chance: random.Random) -> float:
    pace = chance.choice(PACES)
    loop = asyncio.get_running_loop()
    began = loop.time()
    until = began + chance.uniform(*WRONG)
    start = ahead
    world.log.write("set", node=node.name, pace=pace)
    while loop.time() < until and not world.over:
        await asyncio.sleep(TICK)
        ahead = start + pace * (loop.time() - began)
        _turn(node, ahead)
    return ahead
