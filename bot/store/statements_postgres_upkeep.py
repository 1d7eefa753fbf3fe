"""What runs now and then on PostgreSQL and has to be one statement there, or in its own words."""

from bot.store.postgres_sql import query

CLOCK = query("SELECT <now>")

# What stands behind a held piece waits for the person as that does.
_SENDABLE = """
o.state IN ('queued', 'sending', 'held') AND o.state <> 'held' AND NOT EXISTS (
  SELECT FROM outbox h
  WHERE h.conversation_id = o.conversation_id AND h.state IN ('queued', 'sending', 'held')
    AND h.state = 'held' AND (h.turn, h.piece) < (o.turn, o.piece))"""

# ---- sessions ----------------------------------------------------------------------------

# The lanes are locked, so that no turn begins in a session while it is being ended. A message that
# is accepted between our snapshot and the lock is told by its lane alone: that it is awake is asked
# again of the locked row (READ COMMITTED). The first rule that matches says how long a session may
# rest.
SWEEP = query(
    """
WITH clock AS MATERIALIZED (SELECT <now> AS now),
resting AS MATERIALIZED (
  SELECT s.conversation_id, s.n, c.tenant
  FROM session s
  JOIN conversation c ON c.id = s.conversation_id
  JOIN lane l ON l.conversation_id = s.conversation_id
  WHERE s.ended_at IS NULL AND s.active_at <= (SELECT now FROM clock) - (
      SELECT rule.idle
      FROM unnest(:adapters::text[], :audiences::text[], :idles::bigint[])
        WITH ORDINALITY AS rule (adapter, audience, idle, place)
      WHERE (rule.adapter IS NULL OR rule.adapter = c.adapter)
        AND (rule.audience IS NULL OR rule.audience = c.audience)
      ORDER BY rule.place LIMIT 1)
    AND l.node IS NULL AND (l.wake_at IS NULL OR l.wake_at > (SELECT now FROM clock))
    AND NOT EXISTS (
      SELECT FROM inbox WHERE conversation_id = s.conversation_id AND state = 0)
    AND NOT EXISTS (
      SELECT FROM outbox o WHERE o.conversation_id = s.conversation_id AND <sendable>)
  LIMIT :limit
  FOR NO KEY UPDATE OF l SKIP LOCKED
)
UPDATE session s SET ended_at = (SELECT now FROM clock), ended_by = :how
FROM resting
WHERE s.conversation_id = resting.conversation_id AND s.n = resting.n AND s.ended_at IS NULL
RETURNING s.conversation_id, resting.tenant, s.n
""",
    sendable=_SENDABLE,
)

# ---- retention ---------------------------------------------------------------------------

# A turn's lines go first; its row stays as long as what it has used is counted.
#
# Lines have no index by turn. They stand in the order of their turns, so that the oldest are the
# first of their conversation: all before the first line of a newer turn than those in `old`. One
# that stands behind that (never, as turns follow each other) would go with the newer one.
#
# The conversations are locked before their lines, as /forget does it.
DROP_LINES = query(
    """
WITH old AS MATERIALIZED (
  SELECT conversation_id, id, ended_at <= :over::bigint AS is_over FROM turn
  WHERE ended_at IS NOT NULL AND ended_at <= :before AND (body <> '' OR ended_at <= :over::bigint)
  ORDER BY ended_at LIMIT :limit
),
homes AS MATERIALIZED (
  SELECT id FROM conversation WHERE id IN (SELECT conversation_id FROM old)
  ORDER BY id FOR NO KEY UPDATE
),
reach AS MATERIALIZED (
  SELECT last.id, coalesce((
    SELECT seq FROM message WHERE conversation_id = last.id AND message.turn > last.turn
    ORDER BY seq LIMIT 1), 9223372036854775807) AS seq
  FROM (
    SELECT homes.id, max(old.id) AS turn FROM homes JOIN old ON old.conversation_id = homes.id
    GROUP BY homes.id) last
),
gone AS (
  DELETE FROM message m USING reach WHERE m.conversation_id = reach.id AND m.seq < reach.seq
  RETURNING m.conversation_id, m.seq
),
raised AS (
  UPDATE conversation c SET floor = greatest(c.floor, last.seq)
  FROM (SELECT conversation_id, max(seq) AS seq FROM gone GROUP BY conversation_id) last
  WHERE c.id = last.conversation_id
),
emptied AS (
  UPDATE turn t SET body = '', draft = NULL FROM old
  WHERE t.conversation_id = old.conversation_id AND t.id = old.id AND NOT old.is_over
),
spent AS (
  DELETE FROM usage u USING old
  WHERE u.conversation_id = old.conversation_id AND u.turn = old.id AND old.is_over
  RETURNING 1
),
ended AS (
  DELETE FROM turn t USING old
  WHERE t.conversation_id = old.conversation_id AND t.id = old.id AND old.is_over
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM old), (SELECT count(*) FROM spent)
"""
)
# The newest has the number that the next one follows; a turn that is not finished writes its own.
# A conversation that has fallen silent keeps its newest for good: a round looks at no more than
# `most` of all these, and the next one goes on where it ended. Nothing is joined: how many are
# found is not known to the planner, which would read all sessions.
DROP_SESSIONS = query(
    """
WITH looked AS MATERIALIZED (
  SELECT ctid AS place, conversation_id, n, ended_at, summary IS NOT NULL AS speaks FROM session
  WHERE ended_at IS NOT NULL AND ended_at <= :before AND ended_at >= :since::bigint
    AND (ended_at, conversation_id, n) > (:since::bigint, :where::bigint, :number::bigint)
  ORDER BY ended_at, conversation_id, n LIMIT :most
),
old AS MATERIALIZED (
  SELECT place FROM looked
  WHERE n < (SELECT max(s.n) FROM session s WHERE s.conversation_id = looked.conversation_id)
    AND NOT EXISTS (
      SELECT FROM turn WHERE turn.conversation_id = looked.conversation_id AND state = 'thinking')
),
gone AS (DELETE FROM session WHERE ctid = ANY (ARRAY(SELECT place FROM old))),
silenced AS (
  UPDATE session SET summary = NULL WHERE ctid = ANY (
    ARRAY(SELECT place FROM looked WHERE speaks EXCEPT SELECT place FROM old))
)
SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM looked), ended_at, conversation_id, n
FROM (SELECT) one LEFT JOIN (
  SELECT * FROM looked ORDER BY ended_at DESC, conversation_id DESC, n DESC LIMIT 1) last ON true
"""
)

