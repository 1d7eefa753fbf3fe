"""Fences: what a former holder of a lane may still write."""

from tests.mutants.mutant import mutant

LANES = "tests/contracts/test_store_lanes.py"
STATEMENTS = "bot/store/statements.py"
TURNS = "bot/store/statements_postgres_turns.py"
ANYONE = (
    "held AS MATERIALIZED (SELECT tenant, shard FROM lane WHERE conversation_id = :conversation)"
)

MUTANTS = (
    mutant(
        "fence-memory",
        "no write of the double asks for the fence",
        (
            "bot/store/memory_rows.py",
            "if lane is None or lane.node != claim.node or lane.fence != claim.fence:",
            "if lane is None:",
        ),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "fence-finish-memory",
        "the end of a turn does not ask for the fence",
        (
            "bot/store/memory_turns.py",
            "finish.session.active_at)\n        self._held(claim)\n",
            "finish.session.active_at)\n",
        ),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "fence-sent-memory",
        "what was sent is noted without asking for the fence",
        (
            "bot/store/memory_outbox.py",
            "    self._held(claim)\n        line = self._line(row)\n        if line is not None:",
            "    line = self._line(row)\n        if line is not None:",
        ),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "fence-raised-memory",
        "a claim does not raise the fence",
        ("bot/store/memory_lanes.py", "        lane.fence += 1\n", ""),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "fence-journal-sqlite",
        "steps, drafts and skips do not ask for the fence",
        (
            STATEMENTS,
            "select(lane.c.tenant, lane.c.shard).where(HELD))",
            "select(lane.c.tenant, lane.c.shard).where(lane.c.conversation_id == HERE))",
        ),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "fence-finish-sqlite",
        "the beginning and the end of a turn do not ask for the fence",
        (
            STATEMENTS,
            "conversation.c.id == lane.c.conversation_id)\n    .where(HELD)\n)\nGIVE_BACK",
            "conversation.c.id == lane.c.conversation_id)\n"
            "    .where(lane.c.conversation_id == HERE)\n)\nGIVE_BACK",
        ),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "fence-outbox-sqlite",
        "no write of the outbox asks for the fence",
        (
            STATEMENTS,
            "_OURS = exists().where(HELD)",
            "_OURS = exists().where(lane.c.conversation_id == HERE)",
        ),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "fence-sent-sqlite",
        "what was sent is noted without asking for the fence",
        (STATEMENTS, "    .where(_ROW, _OURS)\n", "    .where(_ROW)\n"),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "fence-raised-sqlite",
        "a claim does not raise the fence",
        (STATEMENTS, '"fence": lane.c.fence + literal_column("1"),', '"fence": lane.c.fence,'),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "fence-postgres",
        "no write asks for the fence",
        (
            "bot/store/statements_postgres.py",
            "FROM lane WHERE <mine> FOR NO KEY UPDATE",
            "FROM lane WHERE conversation_id = :conversation FOR NO KEY UPDATE",
        ),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "fence-finish-postgres",
        "the end of a turn does not ask for the fence",
        (
            TURNS,
            "WITH <clock>, <held>,\nanswered AS",
            f"WITH <clock>, {ANYONE},\nanswered AS",
        ),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "fence-take-postgres",
        "a piece is taken without asking for the fence",
        (
            TURNS,
            "WITH <held>\nUPDATE outbox o SET state = 'sending'",
            f"WITH {ANYONE}\nUPDATE outbox o SET state = 'sending'",
        ),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "fence-sent-postgres",
        "what was sent is noted without asking for the fence",
        (TURNS, 'SENT = query(\n    """\nWITH <held>,', f'SENT = query(\n    """\nWITH {ANYONE},'),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "fence-lock-postgres",
        "the fence is read and not locked: who takes the lane meanwhile is not seen",
        (
            "bot/store/statements_postgres.py",
            "SELECT tenant, shard FROM lane WHERE <mine> FOR NO KEY UPDATE",
            "SELECT tenant, shard FROM lane WHERE <mine>",
        ),
        tests="tests/store/test_postgres.py",
        only="postgres",
    ),
    mutant(
        "fence-raised-postgres",
        "a claim of many lanes does not raise their fences",
        (
            "bot/store/statements_postgres_claims.py",
            "    fence = greatest(lane.fence + 1, (SELECT now FROM clock))\n  -- Not a join",
            "    fence = lane.fence\n  -- Not a join",
        ),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "fence-raised-one-postgres",
        "a claim of one lane does not raise its fence",
        (
            "bot/store/statements_postgres_claims.py",
            "  fence = greatest(lane.fence + 1, (SELECT now FROM clock))\nFROM found",
            "  fence = lane.fence\nFROM found",
        ),
        tests=LANES,
        only="postgres",
    ),
)
