"""Leases and claims: who may run a lane, by whose clock, and what the nodes tell each other."""

from tests.mutants.mutant import Edit, Mutant, mutant

LANES = "tests/contracts/test_store_lanes.py"
CLAIMS = "bot/store/statements_postgres_claims.py"
STATEMENTS = "bot/store/statements.py"
RUNNER = "tests/engine/test_runner.py"

HEAD_WITH_THE_CLAIM = (
    Edit(
        CLAIMS,
        "SELECT taken.conversation_id, taken.fence, found.fence,\n",
        "SELECT taken.conversation_id, taken.fence, found.fence,\n"
        "  (SELECT array_agg(row(id, body, received_at, refusal) ORDER BY id)\n"
        "    FROM inbox WHERE state = 0 AND conversation_id = taken.conversation_id),\n",
    ),
    Edit(
        "bot/store/postgres_lanes.py",
        "        if rows and rows[0][3] is not None:\n            self._served = rows[0][3]\n",
        "        self._joined = {row[0]: row[3] for row in rows}\n"
        "        if rows and rows[0][4] is not None:\n            self._served = rows[0][4]\n",
    ),
    Edit(
        "bot/store/postgres_lanes.py",
        "        conversation = conversation_of(row[_CONVERSATION])\n",
        "        waits = getattr(self, '_joined', {}).pop(claim.conversation, waits)\n"
        "        conversation = conversation_of(row[_CONVERSATION])\n",
    ),
)
CLOCK_OF_THE_NODE = (
    Edit(
        CLAIMS,
        "UPDATE node SET alive_until = <now> + :lease::bigint\n"
        "WHERE name = :node AND epoch = :holder AND alive_until > <now>\n",
        "UPDATE node SET alive_until = :mine::bigint + :lease::bigint\n"
        "WHERE name = :node AND epoch = :holder AND alive_until > :mine::bigint\n",
    ),
    Edit("bot/store/postgres_lanes.py", "import asyncio\n", "import asyncio\nimport time\n"),
    Edit(
        "bot/store/postgres_lanes.py",
        'values = {**_me(node), "lease": micros_of(seconds)}',
        'values = {**_me(node), "lease": micros_of(seconds), "mine": micros_of(time.time())}',
    ),
)

