"""PostgreSQL on a host of its own: nodes whose packets to it are lost or late; each heals alone."""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle

import aiohttp

from tests import postgres
from tests.faults.bench import Bench
from tests.faults.cables import Cable, Line, cable
from tests.faults.driver import Habits
from tests.faults.hosts import host, obstacle
from tests.faults.node import Node
from tests.faults.plan import Plan
from tests.faults.rows.under import LONG, under
from tests.faults.world import World

NODES = 3
LENGTHS = (0.5, 4.0)
"""How long a cable is bad, in leases."""
LONGEST = 10.0
"""The same, once in a run that is long enough for it."""
PAUSE = (1.0, 3.0)
SEVERED = (Line.SILENT, Line.DEAF, Line.DUMB)
LINES = (*SEVERED, Line.LOSSY, Line.SLOW)
ALL = 40
"""Messages after which every node has had some."""
LOOK, EVERY = 5.0, 0.1
HEALING = 60.0
"""Seconds in which a node is ready again; a new connection of the kernel's may take eight."""


async def cables(bench: Bench) -> None:
    """Three nodes, each with a cable to the database, one of which is bad at a time."""
    if (reason := obstacle()) is not None:
        bench.missed.append(f"{reason}: nothing was tried")
        return
    with _cabled(bench) as (there, plan, lines):
        await under(there, plan, partial(_break, bench, lines))


async def cut_off_once(bench: Bench) -> None:
    """One of them hears nothing until the others have answered everybody; nothing at random."""
    with _cabled(bench) as (there, plan, lines):
        async with there.world(plan) as world:
            await world.start()
            await world.driver.run(ALL)
            async with _broken(world, world.node, lines[0], Line.SILENT):
                await world.driver.run(ALL)
                if not await world.settle():
                    bench.failed.append("the others did not answer everybody")
                await _says_so(bench, world, world.node)
            await _heals(bench, world.node)
            world.hidden = {node.url for node in world.nodes[1:]}  # it has to do all of it
            await world.driver.run(ALL)
            await world.settle()
            await world.finish()


@contextmanager
def _cabled(bench: Bench) -> Iterator[tuple[Bench, Plan, Sequence[Cable]]]:
    """The same bench with a database far away, and the cables by which nodes reach it."""
    with ExitStack() as stack:
        far = stack.enter_context(host())
        ours, *theirs = [stack.enter_context(cable(far, bench.seed)) for _ in range(1 + NODES)]
        server = stack.enter_context(postgres.running(inside=far.inside, address=ours.far))
        plan = Plan(
            "cables",
            "postgres",
            nodes=NODES,
            talks=20,
            seed=bench.seed,
            within=90.0,
            pause=0.2,
            addresses=[one.far for one in theirs],
            # Three times behind a bad cable looks like poison: a person is told so.
            reports=True,
            habits=Habits(rate=15.0),
        )
        # What it tells and misses stands in the lists that both share.
        yield replace(bench, server=server), plan, theirs


async def _break(
    bench: Bench, cables: Sequence[Cable], world: World, chance: random.Random
) -> None:
    told: list[str] = []
    for line, leases in _planned(bench, chance):
        await asyncio.sleep(chance.uniform(*PAUSE))
        if world.over:
            break
        number = chance.randrange(NODES)
        node, bad = world.nodes[number], cables[number]
        before = bad.struck
        async with _broken(world, node, bad, line):
            await asyncio.sleep(world.plan.lease * leases)
            if leases == LONGEST:
                await _says_so(bench, world, node)
        if bad.struck == before:
            bench.missed.append(f"nothing passed while the cable of {node.name} was {line}")
        healing = await _heals(bench, node)
        told.append(f"{line} ({bad.struck - before} packets, ready {healing:.1f} s later)")
    bench.told.append(f"cables broken: {', '.join(told)}")


def _planned(bench: Bench, chance: random.Random) -> Iterator[tuple[Line, float]]:
    """What is done to a cable, and for how many leases."""
    if bench.seconds >= LONG:
        yield chance.choice(SEVERED), LONGEST
    # Each in its turn, in another order each time: chance alone leaves some out.
    for line in cycle(chance.sample(LINES, len(LINES))):
        yield line, chance.uniform(*LENGTHS)


@asynccontextmanager
async def _broken(world: World, node: Node, cable: Cable, line: Line) -> AsyncGenerator[None, None]:
    world.log.write("cut_off", node=node.name, line=line)
    cable.line = line
    try:
        yield
    finally:
        cable.line = Line.WHOLE
        world.log.write("joined", node=node.name)


async def _says_so(bench: Bench, world: World, node: Node) -> None:
    """Whoever asks a node that is cut off whether it is ready hears that it is not."""
    try:
        async with asyncio.timeout(HEALING):
            while await _is_ready(world, node):  # noqa: ASYNC110  # another process
                await asyncio.sleep(EVERY)
    except TimeoutError:
        bench.failed.append(f"{node.name} was cut off and said that it was ready")


async def _is_ready(world: World, node: Node) -> bool:
    limit = aiohttp.ClientTimeout(total=LOOK)
    try:
        async with world.driver.session.get(f"{node.url}/readyz", timeout=limit) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _heals(bench: Bench, node: Node) -> float:
    """In how many seconds, though nobody does anything for it."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    if not node.alive:
        return 0.0  # that has failed anyway
    try:
        await node.ready(HEALING)
    except TimeoutError:
        bench.failed.append(f"{node.name} was not ready again {HEALING:.0f} s after its partition")
    return loop.time() - since
