"""Turns a second: of store and engine alone, and of the whole program beside them."""

from bench import alone
from bench.hold.figures import Figure
from bench.hold.house import House
from bench.hold.plan import Row, Sizes
from bench.plan import Database

PER_SECOND = {Database.POSTGRES: 500.0}
TURNS_EACH = 20
"""Of the backlog, in each conversation."""
IN_FLIGHT = 50


async def measure_alone(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """A backlog, a model that answers at once, a platform that discards."""
    server = await house.server_of(row)
    rate = await alone.measure(
        row.name,
        await house.database(row),
        nodes=row.nodes,
        turns=sizes.backlog,
        conversations=sizes.backlog // TURNS_EACH,
        server=server.pid if server else None,
    )
    return [
        Figure("turns a second", rate.per_second, "/s", least=PER_SECOND.get(row.database)),
        Figure("turns", rate.turns),
        Figure("CPU of the nodes a turn", rate.node_ms, "ms"),
        *([Figure("CPU of PostgreSQL a turn", rate.server_ms, "ms")] if server else []),
        Figure("RSS of a node", rate.rss_mb, "MB"),
    ]


async def measure_whole(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """Webhook, model and Telegram over HTTP; whoever is answered is followed by somebody else."""
    server = await house.server_of(row)
    async with house.nodes(row) as nodes, house.people(nodes, sizes) as people:
        await people.in_flight(IN_FLIGHT, sizes.whole // 5)
        used, used_there = nodes.cpu(), server.cpu() if server else 0.0
        per_second = await people.in_flight(IN_FLIGHT, sizes.whole)
        used = (nodes.cpu() - used) * 1000 / sizes.whole
        used_there = ((server.cpu() if server else 0.0) - used_there) * 1000 / sizes.whole
    return [
        Figure("answers a second", per_second, "/s"),
        Figure("CPU of the nodes each", used, "ms"),
        *([Figure("CPU of PostgreSQL each", used_there, "ms")] if server else []),
    ]
