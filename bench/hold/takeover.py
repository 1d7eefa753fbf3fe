"""A node dies, freezes or is cut off: how soon another asks the model about the same messages."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bench.hold import listener
from bench.hold.figures import Figure
from bench.hold.house import House, Nodes
from bench.hold.people import People
from bench.hold.plan import LISTENERS, How, Row, Sizes
from bench.load import quantile
from bench.talk import WrongAnswersError, now_us
from tests.faults.proxy import Line

GRACE = 2.0
"""Seconds that a takeover may take beyond the lease."""
HELD = 600.0
"""Seconds that the model holds an answer back: nothing is said before the kill."""
SPOKEN = 5.0
"""Seconds after which it answers a node that will come back: too late, and into its very hands."""
WORDS = "never said"


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """The nodes are met in turn, at different moments between two renewals of the lease."""
    if row.how in LISTENERS:
        return await listener.measure(house, row, sizes)
    lease = row.size or sizes.lease
    waits: list[int] = []
    async with house.nodes(row, lease=f"{lease:g}s") as nodes, house.people(nodes, sizes) as all_:
        await all_.answered(await all_.steadily(10, 1))
        for kill in range(sizes.kills):
            await asyncio.sleep(lease / 3 * kill / sizes.kills)
            victim = kill % row.nodes
            if row.how is How.PLAIN:
                waits += await _kill(house, nodes, all_, victim, sizes.cut_off)
            else:
                waits += await _away(house, nodes, all_, victim, sizes.cut_off)
    return [
        *([] if row.size else [Figure("lease", lease, "s")]),
        Figure("takeover p50", quantile(waits, 0.5) / 1_000_000, "s"),
        Figure("takeover at most", max(waits) / 1_000_000, "s", most=lease + GRACE),
        Figure("kills" if row.how is How.PLAIN else "times", sizes.kills),
        Figure("turns taken over and answered", len(waits), least=sizes.kills * sizes.cut_off),
    ]


async def under_way(
    house: House, nodes: Nodes, people: People, victim: int, most: int, *, held: float = HELD
) -> list[int]:
    """So many messages that this very node has asked the model about; it will answer others."""
    await house.model.tell("answer", text=WORDS, first=held)
    mine: list[int] = []
    while len(mine) < most:
        port = nodes.ports[victim]
        numbers = [await people.say(now_us(), port) for _ in range(most - len(mine))]
        await people.asked(numbers)
        # Another node that looked for work at that very instant may have taken one.
        mine += [one for one in numbers if people.watch.asked_by[one] == f"node{victim}"]
    await house.model.tell("echo")
    return mine


async def _kill(house: House, nodes: Nodes, people: People, victim: int, cut_off: int) -> list[int]:
    """Microseconds from the kill to the other node's request, for each message."""
    numbers = await under_way(house, nodes, people, victim, cut_off)
    killed = now_us()
    await nodes.programs[victim].kill()
    await people.asked(numbers, since=killed)
    await people.answered(numbers)
    people.move_to(nodes.ports)  # what was connected to the dead one is not any more
    await nodes.programs[victim].start()
    return [people.watch.last_asked[number] - killed for number in numbers]


async def _away(house: House, nodes: Nodes, people: People, victim: int, cut_off: int) -> list[int]:
    """The same for a node that comes back, with the model's answer to all that it had asked."""
    before = Counter(people.watch.of_chat)
    numbers = await under_way(house, nodes, people, victim, cut_off, held=SPOKEN)
    async with _standing_still(nodes, victim) if not nodes.proxies else _alone(nodes, victim):
        gone = now_us()
        await people.asked(numbers, since=gone)
        await people.answered(numbers)
        waits = [people.watch.last_asked[number] - gone for number in numbers]
        await asyncio.sleep(max(0.0, SPOKEN + 1 - (now_us() - gone) / 1_000_000))
    await nodes.ready(victim)
    await people.answered([await people.say(now_us(), nodes.ports[victim])])
    chats = {people.chat_of[number] for number in numbers}
    wrong = sum(people.watch.of_chat[chat] - before[chat] != 1 for chat in chats)
    if wrong:
        raise WrongAnswersError(f"{wrong} chats were answered more than once, or by who was away")
    return waits


@asynccontextmanager
async def _standing_still(nodes: Nodes, victim: int) -> AsyncGenerator[None, None]:
    """SIGSTOP, and SIGCONT at the end."""
    pid = nodes.programs[victim].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def _alone(nodes: Nodes, victim: int) -> AsyncGenerator[None, None]:
    """Nothing passes between it and PostgreSQL until the end, and nobody is told."""
    proxy = nodes.proxies[victim]
    proxy.line = Line.SILENT
    try:
        yield
    finally:
        proxy.line = Line.WHOLE
