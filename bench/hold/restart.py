"""`kill -9` of the only node in the middle of turns: how soon their answers are there after all."""

from bench.hold.figures import Figure
from bench.hold.house import House
from bench.hold.plan import Row, Sizes
from bench.hold.takeover import under_way
from bench.load import quantile
from bench.plan import Database
from bench.talk import now_us

MOST = {Database.SQLITE: 3.0}
"""Seconds from the kill to the last of them."""


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """It is started at once, as whoever watches over servers would do it."""
    waits: list[int] = []
    starts: list[int] = []
    async with house.nodes(row) as nodes, house.people(nodes, sizes) as people:
        await people.answered(await people.steadily(10, 1))
        (program,) = nodes.programs
        for _ in range(sizes.kills):
            numbers = await under_way(house, nodes, people, 0, sizes.cut_off)
            killed = now_us()
            await program.kill()
            people.move_to(nodes.ports)  # what was connected to the dead one is not any more
            await program.start()
            starts.append(now_us() - killed)
            await people.answered(numbers)
            waits += [people.watch.shown_at[number] - killed for number in numbers]
    return [
        Figure("kill to ready p50", quantile(starts, 0.5) / 1_000_000, "s"),
        Figure("kill to answer p50", quantile(waits, 0.5) / 1_000_000, "s"),
        Figure("kill to answer at most", max(waits) / 1_000_000, "s", most=MOST.get(row.database)),
        Figure("kills", sizes.kills),
        Figure("turns taken up and answered", len(waits), least=sizes.kills * sizes.cut_off),
    ]
