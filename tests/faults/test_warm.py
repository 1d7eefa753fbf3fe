"""Servers that are made of a process that waits live and die as those that are started."""

import signal
from pathlib import Path

import pytest

from tests.faults.plan import Plan
from tests.faults.warm import warm
from tests.faults.world import world

pytestmark = pytest.mark.slow


async def test_a_warm_server_answers_is_killed_starts_again_and_stops_in_good_order(
    tmp_path: Path,
) -> None:
    plan = Plan("warm", "sqlite", talks=1)
    async with warm(tmp_path) as waiting, world(plan, tmp_path / "world", warm=waiting) as made:
        await made.start()
        await made.driver.run(3)
        assert await made.settle()
        first = made.node.pid
        await made.node.kill("to see how it ends")
        await made.start()
        assert made.node.pid != first
        await made.driver.run(3)
        assert await made.settle()
        assert await made.node.stop() == 0
    events = (tmp_path / "world" / "events.jsonl").read_text(encoding="utf-8")
    assert f'"code":-{signal.SIGKILL.value}' in events
