"""`/stop` comes to one node while another thinks: how soon its person is told that it stopped."""

import asyncio

from bench.hold.figures import Figure
from bench.hold.house import House
from bench.hold.plan import Row, Sizes
from bench.hold.takeover import under_way
from bench.load import quantile

MOST = 1.0
"""Seconds until an order reaches a turn that runs on another node."""


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """Each node thinks in turn, at different moments between two looks at what others have said."""
    waits: list[int] = []
    async with house.nodes(row) as nodes, house.people(nodes, sizes) as people:
        await people.answered(await people.steadily(10, 1))
        for place in range(sizes.stops):
            await asyncio.sleep(place / sizes.stops)
            thinks = place % row.nodes
            (number,) = await under_way(house, nodes, people, thinks, 1)
            chat, seen = people.chat_of[number], people.watch.of_chat
            before = seen[chat]
            posted = await people.order(number, "/stop", nodes.ports[(thinks + 1) % row.nodes])
            await people.until(lambda: int(seen[chat] == before), "words that it stopped")  # noqa: B023  # over before the next
            waits.append(people.watch.told_at[chat] - posted)
    return [
        Figure("posted to told p50", quantile(waits, 0.5) / 1_000_000, "s"),
        Figure("posted to told at most", max(waits) / 1_000_000, "s", most=MOST),
        Figure("times", len(waits)),
    ]
