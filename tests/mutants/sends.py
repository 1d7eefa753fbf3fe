"""Sends: marked before the wire is touched, in order, and never repeated without a word."""

from tests.mutants.mutant import mutant

LANE = "tests/engine/test_lane.py"
OUTBOX = "tests/engine/test_outbox.py"
STORED = "tests/contracts/test_store_outbox.py"

MUTANTS = (
    mutant(
        "marked-before-wire",
        "the wire is touched before the piece is marked as sending",
        (
            "bot/engine/outbox.py",
            "            row = await shared.outbox.take(self._claim, row)\n",
            "            pass\n",
        ),
        tests=OUTBOX,
    ),
    mutant(
        "interrupted-doubt",
        "a piece that a crash left as sending is simply sent again",
        (
            "bot/engine/outbox.py",
            "if known is Wire.UNKNOWN and row.draft is None:",
            "if known is None:",
        ),
        tests=OUTBOX,
    ),
    mutant(
        "ambiguous-doubt",
        "a send that nobody knows the end of counts as not sent",
        (
            "bot/engine/outbox.py",
            "    await self._unknown(row, reason)\n        except Held",
            "    await self._later(row, Transient(reason), held=held)\n        except Held",
        ),
        tests=LANE,
    ),
    mutant(
        "doubtful-unmarked",
        "what a service out of order may have taken is sent again without a mark",
        ("bot/engine/unsent.py", "held=held, repeat=not held)", "held=held)"),
        tests=LANE,
    ),
    mutant(
        "doubt-unmarked",
        "what a service out of order may have taken as its lane ended counts as not sent",
        (
            "bot/engine/outbox.py",
            "isinstance(error, (Held, Transient, Permanent)) and not isinstance(error, Doubtful):",
            "isinstance(error, (Held, Transient, Permanent)):",
        ),
        tests=OUTBOX,
    ),
    mutant(
        "counted-twice",
        "a try that failed is counted twice, and the mark of the next one fits no row",
        (
            "bot/engine/unsent.py",
            "            error=str(error),\n",
            "            error=str(error),\n            attempts=row.attempts + 1,\n",
        ),
        tests="tests/engine/test_lost_answers.py",
    ),
    mutant(
        "taken-untold",
        "a piece whose taking was never answered is in doubt",
        ("bot/engine/outbox.py", "            shared.marks.will_take(self._claim, row)\n", ""),
        tests="tests/engine/test_lost_answers.py",
    ),
    mutant(
        "repeat-marked",
        "what may have been shown is repeated without its mark",
        (
            "bot/engine/delivering.py",
            "if not row.repeats or adapter is None:",
            "if row.repeats >= 0 or adapter is None:",
        ),
        tests=LANE,
    ),
    mutant(
        "repeat-counted",
        "that a piece was repeated is not written down",
        (
            "bot/engine/unsent.py",
            "await self._put_back(row, now, IN_DOUBT, repeat=True)",
            "await self._put_back(row, now, IN_DOUBT)",
        ),
        tests="tests/engine/test_resuming.py",
    ),
    mutant(
        "repeat-stored-memory",
        "that a piece was repeated is not kept",
        (
            "bot/store/memory_outbox.py",
            "repeats=max(line.row.repeats, row.repeats + int(repeat)),",
            "repeats=line.row.repeats,",
        ),
        tests=STORED,
        only="memory",
    ),
    mutant(
        "repeat-stored-sqlite",
        "that a piece was repeated is not kept",
        (
            "bot/store/statements.py",
            'repeats=func.max(outbox.c.repeats, bindparam("repeats")),',
            "repeats=outbox.c.repeats,",
        ),
        tests=STORED,
        only="sqlite",
    ),
    mutant(
        "repeat-stored-postgres",
        "that a piece was repeated is not kept",
        (
            "bot/store/statements_postgres_turns.py",
            "repeats = greatest(o.repeats, :repeats::bigint),",
            "repeats = o.repeats,",
        ),
        tests=STORED,
        only="postgres",
    ),
    mutant(
        "retry-unmarked",
        "what may have been shown is sent again by an operator without a mark",
        (
            "bot/store/statements_upkeep.py",
            "        repeats=outbox.c.repeats\n        + case(\n",
            '        repeats=outbox.c.repeats\n        + literal_column("0") * case(\n',
        ),
        tests=STORED,
        only="sqlite",
    ),
    mutant(
        "report-policy",
        "with the policy `report` a doubtful piece is repeated all the same",
        (
            "bot/engine/unsent.py",
            "self._shared.ambiguous is AmbiguousPolicy.REPEAT and _may_be_repeated(row)",
            "_may_be_repeated(row)",
        ),
        tests=LANE,
    ),
    mutant(
        "read-back",
        "a platform that can be looked at is not",
        ("bot/engine/outbox.py", "if not isinstance(adapter, Finds):", "if adapter is not self:"),
        tests="tests/engine/test_looking.py",
    ),
    mutant(
        "mark-of-another",
        "a mark counts although another process had the lane in between",
        (
            "bot/engine/marks.py",
            "is_ours = mark.fence in (claim.fence, claim.before)",
            "is_ours = claim.fence >= mark.fence",
        ),
        tests="tests/engine/test_marks.py",
    ),
    mutant(
        "open-request",
        "a piece is sent although an open request may still take it",
        (
            "bot/engine/outbox.py",
            "if self._parked_until is not None and self._parked_until > now:",
            "if self._parked_until is not None and self._parked_until < row.created_at:",
        ),
        tests=OUTBOX,
    ),
    mutant(
        "first-in-order",
        "an answer is marked as sending although older pieces wait",
        (
            "bot/engine/answer.py",
            "sending_first=bool(pieces) and self._delivery.empty and not self._delivery.parked,",
            "sending_first=bool(pieces),",
        ),
        tests="tests/engine/test_order.py",
    ),
    mutant(
        "draft-in-order",
        "an answer grows on the screen before the one before it has left",
        ("bot/engine/answer.py", "gate=self._delivery.all_left,", "gate=lambda: asyncio.sleep(0),"),
        tests="tests/engine/test_order.py",
    ),
    mutant(
        "one-door-memory",
        "an open request takes a piece that is being sent already",
        (
            "bot/store/memory_outbox.py",
            "return line.row if is_ours else None",
            "return line.row",
        ),
        tests=STORED,
        only="memory",
    ),
    mutant(
        "one-door-sqlite",
        "an open request takes a piece that is being sent already",
        (
            "bot/store/sqlite_outbox.py",
            "return row if taken_by == slot else None",
            "return row",
        ),
        tests=STORED,
        only="sqlite",
    ),
    mutant(
        "one-door-postgres",
        "an open request takes a piece that is being sent already",
        (
            "bot/store/statements_postgres_turns.py",
            "\n  AND (oldest.state <> 'sending' OR oldest.slot = :slot)\n",
            "\n",
        ),
        tests=STORED,
        only="postgres",
    ),
    mutant(
        "sent-stays-memory",
        "what was sent can be put back",
        (
            "bot/store/memory_outbox.py",
            "return line if line is not None and line.row.state in UNSENT else None",
            "return line",
        ),
        tests=STORED,
        only="memory",
    ),
    mutant(
        "sent-stays-sqlite",
        "what was sent can be put back",
        ("bot/store/statements.py", ".where(_ROW, UNSENT, _OURS)", ".where(_ROW, _OURS)"),
        tests=STORED,
        only="sqlite",
    ),
    mutant(
        "sent-stays-postgres",
        "what was sent can be put back",
        (
            "bot/store/statements_postgres_turns.py",
            "FROM held WHERE <row> AND o.state IN <unsent>\n",
            "FROM held WHERE <row>\n",
        ),
        tests=STORED,
        only="postgres",
    ),
    mutant(
        "last-word",
        "a send that was under way when its lease ran out is in doubt",
        (
            "bot/engine/outbox.py",
            "            self._shared.marks.has_left(self._claim, row, sending.result())\n",
            "            pass\n",
        ),
        tests="tests/engine/test_runner.py",
    ),
    *(
        mutant(
            f"gone-{store}",
            "a piece that is gone when it is to be sent looks like a lane that is lost",
            (
                f"bot/store/{store}_outbox.py",
                "from bot.errors import Gone\n",
                "from bot.errors import Fenced as Gone\n",
            ),
            tests=STORED,
            only=store,
        )
        for store in ("memory", "sqlite", "postgres")
    ),
    mutant(
        "held-in-doubt",
        "a held piece whose sender died keeps everything behind it for ever",
        (
            "bot/engine/outbox.py",
            "if row.due_at > now and row.state is not OutboxState.SENDING:",
            "if row.due_at > now:",
        ),
        tests="tests/engine/test_outbox.py",
    ),
    mutant(
        "held-tail",
        "what stands behind a held piece expires before it",
        (
            "bot/engine/outbox.py",
            "                await self._keep()\n",
            "                pass\n",
        ),
        tests="tests/engine/test_held.py",
    ),
    mutant(
        "draft-alone",
        "that a draft cannot become the answer is not written down before another is sent",
        (
            "bot/engine/unsent.py",
            'await self._put_back(row, now, "no draft", alone=True)',
            'await self._put_back(row, now, "no draft")',
        ),
        tests="tests/engine/test_unfinishable.py",
    ),
    mutant(
        "sure-at-the-wire",
        "a server that was frozen in its pace posts without a look at its lease",
        (
            "adapters/slack/client.py",
            "        self._must_be_sure()\n        answer = await self._guard(\n            POST",
            "        answer = await self._guard(\n            POST",
        ),
        tests="tests/adapters/slack/test_wire_frozen.py",
    ),
)
