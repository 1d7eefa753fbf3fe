"""At a steady rate: how soon a message is stored, and how soon the model is asked about it."""

from bench.hold.figures import Figure, waits
from bench.hold.house import House
from bench.hold.plan import Row, Sizes

WARM_UP = 2.0
"""Seconds at half the rate."""
STORED = {
    ("sqlite", 100): 50.0,
    ("sqlite", 500): 250.0,
    ("postgres-1", 200): 50.0,
    ("postgres-3", 400): 50.0,
}
"""What p99 may be, in milliseconds, by house and rate."""
STARTED = {
    ("sqlite", 100): (5.0, 50.0),
    ("postgres-1", 100): (15.0, 100.0),
    ("postgres-3", 100): (20.0, 150.0),
}
"""What p50 and p99 may be."""
CPU = {"sqlite": 5.0, "postgres-1": 6.0, "postgres-3": 6.0}
"""Milliseconds a message, without the waits for the model."""


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """All times are from the instant at which a message was due to be posted."""
    async with house.nodes(row) as nodes, house.people(nodes, sizes) as people:
        await people.answered(await people.steadily(row.size / 2, WARM_UP))
        used = nodes.cpu()
        numbers = await people.steadily(row.size, sizes.accept_seconds)
        await people.answered(numbers)
        used = nodes.cpu() - used
        due, watch = people.due, people.watch
        start50, start99 = STARTED.get((row.house, row.size), (None, None))
        return [
            *waits(
                "accept",
                [people.accepted[number] - due[number] for number in numbers],
                None,
                STORED.get((row.house, row.size)),
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
            Figure("CPU of the nodes each", used * 1000 / len(numbers), "ms", most=CPU[row.house]),
            Figure("answered once", len(numbers), least=len(numbers)),
        ]
