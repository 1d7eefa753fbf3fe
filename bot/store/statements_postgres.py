"""The hot path on PostgreSQL: each step of a turn is one statement, so one round trip.

A statement of several parts is one transaction with one snapshot. What it writes is guarded by
`held`, which locks the lane's row and reads its newest version; a row that a part locks or
updates is its newest version too. Everything else is read as it was when the statement began,
which is why claiming a lane and reading what waits in it are two statements.

`hasty` turns the wait for the disk off for a transaction: whatever is waited for later lies
behind it in the same log.
"""

from bot.store.postgres_sql import query

_UNSENT = "('queued', 'sending', 'held')"
_HASTY = "set_config('synchronous_commit', 'off', true)"
_CLOCK = "clock AS MATERIALIZED (SELECT <now> AS now)"
_MINE = "conversation_id = :conversation AND fence = :fence AND node = :node AND epoch = :holder"
_HELD = """
held AS MATERIALIZED (
  SELECT tenant, shard FROM lane WHERE <mine> FOR NO KEY UPDATE
)"""
PARTS = {
    "held": _HELD,
    "clock": _CLOCK,
    "mine": _MINE,
    "hasty": _HASTY,
    "unsent": _UNSENT,
}
"""What the statements are put together from."""

# ---- accept ------------------------------------------------------------------------------

# The lane's row is locked before the inbox row gets its number: the order of numbers within a
# conversation is the order of commits. Whoever erases a conversation locks that row first too.
# Two who found the same conversation meet at the alias, and the second gets the first one's.
ACCEPT = query(
    """
WITH <clock>,
known AS MATERIALIZED (
  SELECT a.conversation_id AS id, c.shard, c.adapter, c.audience, c.direct
  FROM alias a
  JOIN conversation c ON c.id = a.conversation_id
  JOIN lane l ON l.conversation_id = a.conversation_id
  WHERE a.tenant = :tenant AND a.address = :address
  FOR NO KEY UPDATE OF l
),
named AS (
  INSERT INTO alias (tenant, address, conversation_id, shard)
  SELECT :tenant, :address, nextval('conversation_id_seq'), :shard
  WHERE NOT EXISTS (SELECT FROM known)
  ON CONFLICT (tenant, address) DO UPDATE SET shard = alias.shard
  RETURNING conversation_id AS id, shard
),
founded AS (
  INSERT INTO conversation
    (id, tenant, shard, address, adapter, audience, attended_by, epoch, direct, floor)
  SELECT id, :tenant, shard, :address, :adapter, :audience, 'bot', 0, :direct, 0 FROM named
  ON CONFLICT (id) DO NOTHING
),
settled AS (
  UPDATE conversation c SET adapter = :adapter, audience = :audience, direct = :direct
  FROM known
  WHERE c.id = known.id
    AND (c.adapter, c.audience, c.direct)
      IS DISTINCT FROM (:adapter::text, :audience::text, :direct::boolean)
),
home AS MATERIALIZED (SELECT id, shard FROM known UNION ALL SELECT id, shard FROM named),
twin AS MATERIALIZED (
  SELECT i.id, i.conversation_id, i.shard FROM home
  JOIN inbox i ON i.conversation_id = home.id AND i.event_key = :key
),
added AS (
  INSERT INTO inbox (conversation_id, tenant, shard, event_key, kind, person, platform_id, state,
    amended, received_at, refusal, body)
  SELECT id, :tenant, shard, :key, :kind, :person, :platform_id, 0,
    false, (SELECT now FROM clock), :refusal, :body
  FROM home WHERE NOT EXISTS (SELECT FROM twin)
  ON CONFLICT (conversation_id, event_key) DO NOTHING
  RETURNING id, conversation_id, shard, received_at
),
woken AS (
  INSERT INTO lane (conversation_id, tenant, shard, wake_at, fence)
  SELECT conversation_id, :tenant, shard, received_at, 0 FROM added
  ON CONFLICT (conversation_id)
    DO UPDATE SET wake_at = least(lane.wake_at, excluded.wake_at)
),
opened AS (
  INSERT INTO slot (conversation_id, tenant, shard, inbound, node, epoch, closes_at)
  SELECT conversation_id, :tenant, shard, id, :node, :epoch,
    (SELECT now FROM clock) + :open_for::bigint
  FROM (
    SELECT id, conversation_id, shard FROM added
    UNION ALL SELECT id, conversation_id, shard FROM twin
  ) event
  WHERE :open_for::bigint IS NOT NULL
  RETURNING id
)
SELECT id, (SELECT id FROM added), (SELECT id FROM twin), (SELECT id FROM opened) FROM home
""",
    **PARTS,
)
OPEN_SLOT = query(
    """
INSERT INTO slot (conversation_id, tenant, shard, inbound, node, epoch, closes_at)
SELECT conversation_id, tenant, shard, id, :node, :epoch, <now> + :open_for::bigint
FROM inbox WHERE conversation_id = :conversation AND event_key = :key
RETURNING id
"""
)
ADD_ALIAS = query(
    """
INSERT INTO alias (tenant, address, conversation_id, shard)
VALUES (:tenant, :address, :conversation, :shard)
ON CONFLICT (tenant, address)
  DO UPDATE SET conversation_id = excluded.conversation_id, shard = excluded.shard
"""
)

