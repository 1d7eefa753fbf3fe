"""The fault matrix: every row by name, and the databases it is about."""

from tests.faults.bench import Row
from tests.faults.rows.database import ended_connections, exhausted_server, immediate_restarts
from tests.faults.rows.draining import drains
from tests.faults.rows.freezing import frozen_nodes
from tests.faults.rows.kill_points import kill_points
from tests.faults.rows.network import partitions
from tests.faults.rows.random_kills import random_kills
from tests.faults.rows.zombies import zombies
from tests.faults.world import Store

BOTH: tuple[Store, ...] = ("sqlite", "postgres")
SHARED: tuple[Store, ...] = ("postgres",)

ROWS = {
    row.name: row
    for row in (
        Row("kill-points", BOTH, kill_points, "`kill -9` at each of 40 named points"),
        Row("random-kills", BOTH, random_kills, "`kill -9` of a random node every 2–6 s"),
        Row("frozen-nodes", SHARED, frozen_nodes, "SIGSTOP for 1.2–3 leases, then SIGCONT"),
        Row("zombies", SHARED, zombies, "frozen in an answer, until another node has given it"),
        Row("drains", BOTH, drains, "SIGTERM in the middle of the work; no step runs twice"),
        Row("partitions", SHARED, partitions, "node from PostgreSQL: silent, one-way, slow, cut"),
        Row(
            "restarts", SHARED, immediate_restarts, "PostgreSQL stopped `-m immediate`, 0–2 s away"
        ),
        Row(
            "ended-connections", SHARED, ended_connections, "`pg_terminate_backend`, 1–5 at a time"
        ),
        Row("exhausted", SHARED, exhausted_server, "no connection left that PostgreSQL would give"),
    )
}
