"""Keys: what makes a message that comes twice one, and an answer that is written twice an error."""

from tests.mutants.mutant import Edit, Mutant, mutant

SCHEMA = "bot/store/migrations/versions/0001_first.py"
INBOX = "tests/contracts/test_store_inbox.py"
KEYS = "tests/store/test_keys.py"
TURNS = "tests/contracts/test_store_turns.py"
UPKEEP = "tests/contracts/test_store_upkeep.py"

NO_INBOX_KEY = Edit(
    SCHEMA,
    """        sa.UniqueConstraint(
            "conversation_id", "event_key", name=op.f("uq_inbox_conversation_id_event_key")
        ),
""",
    "",
)
NO_OUTBOX_KEY = (
    SCHEMA,
    """sa.PrimaryKeyConstraint("conversation_id", "turn", "piece", name=op.f("pk_outbox")),\n""",
    "",
)

MUTANTS = (
    mutant(
        "inbox-key-memory",
        "a message that comes again is a new one",
        (
            "bot/store/memory_inbox.py",
            "line = self._rows.events.get((conversation, inbound.event_key))",
            "line = None",
        ),
        tests=INBOX,
        only="memory",
    ),
    Mutant(
        "inbox-key-sqlite",
        "a message that comes again is a new one: the table has no key for it",
        (NO_INBOX_KEY,),
        (INBOX,),
        "sqlite",
    ),
    Mutant(
        "inbox-key-postgres",
        "a message that comes again is a new one: neither table nor statement has a key for it",
        (
            NO_INBOX_KEY,
            Edit(
                "bot/store/statements_postgres.py",
                "FROM home WHERE NOT EXISTS (SELECT FROM twin)\n"
                "  ON CONFLICT (conversation_id, event_key) DO NOTHING\n",
                "FROM home\n",
            ),
        ),
        (INBOX,),
        "postgres",
    ),
    mutant(
        "outbox-key-sqlite",
        "a piece of a turn can be written twice",
        NO_OUTBOX_KEY,
        tests=KEYS,
        only="sqlite",
    ),
    mutant(
        "outbox-key-postgres",
        "a piece of a turn can be written twice",
        NO_OUTBOX_KEY,
        tests=KEYS,
        only="postgres",
    ),
    mutant(
        "end-once-memory",
        "a turn that has ended can end again",
        (
            "bot/store/memory_turns.py",
            "if known is not None and known.turn.state is not TurnState.THINKING:",
            "if known is not None and not known.turn.id:",
        ),
        tests=TURNS,
        only="memory",
    ),
    mutant(
        "end-once-sqlite",
        "a turn that has ended can end again",
        (
            "bot/store/statements.py",
            "PUT_TURN = insert(turn, set_=_TURN_CHANGES, where=THINKING)",
            "PUT_TURN = insert(turn, set_=_TURN_CHANGES)",
        ),
        tests=TURNS,
        only="sqlite",
    ),
    mutant(
        "end-once-postgres",
        "a turn that has ended can end again",
        (
            "bot/store/statements_postgres_turns.py",
            'body = excluded.body\n  WHERE turn.state = \'thinking\'"""',
            'body = excluded.body"""',
        ),
        tests=TURNS,
        only="postgres",
    ),
    mutant(
        "dedup-window-memory",
        "the keys of messages go with their bodies: a late repeat is new",
        (
            "bot/store/memory_upkeep.py",
            "keys = now - timedelta(seconds=rules.keys_seconds)",
            "keys = now - timedelta(seconds=rules.journal_seconds)",
        ),
        tests=UPKEEP,
        only="memory",
    ),
    mutant(
        "dedup-window-sqlite",
        "the keys of messages go with their bodies: a late repeat is new",
        (
            "bot/store/sqlite_upkeep.py",
            'keys = {"before": now - micros_of(rules.keys_seconds)',
            'keys = {"before": now - micros_of(rules.journal_seconds)',
        ),
        tests=UPKEEP,
        only="sqlite",
    ),
    mutant(
        "dedup-window-postgres",
        "the keys of messages go with their bodies: a late repeat is new",
        (
            "bot/store/postgres_upkeep.py",
            'keys = {"before": now - micros_of(rules.keys_seconds)',
            'keys = {"before": now - micros_of(rules.journal_seconds)',
        ),
        tests=UPKEEP,
        only="postgres",
    ),
)
