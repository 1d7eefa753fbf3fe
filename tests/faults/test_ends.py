"""How the servers of a run end is looked at; and none is stopped while anything is left to do."""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.accounting import unfinished
from tests.faults.bench import Bench
from tests.faults.checker.judge import judge
from tests.faults.checker.outcomes import at, told
from tests.faults.checker.reading import read
from tests.faults.node import Node
from tests.faults.plan import Plan
from tests.faults.rows.points import comes

pytestmark = pytest.mark.slow  # each starts a server

PLAN = Plan("ends", "sqlite", talks=2)
BY_ITSELF = "n1 ended by itself with -9"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """For one world."""
    return Bench(tmp_path, "sqlite", seed=1, seconds=0.0)


async def dies(node: Node) -> None:
    """Nobody of the run has killed it."""
    os.kill(node.pid, signal.SIGKILL)
    assert not await node.at_fault()


async def test_a_server_that_ended_by_itself_has_failed_although_its_row_starts_it_again(
    bench: Bench,
) -> None:
    async with bench.world(PLAN) as made:
        await made.start()
        await dies(made.node)
        await made.node.kill("at random")
        await made.node.start()
        await made.driver.run(5)
        assert await made.settle()
        await made.finish()
    assert bench.failed == [BY_ITSELF]
    assert not judge(bench.folders[-1]).violations


async def test_a_server_that_is_not_there_at_the_end_has_failed(bench: Bench) -> None:
    async with bench.world(PLAN) as made:
        await made.start()
        await dies(made.node)
        await made.finish()
    assert bench.failed == [BY_ITSELF]


async def test_servers_that_go_on_until_they_are_told_to_stop_have_not_failed(bench: Bench) -> None:
    async with bench.world(PLAN) as made:
        await made.start()
        await made.node.kill("at random")
        await made.node.start()
        await made.finish()
    assert not bench.failed


async def test_nothing_is_stopped_before_all_that_was_accepted_has_its_outcome(
    bench: Bench,
) -> None:
    async with bench.world(PLAN) as made:
        await made.start()
        mark = made.driver.next(made.talks[0])
        await made.model.tell("hold", mark=str(mark), at=0)
        await made.driver.deliver(mark)
        # As if a sentence for somebody else had been taken for its outcome.
        finishing = asyncio.create_task(made.finish())

        async def held() -> bool:
            return str(mark) in await made.model.tell("held")

        assert await comes(held)
        await made.model.tell("release")
        await finishing
    story = read(bench.folders[-1])
    assert at(told(story)[mark.talk].first_answers()[mark]) < story.over_at


async def test_what_waits_for_its_persons_next_word_is_not_waited_for_nor_what_stands_behind_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "parley.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE inbox (state)")
        db.execute("CREATE TABLE outbox (conversation_id, state)")
        told = [(1, "held"), (1, "queued"), (2, "sent"), (3, "dead"), (4, "sending"), (5, "queued")]
        db.executemany("INSERT INTO outbox VALUES (?, ?)", told)
        db.executemany("INSERT INTO inbox VALUES (?)", [(0,), (1,), (2,)])
        db.commit()
    assert await unfinished(f"sqlite:///{file}") == 3
