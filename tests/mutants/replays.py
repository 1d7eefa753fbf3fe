"""Replays: a turn that is run again takes what its earlier run has left, and counts that run."""

from tests.mutants.mutant import mutant

LANE = "tests/engine/test_lane.py"
JOURNAL = "tests/engine/test_journal.py"
LAST_WORDS = "tests/engine/test_last_words.py"
STORED = "tests/contracts/test_store_turns.py"
CALLING = "bot/engine/calling.py"

MUTANTS = (
    mutant(
        "replay-nothing",
        "a turn that is run again starts with an empty journal",
        (
            "bot/engine/answer.py",
            "show=self._show, steps=head.steps)",
            "show=self._show, steps=())",
        ),
        tests=JOURNAL,
    ),
    mutant(
        "replay-model",
        "a finished reply of the model is asked for again",
        ("bot/engine/asking.py", "        step = self._steps.get(n)\n", "        step = None\n"),
        tests=JOURNAL,
    ),
    mutant(
        "replay-tool",
        "a finished call is run again",
        (CALLING, "if step is not None and step.body is not None:", "if n < 0:"),
        tests=JOURNAL,
    ),
    mutant(
        "steps-memory",
        "the journal is not read",
        (
            "bot/store/memory_lanes.py",
            "return line.turn, tuple(steps[n] for n in sorted(steps))",
            "return line.turn, ()",
        ),
        tests=STORED,
        only="memory",
    ),
    mutant(
        "steps-sqlite",
        "the journal is not read",
        (
            "bot/store/sqlite_lanes.py",
            "return turn, tuple(decode_step(text) for (text,) in steps)",
            "return turn, ()",
        ),
        tests=STORED,
        only="sqlite",
    ),
    mutant(
        "steps-postgres",
        "the journal is not read",
        (
            "bot/store/postgres_lanes.py",
            "return tuple(decode_step(body) for id, body in rows if id == turn.id)",
            "return ()",
        ),
        tests=STORED,
        only="postgres",
    ),
    mutant(
        "resumed-turn",
        "a turn that was begun takes what waits now instead of its own messages",
        (
            "bot/engine/lane.py",
            "work = resumed(head) or next_work(head.waiting",
            "work = next_work(head.waiting",
        ),
        tests="tests/engine/test_resuming.py",
    ),
    mutant(
        "once-repeated",
        "a function that may happen once and was begun is simply run again",
        (
            CALLING,
            "if effect is Effect.ONCE and (\n            kept :=",
            "if n < 0 and (\n            kept :=",
        ),
        tests=JOURNAL,
    ),
    mutant(
        "once-cut-told",
        "who stops a turn that was taken up is not told what it had begun",
        (
            "bot/engine/answer.py",
            "self.turn, self._head.steps, but=self._thinking.come_to",
            "self.turn, (), but=self._thinking.come_to",
        ),
        tests=LAST_WORDS,
    ),
    mutant(
        "once-tool-gone",
        "a call that was begun is forgotten when its tool is gone",
        (CALLING, "Effect.READ if step is None else Effect.ONCE", "Effect.READ"),
        tests=LAST_WORDS,
    ),
    mutant(
        "once-given-up",
        "a turn that is given up asks the lookup that may have ended its process",
        ("bot/engine/answer.py", "self._last_words(asks=not dead)", "self._last_words()"),
        tests=LAST_WORDS,
    ),
    mutant(
        "once-unknown-told",
        "nobody is told of a call whose end is not known",
        (CALLING, "        if ended.unknown:\n            self._doubt(call, key)\n", ""),
        tests=JOURNAL,
    ),
    mutant(
        "once-key",
        "every run of a turn gives its calls other keys",
        (
            CALLING,
            "key=call_key(self._run.turn.id, n, call))",
            "key=call_key(self._run.turn.id * 1000 + self._run.turn.attempts, n, call))",
        ),
        tests=JOURNAL,
    ),
    mutant(
        "attempts",
        "the runs of a turn are not counted",
        (
            "bot/engine/answer.py",
            "attempts=before + counts)",
            "attempts=1)",
        ),
        tests=LANE,
    ),
    mutant(
        "late-run-uncounted",
        "a run that ends a turn without the model is not counted",
        (
            "bot/engine/answer.py",
            "await self._start(session, counts=not dead)",
            "await self._start(session, counts=False)",
        ),
        tests=LAST_WORDS,
    ),
    mutant(
        "poison",
        "a message that ends the process is tried for ever",
        ("bot/engine/working.py", "if runs >= MOST_RUNS:", "if runs < 0:"),
        tests=LANE,
    ),
    mutant(
        "drain-no-crash",
        "a turn that a stopping server leaves counts as a crash",
        (
            "bot/engine/answer.py",
            "turn = replace(self.turn, attempts=self.turn.attempts - 1)",
            "turn = self.turn",
        ),
        tests=LANE,
    ),
    mutant(
        "usage-again",
        "what an earlier run has used is not counted",
        ("bot/engine/asking.py", "= used_by(steps)", "= used_by(())"),
        tests="tests/engine/test_stopping.py",
    ),
    mutant(
        "once-under-way",
        "a call that this process is still making is asked about as if it had died",
        (
            "bot/engine/underway.py",
            "        ended = self._calls.get(key)\n        if ended is None:\n",
            "        ended = None\n        if ended is None:\n",
        ),
        tests="tests/engine/test_runner.py",
    ),
)
