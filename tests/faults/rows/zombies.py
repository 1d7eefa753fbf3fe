"""A node is frozen in the middle of an answer; when it wakes up, others have given that answer."""

from dataclasses import dataclass

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.points import comes
from tests.faults.rows.resting import rested, warmed
from tests.faults.world import World


@dataclass(frozen=True, slots=True)
class Moment:
    """Where in a turn: before which chunk of the model's reply, in which round of tools."""

    at: int
    round: int = 0
    wish: str = ""


MOMENTS = (Moment(0), Moment(2), Moment(5), Moment(9), Moment(0, 1, "look enter"))


async def zombies(bench: Bench) -> None:
    """Each node once at each moment, at both bots."""
    plan = Plan("zombies", "postgres", nodes=2, talks=4, seed=bench.seed, habits=Habits(rate=20))
    async with bench.world(plan) as world:
        await world.start()
        if bench.seconds:
            await warmed(world)
        await world.driver.run(10)
        await world.settle()
        for number, moment in enumerate(MOMENTS):
            await _freeze_in_an_answer(bench, world, number, moment)
        await world.driver.run(10)
        await world.settle()
        if bench.seconds:
            await rested(world)
        await world.finish()


async def _freeze_in_an_answer(bench: Bench, world: World, number: int, moment: Moment) -> None:
    node, other = world.nodes[number % 2], world.nodes[1 - number % 2]
    marks = [world.driver.next(talk) for talk in world.talks if talk.number == 1 + number % 4]
    for mark in marks:
        await world.model.tell("hold", mark=str(mark), at=moment.at, round=moment.round)
    world.hidden.add(other.url)  # who accepts it prefers to run it
    for mark in marks:
        await world.driver.deliver(mark, moment.wish)

    async def held() -> bool:
        return set(map(str, marks)) <= set(await world.model.tell("held"))

    if not await comes(held):
        bench.missed.append(f"nobody was held at {moment}")
    node.freeze()
    world.hidden = {node.url}
    taken_over = await world.watch.settled(
        {mark: world.driver.sent[mark] for mark in marks}, world.plan.within
    )
    if not taken_over:
        bench.failed.append(f"{other.name} did not take over at {moment}")
    await world.model.tell("release")
    node.thaw()
    world.hidden.clear()
    # What the zombie would still do, it does before this is answered.
    await world.driver.run(6)
    await world.settle()
