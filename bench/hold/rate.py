"""At a steady rate: how soon a message is stored, and how soon the model is asked about it."""

from bench.hold.figures import Figure, waits
from bench.hold.house import House
from bench.hold.plan import Row, Sizes
from bench.plan import Database

WARM_UP = 2.0
"""Seconds at half the rate."""
STORED = {(Database.SQLITE, 100): 50.0}
"""What p99 may be, in milliseconds, by database and rate."""
STARTED = {(Database.POSTGRES, 100): (15.0, 100.0)}
"""What p50 and p99 may be."""


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """All times are from the instant at which a message was due to be posted."""
    async with house.nodes(row) as nodes, house.people(nodes, sizes) as people:
        await people.answered(await people.steadily(row.size / 2, WARM_UP))
        used = nodes.cpu()
        numbers = await people.steadily(row.size, sizes.accept_seconds)
        await people.answered(numbers)
        used = nodes.cpu() - used
        due, watch = people.due, people.watch
        start50, start99 = STARTED.get((row.database, row.size), (None, None))
        return [
            *waits(
                "accept",
                [people.accepted[number] - due[number] for number in numbers],
                None,
                STORED.get((row.database, row.size)),
            ),
            *waits(
                "event to turn start",
                [watch.first_asked[number] - due[number] for number in numbers],
                start50,
                start99,
            ),
            *waits(
                "event to answer",
                [watch.shown_at[number] - due[number] for number in numbers],
                None,
                None,
            ),
            *waits(
                "driver late",
                [people.posted[number] - due[number] for number in numbers],
                None,
                None,
            )[1:],
            Figure("CPU of the nodes each", used * 1000 / len(numbers), "ms"),
            Figure("answered once", len(numbers), least=len(numbers)),
        ]
