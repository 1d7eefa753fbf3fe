"""The journal of turns, the outbox and the slots on PostgreSQL: one statement for each step.

What `statements_postgres.py` says about locks, snapshots and haste is true here too.
"""

from bot.store.postgres_sql import query
from bot.store.statements_postgres import PARTS

# ---- the journal -------------------------------------------------------------------------

_PUT_SESSION = """
  ON CONFLICT (conversation_id, n) DO UPDATE SET first = excluded.first,
    started_at = excluded.started_at, active_at = excluded.active_at,
    ended_at = excluded.ended_at, ended_by = excluded.ended_by, summary = excluded.summary"""
_SESSION = """conversation_id, tenant, shard, n, first, started_at, active_at, ended_at, ended_by,
    summary"""
_TURN = "conversation_id, tenant, shard, id, person, state, draft, started_at, ended_at, body"
_PUT_TURN = """
  ON CONFLICT (conversation_id, id) DO UPDATE SET state = excluded.state,
    draft = excluded.draft, ended_at = excluded.ended_at, body = excluded.body
  WHERE turn.state = 'thinking'"""
_PUT_STEP = """
written AS (
  INSERT INTO step (conversation_id, tenant, shard, turn, n, body)
  SELECT :conversation, tenant, shard, :turn, :n, :body FROM held
  ON CONFLICT (conversation_id, turn, n) DO UPDATE SET body = excluded.body
)"""
_JOURNAL = {
    **PARTS,
    "put_step": _PUT_STEP,
    "put_session": _PUT_SESSION,
    "session": _SESSION,
    "put_turn": _PUT_TURN,
    "turn": _TURN,
}
START = query(
    """
WITH <held>,
begun AS (
  INSERT INTO turn (<turn>)
  SELECT :conversation, tenant, shard, :turn, :person, :state, :draft, <now>, NULL, :body FROM held
  <put_turn>
),
remembered AS (
  INSERT INTO session (<session>)
  SELECT :conversation, tenant, shard, :n, :first, :started_at, :active_at, :ended_at, :ended_by,
    :summary
  FROM held
  <put_session>
),
dropped AS (
  DELETE FROM approval USING held
  WHERE conversation_id = :conversation AND sender = :sender AND NOT :keeps::boolean
)
SELECT <hasty> FROM held
""",
    **_JOURNAL,
)
STEP = query("WITH <held>, <put_step> SELECT FROM held", **_JOURNAL)
HASTY_STEP = query("WITH <held>, <put_step> SELECT <hasty> FROM held", **_JOURNAL)
DRAFT = query(
    """
WITH <held>,
drawn AS (
  UPDATE turn SET draft = :draft FROM held
  WHERE conversation_id = :conversation AND id = :turn AND state = 'thinking'
)
SELECT FROM held
""",
    **PARTS,
)
SKIP = query(
    """
WITH <held>,
closed AS (
  UPDATE inbox SET state = 1, done_at = <now> FROM held
  WHERE conversation_id = :conversation AND id = ANY (:done::bigint[]) AND state = 0
)
SELECT FROM held
""",
    **PARTS,
)