# Not the edits that wait behind it: each brings its own words.
EDITABLE = query(
    """
SELECT id, body FROM inbox
WHERE conversation_id = :conversation AND state = 0 AND platform_id = :name
  AND kind IN ('message', 'command', 'button')
FOR NO KEY UPDATE
"""
)

# ---- the hold of a lane -------------------------------------------------------------------

# Waited for: a release that a crash of the database took back would leave the lane to a node
# that lives and does not know.
RELEASE = query(
    """
UPDATE lane SET
  node = CASE WHEN wake_at IS NULL THEN NULL ELSE node END,
  epoch = CASE WHEN wake_at IS NULL THEN NULL ELSE epoch END,
  wake_at = CASE WHEN wake_at IS NULL THEN :wake::bigint END
WHERE <mine>
RETURNING node IS NULL
""",
    **PARTS,
)
HOLD = query("WITH <held> SELECT tenant, shard FROM held", **PARTS)
LOCK_LANE = query("SELECT FROM lane WHERE conversation_id = :conversation FOR UPDATE")
# Before its lines, as /forget and retention do it: the other way round each would wait for the
# other.
LOCK_CONVERSATION = query("SELECT id FROM conversation WHERE id = :conversation FOR UPDATE")
# Itself, and what was begun at its address before the platform told that the chat has moved there.
LOCK_NAMESAKES = query(
    """
SELECT l.conversation_id FROM conversation mine
JOIN conversation c ON c.tenant = mine.tenant AND c.address = mine.address
JOIN lane l ON l.conversation_id = c.id
WHERE mine.id = :conversation
ORDER BY l.conversation_id FOR NO KEY UPDATE OF l
"""
)

# ---- the head of a lane ------------------------------------------------------------------

HEAD = query(
    """
SELECT c.id, c.tenant, c.address, c.adapter, c.audience, c.attended_by, c.epoch, c.direct,
  s.n, s.started_at, s.active_at, s.first, s.ended_at, s.ended_by, s.summary,
  <now>,
  greatest(c.floor, (SELECT max(seq) FROM message WHERE conversation_id = c.id)),
  (SELECT max(closes_at) FROM slot WHERE conversation_id = c.id),
  (SELECT array_agg(row(w.id, w.body, w.received_at, w.refusal) ORDER BY w.id)
    FROM (SELECT id, body, received_at, refusal FROM inbox
      WHERE conversation_id = c.id AND state = 0 ORDER BY id LIMIT :most) w),
  (SELECT array_agg(row(id, body, draft) ORDER BY id)
    FROM turn WHERE conversation_id = c.id AND state = 'thinking'),
  (SELECT array_agg(row(turn, body) ORDER BY turn, n) FROM step WHERE conversation_id = c.id),
  (SELECT array_agg(row(conversation_id, turn, piece, body, state, due_at, created_at, expires_at,
      attempts, repeats, draft, sent, error, slot_closes_at) ORDER BY turn, piece)
    FROM outbox WHERE conversation_id = c.id AND state IN <unsent>),
  (SELECT array_agg(row(sender, tool, arguments, expires_at) ORDER BY expires_at)
    FROM approval WHERE conversation_id = c.id)
FROM lane l
JOIN conversation c ON c.id = l.conversation_id
LEFT JOIN LATERAL (
  SELECT n, started_at, active_at, first, ended_at, ended_by, summary
  FROM session WHERE conversation_id = c.id ORDER BY n DESC LIMIT 1
) s ON true
WHERE l.conversation_id = :conversation AND l.fence = :fence AND l.node = :node
  AND l.epoch = :holder
""",
    **PARTS,
)
ORIGINS = query(
    """
SELECT c.address, i.id, i.event_key, i.platform_id
FROM conversation c LEFT JOIN inbox i ON i.conversation_id = c.id AND i.state = 0
WHERE c.id = :conversation
"""
)
