"""What nodes cost while nobody speaks."""

import asyncio

from bench.hold.figures import Figure
from bench.hold.house import House
from bench.hold.plan import Row, Sizes

SETTLE = 5.0
"""Seconds after which a start is over and done with."""
QUERIES = 4.0
"""A second and a node, at most."""
SHARE, MEMORY = 1.0, 120.0
"""Of a core in percent, and megabytes: what a node that does nothing may take."""


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """PostgreSQL counts every statement of ours as a transaction: each is one by itself."""
    server = await house.server_of(row)
    async with house.nodes(row) as nodes:
        await asyncio.sleep(SETTLE)
        before = await server.read(nodes.url) if server else None
        used, used_there = nodes.cpu(), server.cpu() if server else 0.0
        await asyncio.sleep(sizes.idle_seconds)
        used = (nodes.cpu() - used) / sizes.idle_seconds
        found = [
            Figure("CPU of a node", used * 100 / row.nodes, "% of a core", most=SHARE),
            Figure("RSS of a node", nodes.rss_mb(), "MB", most=MEMORY),
        ]
        if server is None or before is None:
            return found
        used_there = (server.cpu() - used_there) / sizes.idle_seconds
        after = await server.read(nodes.url)
        queries = (after.transactions - before.transactions) / sizes.idle_seconds / row.nodes
        return [
            *found,
            Figure("queries a second and node", queries, most=QUERIES),
            Figure("connections of a node", after.connections / row.nodes),
            Figure("CPU of PostgreSQL", used_there * 100, "% of a core"),
        ]