# Nothing is written when a message was edited while its turn ran (`edited`: the transcript needs
# the edit, so its text has to be made anew) or when the turn has ended already.
FINISH = query(
    """
WITH <clock>, <held>,
answered AS MATERIALIZED (
  SELECT i.id, i.amended FROM inbox i JOIN held ON true
  WHERE i.conversation_id = :conversation AND i.state = 0
    AND i.id = ANY (:done::bigint[] || :dead::bigint[])
  FOR NO KEY UPDATE OF i
),
edited AS MATERIALIZED (
  SELECT id FROM answered WHERE amended AND NOT id = ANY (:edits::bigint[])
),
ended AS (
  INSERT INTO turn (<turn>)
  SELECT :conversation, tenant, shard, :turn, :person, :state, :draft, now, now, :body
  FROM held, clock WHERE NOT EXISTS (SELECT FROM edited)
  <put_turn>
  RETURNING tenant, shard, ended_at AS now
),
remembered AS (
  INSERT INTO session (<session>)
  SELECT :conversation, tenant, shard, :n, :first, :started_at, greatest(:active_at::bigint, now),
    :ended_at, :ended_by, :summary
  FROM ended
  <put_session>
),
closed AS (
  UPDATE inbox i SET done_at = now, state = CASE WHEN i.id = ANY (:dead::bigint[]) THEN 2 ELSE 1 END
  FROM ended, answered
  WHERE i.conversation_id = :conversation AND i.id = answered.id AND i.state = 0
),
said AS (
  INSERT INTO message
    (conversation_id, tenant, shard, seq, turn, person, platform_id, event_key, sent_at, body)
  SELECT :conversation, tenant, shard, m.seq, :turn, m.person, m.platform_id, m.event_key,
    m.sent_at, m.body
  FROM ended, unnest(:said_seq::bigint[], :said_person::text[], :said_platform::text[],
    :said_event::text[], :said_at::bigint[], :said_body::text[])
    AS m (seq, person, platform_id, event_key, sent_at, body)
),
queued AS (
  INSERT INTO outbox (conversation_id, tenant, shard, turn, piece, state, due_at, created_at,
    changed_at, expires_at, attempts, repeats, draft, error, body)
  SELECT :conversation, tenant, shard, :turn, o.piece - 1,
    CASE WHEN o.piece = 1 AND :sending::boolean THEN 'sending' ELSE 'queued' END,
    now, now, now, o.expires_at,
    CASE WHEN o.piece = 1 AND :sending::boolean THEN 1 ELSE 0 END,
    0, CASE WHEN o.piece = 1 THEN :draft::text END, '', o.body
  FROM ended, unnest(:piece_expires::bigint[], :piece_body::text[])
    WITH ORDINALITY AS o (expires_at, body, piece)
),
billed AS (
  INSERT INTO usage (conversation_id, tenant, shard, turn, rung, person, spent_at, input, output,
    cached, calls)
  SELECT :conversation, tenant, shard, :turn, u.rung, :person, now, sum(u.input), sum(u.output),
    sum(u.cached), sum(u.calls)
  FROM ended, unnest(:spent_rung::text[], :spent_input::bigint[], :spent_output::bigint[],
    :spent_cached::bigint[], :spent_calls::bigint[]) AS u (rung, input, output, cached, calls)
  GROUP BY tenant, shard, now, u.rung
  ON CONFLICT (conversation_id, turn, rung) DO UPDATE SET input = usage.input + excluded.input,
    output = usage.output + excluded.output, cached = usage.cached + excluded.cached,
    calls = usage.calls + excluded.calls
),
asked AS (
  INSERT INTO approval (conversation_id, tenant, shard, sender, tool, arguments, expires_at)
  SELECT :conversation, tenant, shard, :asks, :tool, :arguments, :asks_until FROM ended
  WHERE :asks::text IS NOT NULL
  ON CONFLICT (conversation_id, sender) DO UPDATE SET tool = excluded.tool,
    arguments = excluded.arguments, expires_at = excluded.expires_at
),
forgotten AS (
  DELETE FROM step USING ended WHERE conversation_id = :conversation AND turn = :turn
),
silenced AS (
  DELETE FROM signal USING ended WHERE conversation_id = :conversation AND kind = 'text'
)
SELECT (SELECT now FROM ended), EXISTS (SELECT FROM edited) FROM held
""",
    **_JOURNAL,
)
EDITED = query(
    """
SELECT id, event_key, platform_id, amended, body FROM inbox
WHERE conversation_id = :conversation AND state = 0 AND id = ANY (:which::bigint[])
FOR NO KEY UPDATE
"""
)

# ---- the outbox --------------------------------------------------------------------------

_ROW = "o.conversation_id = :conversation AND o.turn = :turn AND o.piece = :piece"
_RETURNED = """o.conversation_id, o.turn, o.piece, o.body, o.state, o.due_at, o.created_at,
  o.expires_at, o.attempts, o.repeats, o.draft, o.sent, o.error, o.slot_closes_at"""
_SESSION_IS_ACTIVE = """
  UPDATE session SET active_at = greatest(active_at, <now>)
  WHERE conversation_id = :conversation AND ended_at IS NULL AND EXISTS (SELECT FROM changed)
    AND n = (SELECT max(n) FROM session WHERE conversation_id = :conversation)"""
_OUTBOX = {
    **PARTS,
    "row": _ROW,
    "returned": _RETURNED,
    "touch": _SESSION_IS_ACTIVE,
}
TAKE = query(
    """
WITH <held>
UPDATE outbox o SET state = 'sending', attempts = o.attempts + 1, changed_at = <now>, slot = NULL,
  slot_closes_at = NULL
FROM held WHERE <row> AND o.state IN ('queued', 'held')
RETURNING o.attempts
""",
    **_OUTBOX,
)
SENT = query(
    """
WITH <held>,
changed AS (
  UPDATE outbox o SET state = 'sent', sent = :sent, changed_at = <now>, slot = NULL,
    slot_closes_at = NULL
  FROM held WHERE <row>
  RETURNING 1
),
touched AS (<touch>)
SELECT FROM held
""",
    **_OUTBOX,
)
# What stands behind a held piece cannot leave before it: it must not run out before it either.
_PROLONG = """
  UPDATE outbox o SET expires_at = o.created_at + :lasts::bigint
  FROM held WHERE o.conversation_id = :conversation AND o.state IN <unsent>
    AND o.state <> 'sending' AND o.expires_at < o.created_at + :lasts::bigint"""
