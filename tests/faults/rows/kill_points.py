"""`kill -9` at every named point, one after the other, on the database that the last one left."""

import asyncio
from collections.abc import Sequence

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.node import Node
from tests.faults.plan import Plan
from tests.faults.rows.points import POINTS, Point
from tests.faults.rows.resting import rested, warmed
from tests.faults.world import World

EXPIRY = {"session.journal": "1s"}
"""So that upkeep has something to do each time: what is done loses its text."""
RECOVERY = 20.0
"""Seconds beyond a lease in which everything that was interrupted has its outcome."""
OTHERS = 5
"""Messages of other people while one leads to the point."""
APART = 0.1
"""Seconds in which a server has looked for work and found some."""


async def kill_points(bench: Bench, points: Sequence[Point] = POINTS) -> None:
    """Each start after a kill first brings to its end what the kill interrupted."""
    habits = Habits(rate=40)
    plan = Plan("kill points", bench.store, seed=bench.seed, talks=6, habits=habits, changes=EXPIRY)
    async with bench.world(plan) as world:
        await world.node.start()
        if bench.seconds:
            await warmed(world)
        await world.driver.run(10)
        await world.node.kill("the beginning")
        for number, point in enumerate(points):
            await _die(bench, world, point, number)
        world.node.module = "bot"
        await world.node.start()
        await _finish(bench, world)


async def takeovers(bench: Bench, points: Sequence[Point] = POINTS) -> None:
    """The same, and another node brings to its end what was interrupted: nobody starts it again."""
    habits = Habits(rate=40)
    plan = Plan(
        "takeovers",
        "postgres",
        nodes=2,
        seed=bench.seed,
        talks=6,
        habits=habits,
        changes=EXPIRY,
    )
    async with bench.world(plan) as world:
        victim, heir = world.nodes
        await heir.start()
        if bench.seconds:
            await warmed(world, [heir])
        await world.driver.run(10)
        for number, point in enumerate(points):
            world.hidden.add(heir.url)  # who accepts a message prefers to answer it
            await _die(bench, world, point, number)
            world.hidden.clear()
            if not await _recovered(world):
                bench.slow(f"{heir.name} did not take over after {point.name!r}")
        victim.module = "bot"
        await victim.start()
        await _finish(bench, world, [heir])


async def _finish(bench: Bench, world: World, lived: Sequence[Node] = ()) -> None:
    """Until everybody has an outcome, whoever was late before; `lived`: who did, if not all."""
    await world.driver.run(10)
    world.forsaken.clear()
    await world.settle()
    if bench.seconds:
        await rested(world, lived)
    await world.finish()


async def _recovered(world: World) -> bool:
    """Whether all that was interrupted has its outcome in time; nobody waits for it any longer."""
    recovered = await world.settle(RECOVERY + world.plan.lease)
    if not recovered:
        world.forsake()
    return recovered


async def _die(bench: Bench, world: World, point: Point, number: int) -> None:
    driver = world.driver
    world.node.module = point.module
    await world.node.start(fault=point.fault)
    if not await _recovered(world):
        bench.slow(f"no recovery before {point.name!r}")
    own = [talk for talk in driver.talks if talk.tenant == point.tenant]
    mark = driver.next(own[number % len(own)])
    await point.prepare(world, mark)
    world.node.arm()
    driver.deliver_soon(mark, point.wish)
    if not point.alone:
        others = [talk for talk in driver.talks if talk != mark.talk]
        for i in range(OTHERS):
            if point.apart:
                await asyncio.sleep(APART)
            driver.begin(others[(number + i) % len(others)])
    reached = await point.reached(world, mark)
    world.log.write("note", node=world.node.name, point=point.name, reached=reached)
    if not reached:
        bench.missed.append(f"{point.name!r} was never reached")
    await world.node.kill(point.name)
    await world.model.tell("release")
    for bot in world.bots.values():
        await bot.tell("clear")
