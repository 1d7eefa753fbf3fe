"""Thousands of messages that nobody could answer when they came: all of them, in order, fairly."""

import asyncio
from dataclasses import dataclass

from tests.faults.bench import Bench
from tests.faults.checker.outcomes import at, told
from tests.faults.checker.reading import read
from tests.faults.checker.records import Ask
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.resting import rested, warmed
from tests.faults.world import World
from tests.peers.log import monotonic_us

MESSAGES, TALKS = 10_000, 500
"""What waits, and in how many conversations, however long other rows go on."""
ROOM = 8
"""Conversations in which a node stops taking messages: far fewer than wait."""
MORE = 64
"""Conversations that it answers beyond that."""
FAIR = 0.35
"""The least part that either tenant has of what is begun first, however late it came."""
EMPTIED = 35.0
"""Seconds after which the model's connections are given up: this many calls at once left sixty."""
SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """From the first message that waits to the last answer: nobody else writes meanwhile."""

    since: int
    until: int

    def has(self, when: int) -> bool:
        """Whether it was then."""
        return self.since <= when <= self.until


async def backlog(bench: Bench) -> None:
    """One node accepts and can begin nothing; it is killed, and what waits is for three."""
    plan = Plan(
        "backlog",
        bench.store,
        nodes=1 if bench.store == "sqlite" else 3,
        talks=TALKS // 2,
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
        await world.start()
        await warmed(world)
        for node in world.nodes:
            await node.stop()
        since = monotonic_us()
        await _accept(bench, world)
        await world.node.kill("everything waits")
        await world.start()
        if not await world.settle():
            bench.failed.append("the backlog did not come to its end")
        span = Span(since, monotonic_us())
        await rested(world, rest=EMPTIED)
        await world.finish()
        bench.told.append(await asyncio.to_thread(_told, bench, world, span))


async def _accept(bench: Bench, world: World) -> None:
    """One tenant's first and then the other's: whoever goes by the clock serves one alone."""
    world.watch.look()
    before = set(world.watch.answered)
    await world.node.launch(fault="store.claim:before")
    world.node.arm()  # its very first look for work stands still
    await world.node.ready()
    if not await world.node.at_fault():
        bench.missed.append("the accepting node was not kept from beginning turns")
    for tenant in ("a", "b"):
        talks = [talk for talk in world.talks if talk.tenant == tenant]
        await world.driver.run(MESSAGES // 2, talks)
    world.watch.look()
    if world.watch.answered - before:
        bench.missed.append("something was answered before it all waited")


def _told(bench: Bench, world: World, span: Span) -> str:
    """How fast it went, and who was served first."""
    story = read(world.folder)
    asks = sorted((ask for ask in story.asks if span.has(ask.at)), key=lambda ask: ask.at)
    shown = (at(screen) for one in told(story).values() for screen in one.answers)
    took = (max(filter(span.has, shown)) - asks[0].at) / SECOND
    messages = sum(span.has(message.first_at) for message in story.messages.values())
    room = (ROOM + MORE) * len(world.nodes)
    if messages != MESSAGES or len(world.talks) <= room:
        # Where all fit in at once they are begun at once, in whatever order.
        bench.missed.append(f"{messages} messages in {len(world.talks)} conversations are too few")
    parts = _parts(asks, room)
    if min(parts.values()) < FAIR:
        bench.failed.append(f"of what was begun first the tenants had {parts}")
    # Shown, not judged: the model answers at once, so what is at its end first is the machine.
    bench.least["messages/s drained"] = messages / took
    first = ", ".join(f"{tenant} {part:.0%}" for tenant, part in parts.items())
    return (
        f"{messages} messages in {len(asks)} turns drained in {took:.1f} s: "
        f"{messages / took:.0f} messages/s, {len(asks) / took:.0f} turns/s; first begun: {first}"
    )


def _parts(asks: list[Ask], most: int) -> dict[str, float]:
    """Whose the first conversations were that were begun, as many as fit in at once."""
    begun = [ask.talk for ask in asks if ask.talk]
    first = list(dict.fromkeys(begun))[:most]
    return {tenant: sum(t.tenant == tenant for t in first) / len(first) for tenant in ("a", "b")}
