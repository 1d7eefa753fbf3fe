"""`kill -9` of one of two nodes: how soon the other asks the model about the same messages."""

import asyncio

from bench.hold.figures import Figure
from bench.hold.house import House, Nodes
from bench.hold.people import People
from bench.hold.plan import Row, Sizes
from bench.load import quantile
from bench.talk import now_us

GRACE = 2.0
"""Seconds that a takeover may take beyond the lease."""
HELD = 600.0
"""Seconds that the model holds an answer back: nothing is said before the kill."""


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """The two are killed in turn, at different moments between two renewals of the lease."""
    waits: list[int] = []
    async with house.nodes(row, lease=f"{row.size}s") as nodes, house.people(nodes, sizes) as all_:
        await all_.answered(await all_.steadily(10, 1))
        for kill in range(sizes.kills):
            await asyncio.sleep(row.size / 3 * kill / sizes.kills)
            waits += await _kill(house, nodes, all_, kill % 2, sizes.cut_off)
    return [
        Figure("takeover p50", quantile(waits, 0.5) / 1_000_000, "s"),
        Figure("takeover at most", max(waits) / 1_000_000, "s", most=row.size + GRACE),
        Figure("kills", sizes.kills),
        Figure("turns taken over and answered", len(waits), least=sizes.kills * sizes.cut_off),
    ]


async def _kill(house: House, nodes: Nodes, people: People, victim: int, cut_off: int) -> list[int]:
    """Microseconds from the kill to the other node's request, for each message."""
    await house.model.tell("answer", text="never said", first=HELD)
    port = nodes.ports[victim]
    numbers = [await people.say(now_us(), port) for _ in range(cut_off)]
    await people.asked(numbers)
    await house.model.tell("echo")
    killed = now_us()
    await nodes.programs[victim].kill()
    await people.asked(numbers, since=killed)
    await people.answered(numbers)
    people.move_to(nodes.ports)  # what was connected to the dead one is not any more
    await nodes.programs[victim].start()
    return [people.watch.last_asked[number] - killed for number in numbers]