CHANGE = query(
    """
WITH <held>,
changed AS (
  UPDATE outbox o SET state = :becomes, due_at = coalesce(:due::bigint, o.due_at),
    error = coalesce(:why::text, o.error), repeats = greatest(o.repeats, :repeats::bigint),
    draft = CASE WHEN :alone::boolean THEN NULL ELSE o.draft END,
    expires_at = CASE WHEN o.expires_at IS NOT NULL
      THEN greatest(o.expires_at, o.created_at + :lasts::bigint) END,
    changed_at = <now>, slot = NULL, slot_closes_at = NULL
  FROM held WHERE <row> AND o.state IN <unsent>
  RETURNING 1
),
prolonged AS (
  <prolong> AND (o.turn, o.piece) > (:turn, :piece) AND EXISTS (SELECT FROM changed)
)
SELECT FROM held
""",
    prolong=_PROLONG,
    **_OUTBOX,
)
PROLONG = query(
    """
WITH <held>,
prolonged AS (<prolong> AND (o.turn, o.piece) >= (:turn, :piece))
SELECT FROM held
""",
    prolong=_PROLONG,
    **_OUTBOX,
)

# ---- slots -------------------------------------------------------------------------------

# What has expired stands in the way until it is given up: the lane does it, or upkeep.
TAKE_FOR_SLOT = query(
    """
WITH oldest AS MATERIALIZED (
  SELECT o.turn, o.piece, o.state, o.slot, o.expires_at FROM outbox o
  WHERE o.conversation_id = :conversation AND o.state IN <unsent>
    AND (o.turn, o.piece) > (:turn, :piece)
    AND EXISTS (SELECT FROM slot
      WHERE id = :slot AND conversation_id = :conversation AND closes_at > <now>)
  ORDER BY o.turn, o.piece
  LIMIT 1
  FOR NO KEY UPDATE
)
UPDATE outbox o SET state = 'sending', changed_at = <now>, slot = :slot, slot_closes_at = :until,
  attempts = o.attempts + CASE WHEN oldest.state = 'sending' THEN 0 ELSE 1 END
FROM oldest
WHERE o.conversation_id = :conversation AND o.turn = oldest.turn AND o.piece = oldest.piece
  AND (oldest.state <> 'sending' OR oldest.slot = :slot)
  AND NOT (oldest.state = 'queued' AND coalesce(oldest.expires_at <= <now>, false))
RETURNING <returned>
""",
    **_OUTBOX,
)
SLOT_SENT = query(
    """
WITH changed AS (
  UPDATE outbox o SET state = 'sent', sent = :sent, changed_at = <now>, slot = NULL,
    slot_closes_at = NULL
  WHERE <row> AND o.slot = :slot AND o.state = 'sending'
  RETURNING 1
)
<touch>
""",
    **_OUTBOX,
)
SLOT_UNUSED = query(
    """
UPDATE outbox o SET state = 'queued', due_at = <now>, changed_at = <now>,
  attempts = o.attempts - 1, slot = NULL, slot_closes_at = NULL
WHERE <row> AND o.slot = :slot AND o.state = 'sending'
""",
    **_OUTBOX,
)
STILL_WAITS = query(
    """
SELECT FROM inbox WHERE conversation_id = :conversation AND id = :inbound AND state = 0
UNION ALL
SELECT FROM outbox
WHERE conversation_id = :conversation AND state = 'sending' AND slot IS DISTINCT FROM :slot
"""
)
SLOT_UNKNOWN = query(
    """
WITH changed AS (
  UPDATE outbox o SET slot = NULL, slot_closes_at = NULL
  WHERE <row> AND o.slot = :slot AND o.state = 'sending'
  RETURNING 1
)
UPDATE lane SET wake_at = least(wake_at, <now>)
WHERE conversation_id = :conversation AND EXISTS (SELECT FROM changed)
""",
    **_OUTBOX,
)
CLOSE_SLOT = query(
    """
WITH closed AS (DELETE FROM slot WHERE id = :slot RETURNING conversation_id)
UPDATE lane SET wake_at = least(wake_at, <now>) FROM closed
WHERE lane.conversation_id = closed.conversation_id AND EXISTS (
  SELECT FROM outbox o
  WHERE o.conversation_id = closed.conversation_id AND o.state IN <unsent>)
""",
    **_OUTBOX,
)
