"""Waits: what has to be on disk before anybody is told, and before anything is done."""

from tests.mutants.mutant import mutant

ACCEPT = "bot/store/statements_postgres.py"
POSTGRES = "tests/store/test_postgres.py"
JOURNAL = "tests/engine/test_journal.py"

MUTANTS = (
    mutant(
        "group-commit-sqlite",
        "who waits is told before the commit",
        (
            "bot/store/sqlite_writer.py",
            '        db.execute("COMMIT")',
            '        self._resolve(group)\n        db.execute("COMMIT")',
        ),
        tests="tests/store/test_sqlite_writer.py",
    ),
    mutant(
        "full-sync-sqlite",
        "a commit does not wait for the disk",
        (
            "bot/store/sqlite_file.py",
            'db.execute("PRAGMA synchronous=FULL")',
            'db.execute("PRAGMA synchronous=OFF")',
        ),
        tests="tests/store/test_migrations.py",
    ),
    mutant(
        "lost-pages-sqlite",
        "pages that did not reach the file are believed to be there",
        (
            "bot/store/sqlite_file.py",
            "            raise LostPages from error\n",
            "            raise\n",
        ),
        tests="tests/store/test_lost_sync.py",
    ),
    mutant(
        "step-wait-sqlite",
        "no step of a turn is waited for",
        (
            "bot/store/sqlite_turns.py",
            "        if durable:\n            await self._writer.run(write)",
            "        if durable is None:\n            await self._writer.run(write)",
        ),
        tests="tests/store/test_sqlite.py",
    ),
    mutant(
        "another-run-unwaited",
        "that a turn is run once more is not waited for",
        (
            "bot/store/sqlite_turns.py",
            "        if turn.attempts > 1:\n",
            "        if turn.attempts < 1:\n",
        ),
        tests="tests/store/test_sqlite.py",
    ),
    mutant(
        "accept-wait-postgres",
        "an accepted message is not waited for",
        (
            ACCEPT,
            "(SELECT id FROM opened) FROM home\n",
            "(SELECT id FROM opened) FROM home WHERE <hasty> IS NOT NULL\n",
        ),
        tests=POSTGRES,
        only="postgres",
    ),
    mutant(
        "step-wait-postgres",
        "no step of a turn is waited for",
        (
            "bot/store/postgres_turns.py",
            "say.STEP if durable else say.HASTY_STEP",
            "say.HASTY_STEP",
        ),
        tests=POSTGRES,
        only="postgres",
    ),
    mutant(
        "finish-wait-postgres",
        "the end of a turn is not waited for",
        (
            "bot/store/statements_postgres_turns.py",
            "EXISTS (SELECT FROM edited) FROM held\n",
            "EXISTS (SELECT FROM edited) FROM held WHERE <hasty> IS NOT NULL\n",
        ),
        tests=POSTGRES,
        only="postgres",
    ),
    mutant(
        "commit-default-postgres",
        "a server that is told not to wait for its disk is believed",
        (
            "bot/store/postgres_pool.py",
            "coalesce(nullif(current_setting('synchronous_commit'), 'off'),\n    'on')",
            "current_setting('synchronous_commit')",
        ),
        tests=POSTGRES,
        only="postgres",
    ),
    mutant(
        "once-begun-wait",
        "a function that may happen once starts before its step is on disk",
        (
            "bot/engine/calling.py",
            "Step(n, StepKind.TOOL, context.key, None), durable=True)",
            "Step(n, StepKind.TOOL, context.key, None), durable=False)",
        ),
        tests=JOURNAL,
    ),
    mutant(
        "once-begun",
        "that a function was begun is not written down",
        (
            "bot/engine/calling.py",
            "if effect is not Effect.READ or approved:",
            "if effect is None:",
        ),
        tests=JOURNAL,
    ),
    mutant(
        "once-ended-wait",
        "the result of a function that changes something is not waited for",
        (
            "bot/engine/calling.py",
            "lambda: self._note(step, durable=True),",
            "lambda: self._note(step, durable=False),",
        ),
        tests=JOURNAL,
    ),
    mutant(
        "run-counted-wait",
        "functions are called before the run that calls them is on disk",
        (
            "bot/engine/asking.py",
            "lambda: run.journal.step(run.claim, run.turn.id, step, durable=True),",
            "lambda: run.journal.step(run.claim, run.turn.id, step, durable=False),",
        ),
        tests=JOURNAL,
    ),
    mutant(
        "draft-written",
        "where a draft stands is not written down",
        (
            "bot/engine/drafting.py",
            "        try:\n            await self._record(sent)\n",
            "        try:\n            pass\n",
        ),
        tests="tests/engine/test_drafting.py",
    ),
    mutant(
        "acknowledge-telegram",
        "an update is acknowledged while it is still being stored",
        (
            "adapters/telegram/reception.py",
            "            await receive(inbound)\n",
            "            self._run(receive(inbound))\n",
        ),
        tests="tests/adapters/telegram/test_wire_webhook.py",
    ),
    mutant(
        "offset-upwards",
        "updates whose ids begin anew below the offset are never acknowledged",
        (
            "adapters/telegram/polling.py",
            "await self._listeners.advance(self._name, after)",
            "await self._listeners.advance(self._name, max(after, offset))",
        ),
        tests="tests/adapters/telegram/test_wire_polling.py",
    ),
    mutant(
        "acknowledge-slack",
        "an event is acknowledged while it is still being stored",
        (
            "adapters/slack/reception.py",
            "            await receive(inbound)\n",
            "            asyncio.ensure_future(receive(inbound))\n",
        ),
        tests="tests/adapters/slack/test_wire_http.py",
    ),
    mutant(
        "acknowledge-web",
        "a page is told that its message is there while it is still being stored",
        (
            "adapters/web/routes.py",
            "        receipt = await self._receive(inbound)\n",
            "        import asyncio, types\n"
            "        asyncio.ensure_future(self._receive(inbound))\n"
            "        receipt = types.SimpleNamespace(new=True)\n",
        ),
        tests="tests/adapters/web/test_posting.py",
    ),
)
