"""Leases and claims on PostgreSQL: who may run a lane, and whose turn it is when many wait."""

from bot.store.postgres_sql import query
from bot.store.statements_postgres import PARTS

# A first epoch is behind every one that a node of this name may have had: its row goes some day.
JOIN = query(
    """
INSERT INTO node (name, epoch, alive_until) VALUES (:name, <now>, <now> + :lease::bigint)
ON CONFLICT (name) DO UPDATE SET epoch = node.epoch + 1, alive_until = excluded.alive_until
RETURNING epoch
"""
)
RENEW = query(
    """
UPDATE node SET alive_until = <now> + :lease::bigint
WHERE name = :node AND epoch = :holder AND alive_until > <now>
RETURNING <now>
"""
)
# An epoch that nobody else would choose: who finds it there has taken it himself, and lost the
# answer. Whoever stood still for a week finds no row: nobody has taken the name either.
REJOIN = query(
    """
INSERT INTO node (name, epoch, alive_until) VALUES (:node, :next, <now> + :lease::bigint)
ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, alive_until = excluded.alive_until
WHERE node.epoch IN (:holder, :next)
RETURNING epoch
"""
)

_FREE = "node IS NULL AND wake_at IS NOT NULL"

# From one tenant to the next by the index, without walking over the lanes of any: each with the
# first time at which a free lane of its wakes.
_TENANTS = """
tenants AS (
  (SELECT tenant, wake_at FROM lane WHERE <free> ORDER BY tenant, wake_at LIMIT 1)
  UNION ALL
  SELECT following.* FROM tenants, LATERAL (
    SELECT tenant, wake_at FROM lane WHERE <free> AND tenant > tenants.tenant
    ORDER BY tenant, wake_at LIMIT 1) following
)"""

# Whose epoch is over: by `n`, the row of its node as the statement found it, and by the newest
# version of the lane. Who has come back under its name since, and holds it again, has a later one.
_LEFT_BEHIND = """l.node = n.name AND l.epoch < n.epoch
    + CASE WHEN n.alive_until <= (SELECT now FROM clock) THEN 1 ELSE 0 END"""
_ME = """
me AS MATERIALIZED (
  SELECT FROM node
  WHERE name = :node AND epoch = :holder AND alive_until > (SELECT now FROM clock)
)"""

# A fence is never used twice, not even when a crash of the database took back a claim that
# nobody had waited for: it is at least the time.
#
# `left_behind` are lanes of dead nodes and of former epochs: whether or not anything woke them,
# something was begun there. They get half of the seats, so that what waits need not wait for all
# of them. The other seats go round the tenants, beginning behind the one that was served last:
# `shares` counts how many each gets, without a lock; `due` locks as many of its oldest lanes,
# passing over those that another node is taking just now.
CLAIM = query(
    """
WITH RECURSIVE <clock>, <me>,
left_behind AS MATERIALIZED (
  SELECT l.conversation_id, l.fence, l.wake_at FROM node n
  JOIN lane l ON <left_behind>
  WHERE EXISTS (SELECT FROM me)
  LIMIT (:limit::bigint + 1) / 2
  FOR NO KEY UPDATE OF l SKIP LOCKED
),
room AS MATERIALIZED (SELECT :limit - count(*) AS seats FROM left_behind),
<tenants>,
ready AS MATERIALIZED (
  SELECT tenant FROM tenants
  WHERE wake_at <= (SELECT now FROM clock) AND EXISTS (SELECT FROM me)
),
shares AS MATERIALIZED (
  SELECT tenant, count(*) AS share
  FROM (
    SELECT ready.tenant
    FROM ready, LATERAL (
      SELECT row_number() OVER () AS place
      FROM (
        SELECT FROM lane
        WHERE <free> AND tenant = ready.tenant AND wake_at <= (SELECT now FROM clock)
        ORDER BY wake_at
        -- No tenant gets more than what is left when each of the others has one.
        LIMIT greatest(1, (SELECT seats FROM room) + 1 - (SELECT count(*) FROM ready))
      ) waiting
    ) places
    ORDER BY place, ready.tenant <= :after, ready.tenant
    LIMIT (SELECT seats FROM room)
  ) seat
  GROUP BY tenant
),
due AS MATERIALIZED (
  SELECT waiting.* FROM shares, LATERAL (
    SELECT conversation_id, fence, wake_at FROM lane
    WHERE <free> AND tenant = shares.tenant AND wake_at <= (SELECT now FROM clock)
    ORDER BY wake_at LIMIT shares.share
    FOR NO KEY UPDATE SKIP LOCKED) waiting
),
found AS MATERIALIZED (
  SELECT conversation_id, fence, wake_at FROM left_behind
  UNION ALL SELECT conversation_id, fence, wake_at FROM due
),
taken AS (
  UPDATE lane SET node = :node, epoch = :holder, wake_at = NULL,
    fence = greatest(lane.fence + 1, (SELECT now FROM clock))
  -- Not a join: how many are found is not known to the planner, which would read all lanes.
  WHERE conversation_id = ANY (ARRAY(SELECT conversation_id FROM found))
  RETURNING conversation_id, fence
)
SELECT taken.conversation_id, taken.fence, found.fence,
  -- Who was served last: the next claim begins behind it.
  (SELECT tenant FROM shares
    ORDER BY share DESC, tenant <= :after DESC, tenant DESC LIMIT 1),
  <hasty>
FROM taken JOIN found ON found.conversation_id = taken.conversation_id
ORDER BY found.wake_at NULLS FIRST
""",
    tenants=_TENANTS,
    free=_FREE,
    me=_ME,
    left_behind=_LEFT_BEHIND,
    **PARTS,
)
CLAIM_ONE = query(
    """
WITH <clock>, <me>,
left_behind AS MATERIALIZED (
  SELECT l.conversation_id, l.fence FROM node n
  JOIN lane l ON <left_behind>
  WHERE l.conversation_id = :conversation AND EXISTS (SELECT FROM me)
  FOR NO KEY UPDATE OF l SKIP LOCKED
),
due AS MATERIALIZED (
  SELECT conversation_id, fence FROM lane
  WHERE conversation_id = :conversation AND <free> AND wake_at <= (SELECT now FROM clock)
    AND EXISTS (SELECT FROM me)
  FOR NO KEY UPDATE SKIP LOCKED
),
found AS MATERIALIZED (
  SELECT conversation_id, fence FROM left_behind
  UNION ALL SELECT conversation_id, fence FROM due
)
UPDATE lane SET node = :node, epoch = :holder, wake_at = NULL,
  fence = greatest(lane.fence + 1, (SELECT now FROM clock))
FROM found WHERE lane.conversation_id = found.conversation_id
RETURNING lane.conversation_id, lane.fence, found.fence, <hasty>
""",
    free=_FREE,
    me=_ME,
    left_behind=_LEFT_BEHIND,
    **PARTS,
)
LET_GO = query(
    """
UPDATE lane SET node = NULL, epoch = NULL, wake_at = <now>
WHERE node = :node AND epoch = :holder AND conversation_id <> ALL (:held::bigint[])
RETURNING 1
"""
)
NEXT_WAKE = query(
    "WITH RECURSIVE <tenants> SELECT min(wake_at) - <now> FROM tenants",
    tenants=_TENANTS,
    free=_FREE,
)

# Who goes tells the others, in the same transaction: what it leaves is theirs at once.
LEAVE = query(
    """
WITH gone AS (
  UPDATE node SET alive_until = 0 WHERE name = :node AND epoch = :holder RETURNING 1
)
SELECT pg_notify(:channel, '') FROM gone
"""
)
