"""The model's service where nobody can reach it: a shut door, a wrong address, a wrong protocol."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.gate import Door, Shut, doors
from tests.faults.marks import Mark, Talk
from tests.faults.plan import KEY, Plan
from tests.faults.rows.resting import rested, warmed
from tests.faults.world import World
from tests.ports import free_port

SILENCE = 2.0
WITHIN = 45.0
"""Seconds: a turn's deadline of 30, a lease, and ten more."""
RATE = 6.0
PACE = 0.05
HELD_AT = 4
"""Of the eight pieces of an answer so many are said when the door is shut behind them."""
BEGUN = 1.0
"""Seconds after which they stand on a screen; the model is allowed to be silent for longer."""
SHUT = (0.2, 2.5)
OPEN = (4.0, 10.0)
"""Seconds; whoever has given the service up asks again after five at the earliest."""
LEAST = 0.1
"""The part that has an answer where doors are shut again and again: each time nobody asks for five
seconds and more. That all have one when the door is open is looked at one by one."""
BEHIND = 0.45
"""The part that has one where half of all people have a model that answers."""
NOWHERE = "-no-such-host.invalid"
"""The resolver refuses the name by its first letter, without asking any server for it."""


def _plan(bench: Bench, row: str, least: float, nodes: int = 1) -> Plan:
    return Plan(
        row,
        bench.store,
        nodes=nodes,
        talks=10,
        seed=bench.seed,
        within=WITHIN,
        silence=SILENCE,
        reports=True,
        least=least,
        doored=True,
        habits=Habits(rate=RATE),
    )


async def model_unreachable(bench: Bench) -> None:
    """Doors that are shut one way after the other, and models that were never there."""
    await _doors(bench)
    await _addresses(bench)


# ---- doors -------------------------------------------------------------------------------------


async def _doors(bench: Bench) -> None:
    plan = _plan(bench, "model unreachable", LEAST, 1 if bench.store == "sqlite" else 2)
    async with bench.world(plan) as world:
        await world.start()
        await warmed(world)
        chance = random.Random(bench.seed)
        # Each way meets one node for certain; whoever else is there has to do with it later.
        world.hidden |= {node.url for node in world.nodes[1:]}
        for number, how in enumerate(Shut, 1):
            first, second = ("a", "b") if (number + bench.seed) % 2 else ("b", "a")
            await _before_a_call(bench, world, how, Talk(first, number))
            await _in_an_answer(bench, world, how, Talk(second, number))
        world.hidden.clear()
        shutting = asyncio.create_task(_now_and_then(world, chance))
        await world.driver.run(round(RATE * bench.seconds))
        world.over = True
        await shutting
        await world.settle()
        await _answers_again(bench, world, world.talks[0], "the doors were open for good")
        await rested(world)
        await world.finish()


async def _before_a_call(bench: Bench, world: World, how: Shut, talk: Talk) -> None:
    """It is shut, somebody writes and is told a sentence; it is open, and he is answered."""
    met = _met(world)
    for door in world.doors:
        await door.shut(how)
    since = monotonic()
    mark = await world.driver.say(talk)
    if not await world.settle():
        bench.failed.append(f"no outcome while the door was {how}")
    bench.told.append(f"{how}: a sentence after {monotonic() - since:.1f} s")
    if mark in world.watch.answered:
        bench.missed.append(f"{mark} was answered through a door that was {how}")
    if how in (Shut.RESET, Shut.FOREIGN) and _met(world) == met:
        bench.missed.append(f"nobody came to the door while it was {how}")
    for door in world.doors:
        await door.open()
    await _answers_again(bench, world, talk, f"the door was {how}")


async def _in_an_answer(bench: Bench, world: World, how: Shut, talk: Talk) -> None:
    """Half of an answer has been said when it is shut."""
    await world.model.tell("pace", pace=PACE)
    mark = world.driver.next(talk)
    await world.model.tell("hold", mark=str(mark), at=HELD_AT)
    world.driver.deliver_soon(mark)
    try:
        async with asyncio.timeout(WITHIN):
            while str(mark) not in await world.model.tell("held"):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        bench.missed.append(f"nobody asked for {mark}")
    await asyncio.sleep(BEGUN)
    for door in world.doors:
        await door.shut(how)
    await world.model.tell("release")
    if not await world.settle():
        bench.failed.append(f"no outcome of an answer behind which the door was {how}")
    for door in world.doors:
        await door.open()
    await world.model.tell("pace", pace=0.0)
    await _answers_again(bench, world, talk, f"the door was {how} in an answer")


