"""The fault matrix: every row by name, and the databases it is about."""

from tests.faults.bench import Row
from tests.faults.plan import Store
from tests.faults.rows.abuse import abuse, slack_abuse, wechat_abuse
from tests.faults.rows.backlog import backlog
from tests.faults.rows.cables import cables
from tests.faults.rows.clocks import clocks
from tests.faults.rows.database import ended_connections, exhausted_server, immediate_restarts
from tests.faults.rows.disk_errors import disk_errors
from tests.faults.rows.disk_full import disk_full
from tests.faults.rows.draining import drains
from tests.faults.rows.freezing import frozen_nodes
from tests.faults.rows.kill_points import kill_points, takeovers
from tests.faults.rows.locks import locked, serializable
from tests.faults.rows.migrations import migrations
from tests.faults.rows.model import model_at_random, model_kinds
from tests.faults.rows.network import partitions
from tests.faults.rows.outage import model_outage
from tests.faults.rows.plugins import plugins
from tests.faults.rows.polling import polling_kills
from tests.faults.rows.pools import narrow_pools
from tests.faults.rows.postgres_full import postgres_full
from tests.faults.rows.power_cut import power_cuts
from tests.faults.rows.random_kills import random_kills
from tests.faults.rows.sends import send_kinds, sends_at_random, sends_reported
from tests.faults.rows.slack import slack_kills
from tests.faults.rows.unreachable import model_unreachable
from tests.faults.rows.upgrade import upgrade
from tests.faults.rows.wechat import wechat_calls, wechat_kills
from tests.faults.rows.zombies import zombies

FILE: tuple[Store, ...] = ("sqlite",)
BOTH: tuple[Store, ...] = ("sqlite", "postgres")
SHARED: tuple[Store, ...] = ("postgres",)

KILLS = "`kill -9` of a random node every 2–6 s"
DISK = "no room for 1–6 s or files made read-only (EPERM), and files that may not grow (EFBIG)"
POWER = "copies of file and log: as written, as synced, sectors of both, and a torn log"
SENDS = "15 kinds of failure at each call of an answer; blocked, deleted, longer than a message"
POLLING = "random kills again, and Telegram is asked for its updates instead of calling"
BACKLOG = "10,000 messages of 500 conversations, then one node (SQLite) or three"
UNREACHABLE = "no listener, no answer, resets, another protocol, no TLS or trust, no such name"
ROWS = {
    row.name: row
    for row in (
        Row("kill-points", BOTH, kill_points, "`kill -9` at each of 43 named points"),
        Row("takeovers", SHARED, takeovers, "the same points, and another node goes on from there"),
        Row("random-kills", BOTH, random_kills, KILLS, prompt=True),
        Row("slack", BOTH, slack_kills, "the same with Slack, whose calls fail at random as well"),
        Row("wechat", BOTH, wechat_kills, "the same with WeChat, its calls and its messages"),
        Row("wechat-calls", BOTH, wechat_calls, "the same with accounts that may send no messages"),
        Row("polling", BOTH, polling_kills, POLLING),
        Row("frozen-nodes", SHARED, frozen_nodes, "SIGSTOP for 1.2–3 leases, then SIGCONT"),
        Row("zombies", SHARED, zombies, "frozen in an answer, until another node has given it"),
        Row("drains", BOTH, drains, "SIGTERM in the middle of the work; no step runs twice"),
        Row("power-cuts", FILE, power_cuts, POWER),
        Row("disk-full", FILE, disk_full, DISK),
        Row("disk-errors", FILE, disk_errors, "reads, writes and syncs of file and log: EIO"),
        Row(
            "postgres-disk-full", SHARED, postgres_full, "no room for PostgreSQL's tables for 1–5 s"
        ),
        Row("clocks", BOTH, clocks, "a node's wall clock ±1 h, 10 min back, and at a wrong pace"),
        Row("partitions", SHARED, partitions, "node from PostgreSQL: silent, one-way, slow, cut"),
        Row("cables", SHARED, cables, "the same as lost and late packets, in network namespaces"),
        Row(
            "restarts", SHARED, immediate_restarts, "PostgreSQL stopped `-m immediate`, 0–2 s away"
        ),
        Row(
            "ended-connections", SHARED, ended_connections, "`pg_terminate_backend`, 1–5 at a time"
        ),
        Row("exhausted", SHARED, exhausted_server, "no connection left that PostgreSQL would give"),
        Row("locked", SHARED, locked, "locks of others for 0.3–6 s; `lock_timeout`, cancelled"),
        Row(
            "serializable", SHARED, serializable, "serialisation failures, and victims of deadlocks"
        ),
        Row("narrow-pools", SHARED, narrow_pools, "one or two connections; PgBouncer with three"),
        Row(
            "model-kinds", BOTH, model_kinds, "51 kinds of failure and 7 of odd answers, one by one"
        ),
        Row("model-at-random", BOTH, model_at_random, "a third of the calls fails, at random"),
        Row("model-outage", BOTH, model_outage, "503, 429, cuts or silence alone, then it is back"),
        Row("model-unreachable", BOTH, model_unreachable, UNREACHABLE),
        Row("send-kinds", BOTH, send_kinds, SENDS),
        Row("sends-at-random", BOTH, sends_at_random, "the platform's calls fail at random"),
        Row("sends-reported", BOTH, sends_reported, "the same under `outbox.ambiguous: report`"),
        Row("plugins", BOTH, plugins, "functions that fail, hang and shout; that end the process"),
        Row("backlog", BOTH, backlog, BACKLOG),
        Row("upgrade", SHARED, upgrade, "nodes replaced one by one, across a migration and back"),
        Row("migrations", BOTH, migrations, "`kill -9` before each step of the newest migration"),
        Row("abuse", BOTH, abuse, "forged, oversized, slow and broken webhook calls"),
        Row("abuse-slack", BOTH, slack_abuse, "the same at Slack's door, every event ×2–5"),
        Row("abuse-wechat", BOTH, wechat_abuse, "the same at WeChat's, every message ×2–5"),
    )
}