# ---- the operator's side of the outbox ---------------------------------------------------

_RETURNED = """o.conversation_id, o.turn, o.piece, o.body, o.state, o.due_at, o.created_at,
  o.expires_at, o.attempts, o.repeats, o.draft, o.sent, o.error, o.slot_closes_at"""
# Whatever stands behind what was held is in nobody's shadow any longer. A lane that is locked is
# being looked at: waiting for it here, each would wait for the other.
EXPIRE = query(
    """
WITH clock AS MATERIALIZED (SELECT <now> AS now),
late AS MATERIALIZED (
  SELECT conversation_id, turn, piece, state FROM outbox
  WHERE state IN ('queued', 'sending', 'held') AND (
    (state = 'queued' AND expires_at <= (SELECT now FROM clock))
    OR (state = 'held' AND created_at <= (SELECT now FROM clock) - :hold::bigint))
  ORDER BY created_at, turn, piece
  LIMIT :limit
  FOR NO KEY UPDATE SKIP LOCKED
),
asleep AS MATERIALIZED (
  SELECT conversation_id FROM lane
  WHERE conversation_id IN (SELECT conversation_id FROM late WHERE state = 'held')
  FOR NO KEY UPDATE SKIP LOCKED
),
woken AS (
  UPDATE lane SET wake_at = least(wake_at, (SELECT now FROM clock)) FROM asleep
  WHERE lane.conversation_id = asleep.conversation_id
)
UPDATE outbox o SET state = 'dead', error = 'expired', changed_at = (SELECT now FROM clock)
FROM late
WHERE o.conversation_id = late.conversation_id AND o.turn = late.turn AND o.piece = late.piece
RETURNING <returned>
""",
    returned=_RETURNED,
)
# As whoever holds the lane does it; the other way round each would wait for the other.
_LANE_FIRST = """
lane_first AS MATERIALIZED (
  SELECT FROM lane WHERE conversation_id = :conversation FOR NO KEY UPDATE
)"""
RETRY = query(
    """
WITH <lane_first>,
revived AS (
  UPDATE outbox SET state = 'queued', due_at = <now>, expires_at = NULL, changed_at = <now>,
    repeats = repeats + CASE error WHEN 'ambiguous' THEN 1 ELSE 0 END
  FROM lane_first
  WHERE conversation_id = :conversation AND turn = :turn AND piece = :piece
    AND body IS NOT NULL AND state IN ('dead', 'held')
  RETURNING conversation_id
),
woken AS (
  UPDATE lane SET wake_at = least(wake_at, <now>) FROM revived
  WHERE lane.conversation_id = revived.conversation_id
)
SELECT FROM revived
""",
    lane_first=_LANE_FIRST,
)
DROP = query(
    """
WITH <lane_first>,
dropped AS (
  DELETE FROM outbox USING lane_first
  WHERE conversation_id = :conversation AND turn = :turn AND piece = :piece
    AND state NOT IN ('sending', 'sent')
  RETURNING conversation_id
),
woken AS (
  UPDATE lane SET wake_at = least(wake_at, <now>) FROM dropped
  WHERE lane.conversation_id = dropped.conversation_id
)
SELECT FROM dropped
""",
    lane_first=_LANE_FIRST,
)
# Together with lanes that wake later than any rests that has a message waiting: the clock of the
# database has been set back since. When an answer goes out, a platform may have said itself.
REPAIR = query(
    """
WITH work AS (
  SELECT conversation_id, true AS is_said FROM inbox WHERE state = 0
  UNION SELECT o.conversation_id, false FROM outbox o WHERE <sendable>
)
UPDATE lane SET wake_at = <now> FROM work
WHERE lane.conversation_id = work.conversation_id AND node IS NULL
  AND (wake_at IS NULL OR is_said AND wake_at > <now> + :rests::bigint)
RETURNING 1
""",
    sendable=_SENDABLE,
)
# By the clock of before it was set back: a node that died with it would live on for as long. Who
# lives has renewed its lease long before this one ends.
CUT_LEASES = query(
    """
UPDATE node SET alive_until = <now> + :longest::bigint
WHERE alive_until > <now> + :longest::bigint
RETURNING 1
"""
)
SIZE = query("SELECT <now>, pg_database_size(current_database())")