MUTANTS = (
    Mutant(
        "claim-with-head-postgres",
        "a claim reads in the same statement what waits in the lane",
        HEAD_WITH_THE_CLAIM,
        ("tests/store/test_claim.py",),
        "postgres",
    ),
    mutant(
        "claim-lock-postgres",
        "lanes that are found to be due are not locked",
        (
            CLAIMS,
            "ORDER BY wake_at LIMIT shares.share\n    FOR NO KEY UPDATE SKIP LOCKED) waiting",
            "ORDER BY wake_at LIMIT shares.share) waiting",
        ),
        tests="tests/store/test_claim.py",
        only="postgres",
    ),
    *(
        mutant(
            f"window-doubted-{store}",
            "the window from before a turn's end that was cancelled on its way is kept",
            (
                "bot/store/windows.py",
                "            otherwise.callback(self.drop, conversation)\n",
                "",
            ),
            tests="tests/contracts/test_store_turns.py",
            only=store,
        )
        for store in ("sqlite", "postgres")
    ),
    mutant(
        "claim-living-memory",
        "a lane is taken from a holder that lives",
        ("bot/store/memory_lanes.py", "return not self._alive(lane.node)", "return True"),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "claim-living-sqlite",
        "a lane is taken from a holder that lives",
        (
            STATEMENTS,
            "            and_(lane.c.node.is_not(None), not_(_HOLDER_LIVES)),\n",
            "            lane.c.node.is_not(None),\n",
        ),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "claim-living-postgres",
        "a lane is taken from a holder that lives",
        (CLAIMS, "THEN 1 ELSE 0 END", "THEN 1 ELSE 1 END"),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "takeover-memory",
        "what a dead node left behind is not taken over",
        (
            "bot/store/memory_lanes.py",
            "if lane.node is not None and self._claimable(lane)]",
            "if lane.node is not None and lane.fence < 0]",
        ),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "takeover-sqlite",
        "what a dead node left behind is not taken over",
        (
            "bot/store/sqlite_lanes.py",
            "found = db.execute(statements.ABANDONED, values).fetchall()",
            "found = []",
        ),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "takeover-postgres",
        "what a dead node left behind is not taken over",
        (CLAIMS, "THEN 1 ELSE 0 END", "THEN 0 ELSE 0 END"),
        tests=LANES,
        only="postgres",
    ),
    Mutant(
        "lease-clock-postgres",
        "a lease runs by the clock of the node",
        CLOCK_OF_THE_NODE,
        ("tests/architecture/test_rooms.py::test_time_comes_from_an_injected_clock",),
    ),
    mutant(
        "lease-renewed-late-memory",
        "a lease that ran out is renewed",
        (
            "bot/store/memory_lanes.py",
            "        if not self._alive(node):\n            return False\n",
            "        if self._rows.nodes[node.name][0] != node.epoch:\n            return False\n",
        ),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "lease-renewed-late-sqlite",
        "a lease that ran out is renewed",
        (
            STATEMENTS,
            "update(node).where(_ME, node.c.alive_until > NOW).values(",
            "update(node).where(_ME).values(",
        ),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "lease-renewed-late-postgres",
        "a lease that ran out is renewed",
        (CLAIMS, " AND alive_until > <now>\nRETURNING <now>", "\nRETURNING <now>"),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "epoch-join-memory",
        "a node that starts or begins again has its former epoch",
        (
            "bot/store/memory_lanes.py",
            "        self._rows.nodes[name] = (epoch + 1, self._now() + lease)\n"
            "        return Node(name, epoch + 1)",
            "        self._rows.nodes[name] = (epoch or 1, self._now() + lease)\n"
            "        return Node(name, epoch or 1)",
        ),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "epoch-join-sqlite",
        "a node that starts has its former epoch",
        (
            STATEMENTS,
            'set_={"epoch": node.c.epoch + literal_column("1"), **excluded(',
            'set_={"epoch": node.c.epoch, **excluded(',
        ),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "epoch-join-postgres",
        "a node that starts has its former epoch",
        (CLAIMS, "DO UPDATE SET epoch = node.epoch + 1,", "DO UPDATE SET epoch = node.epoch,"),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "epoch-rejoin-sqlite",
        "a node whose lease ran out goes on under its former epoch",
        (
            STATEMENTS,
            '**excluded(node, "alive_until"), "epoch": node.c.epoch + literal_column("1")}',
            '**excluded(node, "alive_until")}',
        ),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "epoch-rejoin-postgres",
        "a node whose lease ran out goes on under its former epoch",
        (CLAIMS, "SET epoch = excluded.epoch, alive_until", "SET alive_until"),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "release-memory",
        "a lane is given back although something was accepted meanwhile",
        (
            "bot/store/memory_lanes.py",
            "        if lane.wake_at is not None:\n"
            "            lane.wake_at = None\n"
            "            return False\n",
            "",
        ),
        tests=LANES,
        only="memory",
    ),
    mutant(
        "release-sqlite",
        "a lane is given back although something was accepted meanwhile",
        (STATEMENTS, "    .where(HELD, lane.c.wake_at.is_(None))\n", "    .where(HELD)\n"),
        tests=LANES,
        only="sqlite",
    ),
    mutant(
        "release-postgres",
        "a lane is given back although something was accepted meanwhile",
        (
            "bot/store/statements_postgres.py",
            "  node = CASE WHEN wake_at IS NULL THEN NULL ELSE node END,\n"
            "  epoch = CASE WHEN wake_at IS NULL THEN NULL ELSE epoch END,\n"
            "  wake_at = CASE WHEN wake_at IS NULL THEN :wake::bigint END\n",
            "  node = NULL, epoch = NULL, wake_at = :wake::bigint\n",
        ),
        tests=LANES,
        only="postgres",
    ),
    mutant(
        "order-postgres",
        "a message gets its number before its turn at the lane",
        (
            "bot/store/statements_postgres.py",
            "  FOR NO KEY UPDATE OF l\n),\nnamed AS",
            "),\nnamed AS",
        ),
        tests="tests/store/test_postgres.py",
        only="postgres",
    ),
    mutant(
        "window-postgres",
        "a node that had the lane before does not read what another wrote since",
        (
            "bot/store/postgres_room.py",
            "if self._fences.pop(conversation, None) != before:",
            "if self._fences.pop(conversation, before) != before and before < 0:",
        ),
        tests="tests/store/test_postgres.py",
        only="postgres",
    ),
    mutant(
        "lease-two-thirds",
        "a node that cannot renew goes on with its turns",
        (
            "bot/engine/renewing.py",
            "elif kept is None and now + pause < self._sure_until:",
            "elif kept is None:",
        ),
        tests=RUNNER,
    ),
    mutant(
        "lease-lost",
        "lanes that were claimed under an epoch that is lost are run",
        (
            "bot/engine/runner.py",
            "        if self._between or node != self.node:\n",
            "        if node is None:\n",
        ),
        tests=RUNNER,
    ),
    mutant(
        "lease-sure",
        "a node that slept believes that its lanes are still its own",
        (
            "bot/engine/renewing.py",
            "return self._clock.monotonic() < self._sure_until",
            "return self._sure_until >= 0",
        ),
        tests=RUNNER,
    ),
    mutant(
        "lease-asleep",
        "the time for which a machine was asleep does not count for its lease",
        (
            "bot/clock.py",
            "        return self._elapsed()\n",
            "        return self._wall.monotonic()\n",
        ),
        tests="tests/test_clock.py",
    ),
    mutant(
        "lane-beside-itself",
        "a lane whose claim the database lost is run beside itself",
        (
            "bot/engine/runner.py",
            "twin = self._held.get(claim.conversation)\n",
            "twin = None\n",
        ),
        tests=RUNNER,
    ),
    mutant(
        "lately-away",
        "an outage of the database is a crash to the node that takes the turn over",
        (
            "bot/engine/runner.py",
            "if ours or self._renewing.database_was_lately_away:",
            "if ours:",
        ),
        tests="tests/engine/test_two_nodes.py",
    ),
    mutant(
        "own-node-first",
        "a node calls all others for what it has accepted and can run itself",
        (
            "bot/engine/runner.py",
            "            if self._draining or not self._room:\n                self._hints",
            "            if self._room >= 0:\n                self._hints",
        ),
        tests="tests/engine/test_sharing.py",
    ),
    mutant(
        "signal-margin",
        "a signal whose number comes to light after a higher one is not read",
        (
            "bot/engine/hearing.py",
            "until = self._clock.monotonic() - MARGIN",
            "until = self._clock.monotonic()",
        ),
        tests="tests/engine/test_signalling.py",
    ),
    mutant(
        "lost-claims",
        "lanes whose claim was never answered stay held and nobody runs them",
        (
            "bot/engine/lostclaims.py",
            "        self._until, self._next = now + DOUBT, now\n",
            "        self._next = now\n",
        ),
        tests="tests/engine/test_lost_answers.py",
    ),
)
