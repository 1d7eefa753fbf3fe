"""Thousands of messages that nobody could answer when they came: all of them, in order, fairly."""

import asyncio

from tests.faults.bench import Bench
from tests.faults.checker.outcomes import at, told
from tests.faults.checker.reading import read
from tests.faults.checker.records import Story
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.world import World

MOST = 10_000
EACH_SECOND = 334
"""Messages for each second that a row may take: all of them in an ordinary run."""
PER_TALK = 20
ROOM = 8
"""Conversations in which a node stops taking messages: far fewer than wait."""
MORE = 64
"""Conversations that it answers beyond that."""
FAIR = 0.35
"""The least part that either tenant has of what is begun first, however late it came."""
SECOND = 1_000_000


async def backlog(bench: Bench) -> None:
    """One node accepts and can begin nothing; it is killed, and what waits is for three."""
    amount = min(MOST, round(bench.seconds * EACH_SECOND))
    plan = Plan(
        "backlog",
        bench.store,
        nodes=1 if bench.store == "sqlite" else 3,
        talks=max(2, amount // PER_TALK // 2),
        seed=bench.seed,
        # Three nodes at full load on a full machine do not always renew within two seconds, and
        # nobody here is to lose a lease.
        lease=15.0,
        within=300.0,
        pause=0.0,
        # More would show the platform's stand-in how fast it is, not Parley.
        habits=Habits(rate=1000.0, wishes=("",)),
        changes={"intake.node_limit": ROOM},
    )
    async with bench.world(plan) as world:
        await _accept(bench, world, amount)
        await world.node.kill("everything waits")
        await world.start()
        if not await world.settle():
            bench.missed.append("the backlog did not come to its end")
        await world.finish()
        bench.told.append(await asyncio.to_thread(_told, bench, world))


async def _accept(bench: Bench, world: World, amount: int) -> None:
    """One tenant's first and then the other's: whoever goes by the clock serves one alone."""
    await world.node.launch(fault="store.claim:before")
    world.node.arm()  # its very first look for work stands still
    await world.node.ready()
    if not await world.node.at_fault():
        bench.missed.append("the accepting node was not kept from beginning turns")
    for tenant in ("a", "b"):
        talks = [talk for talk in world.talks if talk.tenant == tenant]
        await world.driver.run(amount // 2, talks)
    world.watch.look()
    if world.watch.answered:
        bench.missed.append("something was answered before it all waited")


def _told(bench: Bench, world: World) -> str:
    """How fast it went, and who was served first."""
    story = read(world.folder)
    asks = sorted(story.asks, key=lambda ask: ask.at)
    last = max(at(screen) for one in told(story).values() for screen in one.answers)
    took = (last - asks[0].at) / SECOND
    room = (ROOM + MORE) * len(world.nodes)
    parts = _parts(story, room)
    # Where all fit in at once they are begun at once, in whatever order.
    if min(parts.values()) < FAIR and len(world.talks) > room:
        bench.missed.append(f"of what was begun first the tenants had {parts}")
    messages = len(story.messages)
    shown = ", ".join(f"{tenant} {part:.0%}" for tenant, part in parts.items())
    return (
        f"{messages} messages in {len(asks)} turns drained in {took:.1f} s: "
        f"{messages / took:.0f} messages/s, {len(asks) / took:.0f} turns/s; first begun: {shown}"
    )


def _parts(story: Story, most: int) -> dict[str, float]:
    """Whose the first conversations were that were begun, as many as fit in at once."""
    begun = [ask.talk for ask in sorted(story.asks, key=lambda ask: ask.at) if ask.talk]
    first = list(dict.fromkeys(begun))[:most]
    return {tenant: sum(t.tenant == tenant for t in first) / len(first) for tenant in ("a", "b")}