# ---- listeners, ticks, settings -------------------------------------------------

# A holder asks again and again: what is its own already is not written again. Who is refused
# learns how long the holder's lease lasts.
HOLD_LISTENER = query(
    """
WITH mine AS MATERIALIZED (
  SELECT position FROM listener
  WHERE tenant = :whose AND name = :which AND node = :me AND epoch = :holder
),
taken AS (
  INSERT INTO listener (tenant, name, node, epoch, position)
  SELECT :whose, :which, :me, :holder, 0 WHERE NOT EXISTS (SELECT FROM mine)
  ON CONFLICT (tenant, name) DO UPDATE SET node = excluded.node, epoch = excluded.epoch
  WHERE listener.node IS NULL OR NOT EXISTS (
    SELECT FROM node
    WHERE node.name = listener.node AND node.epoch = listener.epoch AND alive_until > <now>)
  RETURNING position
)
SELECT position, NULL::bigint FROM mine UNION ALL SELECT position, NULL FROM taken
UNION ALL
SELECT NULL, greatest(alive_until - <now>, 0)
FROM listener JOIN node ON node.name = listener.node AND node.epoch = listener.epoch
WHERE tenant = :whose AND listener.name = :which
  AND NOT EXISTS (SELECT FROM mine) AND NOT EXISTS (SELECT FROM taken)
"""
)
# Whoever waits for it is told in the same transaction. Without a row nobody is.
LEAVE_LISTENER = query(
    """
WITH left_free AS (
  UPDATE listener SET node = NULL, epoch = NULL
  WHERE tenant = :whose AND name = :which AND node = :me AND epoch = :holder
  RETURNING 1
)
SELECT pg_notify(:channel, '') FROM left_free
"""
)
# Not waited for: an offset that is lost brings events again, and repeats are known.
ADVANCE_LISTENER = query(
    """
UPDATE listener SET position = :reached
WHERE tenant = :whose AND name = :which AND node = :me AND epoch = :holder
RETURNING set_config('synchronous_commit', 'off', true)
"""
)
# Rows of a time that comes once more, for the clock was set back, say what was done then.
CLAIM_TICK = query(
    """
WITH relived AS (
  DELETE FROM tick WHERE job = :which AND scheduled_at > <now> + :ahead::bigint
    AND scheduled_at <> :at AND done_at IS NOT NULL
)
INSERT INTO tick (job, scheduled_at, node, epoch) VALUES (:which, :at, :me, :holder)
ON CONFLICT (job, scheduled_at) DO UPDATE SET node = excluded.node, epoch = excluded.epoch
WHERE tick.done_at IS NULL AND NOT EXISTS (
  SELECT FROM node
  WHERE node.name = tick.node AND node.epoch = tick.epoch AND alive_until > <now>)
RETURNING 1
"""
)
ADD_SETTING = query(
    "INSERT INTO setting (name, value) VALUES (:which, :value) ON CONFLICT (name) DO NOTHING"
)
TRY_WRITE = query(
    """
INSERT INTO setting (name, value) VALUES ('last_probe', <now>::text)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
)
