"""A server that does not do what it must is told apart from everything else that may go wrong."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.node import Node, Unmet
from tests.peers.log import Log
from tests.ports import free_port

DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("n1.fault", "w").close()  # as one that stands at its point
signal.pause()
"""
BRIEF = 0.1

pytestmark = pytest.mark.slow  # each starts a process


@pytest_asyncio.fixture
async def node(tmp_path: Path) -> AsyncGenerator[Node, None]:
    """A program that hears no SIGTERM, in a server's place."""
    (tmp_path / "deaf.py").write_text(DEAF, encoding="utf-8")
    (tmp_path / "brief.py").write_text("print('no')\n", encoding="utf-8")
    log = Log(tmp_path / "events.jsonl", keep=100)
    made = Node("n1", tmp_path, {}, free_port(), log)
    made.root, made.module = tmp_path, "deaf"
    yield made
    await made.end()
    log.close()


async def deaf(node: Node) -> None:
    """Until it is."""
    await node.launch()
    assert await node.at_fault()


async def test_who_is_told_to_stop_and_does_not_has_failed(node: Node) -> None:
    await deaf(node)
    with pytest.raises(Unmet, match="n1 was told to stop, and is there"):
        await node.stop(BRIEF)
    assert node.alive


async def test_who_was_to_end_and_goes_on_has_failed(node: Node) -> None:
    await deaf(node)
    with pytest.raises(Unmet, match="n1 was to end by itself, and is there"):
        await node.gone(BRIEF)


async def test_who_ends_at_its_start_has_failed_and_what_it_said_is_told(node: Node) -> None:
    node.module = "brief"
    with pytest.raises(Unmet, match="n1 ended at its start:\nno"):
        await node.start()


async def test_who_is_started_by_what_a_run_has_left_behind_does_not_live(node: Node) -> None:
    await deaf(node)
    await node.end()
    with pytest.raises(RuntimeError, match="its run was over"):
        await node.launch()
    await node.kill()
    assert not node.alive