async def _now_and_then(world: World, chance: random.Random) -> None:
    while not world.over:
        await asyncio.sleep(chance.uniform(*OPEN))
        door = chance.choice(world.doors)
        await door.shut(chance.choice(list(Shut)))
        try:
            await asyncio.sleep(chance.uniform(*SHUT))
        finally:
            await door.open()


async def _answers_again(bench: Bench, world: World, talk: Talk, after: str) -> None:
    """An answer, at the latest when the longest time for which the circuit stays open is over."""
    try:
        async with asyncio.timeout(90):
            while True:
                if await _said(bench, world, talk) in world.watch.answered:
                    return
                await asyncio.sleep(1.0)
    except TimeoutError:
        bench.failed.append(f"no answer within 90 s after {after}")


async def _said(bench: Bench, world: World, talk: Talk) -> Mark:
    mark = await world.driver.say(talk)
    if not await world.settle():
        bench.failed.append(f"no outcome of {mark}")
    return mark


def _met(world: World) -> int:
    return sum(door.met for door in world.doors)


# ---- addresses ---------------------------------------------------------------------------------


@asynccontextmanager
async def _wrong(folder: Path) -> AsyncGenerator[tuple[dict[str, str], list[Door]], None]:
    """Addresses of models that were never there, each broken in a way of its own, and who hears."""
    async with doors(2, free_port(), folder) as (foreign, trusted_by_nobody):
        await foreign.shut(Shut.FOREIGN)
        await trusted_by_nobody.shut(Shut.TLS)
        yield (
            {
                "no_name": f"http://{NOWHERE}/v1",
                "no_tls": f"{foreign.url.replace('http', 'https')}/v1",
                "no_trust": f"{trusted_by_nobody.url.replace('http', 'https')}/v1",
                "no_plain": f"{trusted_by_nobody.url}/v1",
                "no_port": f"http://127.0.0.1:{free_port()}/v1",
            },
            [foreign],
        )


async def _addresses(bench: Bench) -> None:
    """One bot has a model that answers behind the broken ones; the other has a broken one alone."""
    async with _wrong(bench.folder / "elsewhere") as (urls, hearing):
        alone = list(urls)[bench.seed % len(urls)]
        plan = replace(
            _plan(bench, "model at no address", BEHIND),
            changes={
                **{f"models.{name}": _broken(url) for name, url in urls.items()},
                "audiences.ladder": {"model": "no_name", "fallback": [*list(urls)[1:], "main"]},
                "audiences.alone": {"model": alone},
                "adapters.alpha.audience": "ladder",
                "adapters.beta.audience": "alone",
            },
        )
        async with bench.world(plan) as world:
            await world.start()
            for number in range(max(4, round(bench.seconds / 2))):
                with world.doors[0].told(f"{alone} alone, all of them above main"):
                    await _ladder_and_alone(bench, world, 1 + number % plan.talks)
            bench.told.append(f"the model of one bot alone: {alone}")
            if not all(door.met for door in hearing):
                bench.missed.append("nobody came to the address where TLS was expected")
            await world.finish()


def _broken(url: str) -> dict[str, Any]:
    return {"use": "openai", "model": "n0", "api_key": KEY, "base_url": url}


async def _ladder_and_alone(bench: Bench, world: World, number: int) -> None:
    since = monotonic()
    marks = {tenant: await world.driver.say(Talk(tenant, number), "look") for tenant in ("a", "b")}
    if not await world.settle():
        bench.failed.append(f"no outcome of {marks}")
    if marks["a"] not in world.watch.answered:
        bench.failed.append(f"{marks['a']} was not answered, although the last model is there")
    if marks["b"] in world.watch.answered:
        bench.failed.append(f"{marks['b']} was answered by a model that is not there")
    if marks["a"].number == 1:
        bench.told.append(f"both outcomes after {monotonic() - since:.1f} s")
