"""A server that does not do what it must is told apart from everything else that may go wrong."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.node import STALLED, End, Node, Unmet
from tests.peers.log import Log
from tests.ports import free_port

DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("n1.fault", "w").close()  # as one that stands at its point
signal.pause()
"""
SULKY = DEAF.replace("signal.SIG_IGN", "lambda *_: exit(4)")
PROGRAMS = {"deaf": DEAF, "sulky": SULKY, "brief": "print('no')\n", "quits": "exit(3)\n"}
BRIEF = 0.1
BY_ITSELF = End("n1 ended by itself with 3")

pytestmark = pytest.mark.slow  # each starts a process


@pytest_asyncio.fixture
async def node(tmp_path: Path) -> AsyncGenerator[Node, None]:
    """A program that hears no SIGTERM, in a server's place."""
    for name, text in PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    log = Log(tmp_path / "events.jsonl", keep=100)
    made = Node("n1", tmp_path, {}, free_port(), log)
    made.root, made.module = tmp_path, "deaf"
    yield made
    await made.end()
    log.close()


async def runs(node: Node, program: str = "deaf") -> None:
    """Until it does."""
    node.module = program
    await node.launch()
    assert await node.at_fault()


async def ends(node: Node, program: str = "quits") -> None:
    """Until it has."""
    node.module = program
    await node.launch()
    assert not await node.at_fault()


def said(tmp_path: Path) -> list[str]:
    """What the harness has written down of it."""
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["kind"] for line in lines]


async def test_who_is_told_to_stop_and_does_not_has_failed(node: Node) -> None:
    await runs(node)
    with pytest.raises(Unmet, match="n1 was told to stop, and is there"):
        await node.stop(BRIEF)
    assert node.alive


async def test_who_was_to_end_and_goes_on_has_failed(node: Node) -> None:
    await runs(node)
    with pytest.raises(Unmet, match="n1 was to end by itself, and is there"):
        await node.gone(BRIEF)


async def test_who_ends_at_its_start_has_failed_and_what_it_said_is_told(node: Node) -> None:
    node.module = "brief"
    with pytest.raises(Unmet, match="n1 ended at its start:\nno"):
        await node.start()
    await node.kill()
    assert not node.ends, "that is told once"


async def test_who_is_not_ready_in_time_has_failed_and_is_not_a_mistake_of_the_harness(
    node: Node,
) -> None:
    await runs(node)
    with pytest.raises(Unmet, match="n1 was not ready within 0 s") as failed:
        await node.ready(BRIEF)
    assert isinstance(failed.value, TimeoutError)


async def test_who_is_started_by_what_a_run_has_left_behind_does_not_live(node: Node) -> None:
    await runs(node)
    await node.end()
    with pytest.raises(RuntimeError, match="its run was over"):
        await node.launch()
    await node.kill()
    assert not node.alive
    assert not node.ends


@pytest.mark.parametrize("found_by", [Node.kill, Node.stop, Node.finish, Node.launch])
async def test_who_has_ended_by_itself_is_found_out_by_whoever_has_to_do_with_it_next(
    node: Node, found_by: Callable[[Node], Awaitable[object]]
) -> None:
    await ends(node)
    await found_by(node)
    assert node.ends == [BY_ITSELF]


async def test_that_somebody_ended_by_itself_is_written_down_when_it_does(
    node: Node, tmp_path: Path
) -> None:
    await ends(node)
    assert said(tmp_path) == ["started", "ended"]
    await runs(node)
    await node.kill()
    assert said(tmp_path) == ["started", "ended", "started", "killed", "gone"]


async def test_who_is_killed_or_was_to_end_has_not_ended_by_itself(node: Node) -> None:
    await runs(node)
    await node.kill()
    await ends(node)
    assert await node.gone(BRIEF) == 3
    assert not node.ends


async def test_who_may_end_in_one_way_may_not_end_in_another(node: Node) -> None:
    node.may_end = (3,)
    await ends(node)
    await node.kill()
    assert not node.ends
    await ends(node, "brief")
    await node.kill()
    assert node.ends == [End("n1 ended by itself with 0")]


async def test_who_is_told_to_stop_ends_with_0(node: Node) -> None:
    await runs(node, "sulky")
    assert await node.stop() == 4
    assert node.ends == [End("n1 was told to stop and ended with 4")]


async def test_who_does_not_stop_at_the_end_of_a_run_is_killed_and_that_is_a_matter_of_time(
    node: Node,
) -> None:
    await runs(node)
    await node.finish(BRIEF)
    assert not node.alive
    assert node.ends == [End("n1 was told to stop, and is there 0 s later", slow=True)]


@pytest.mark.parametrize("code", STALLED)
async def test_who_was_not_let_run_and_ended_for_that_is_a_matter_of_time_as_well(
    node: Node, tmp_path: Path, code: int
) -> None:
    how = f"os._exit({code})" if code > 0 else f"os.kill(os.getpid(), {-code})"
    (tmp_path / "stalls.py").write_text(f"import os\n{how}\n", encoding="utf-8")
    await ends(node, "stalls")
    await node.kill()
    assert node.ends == [End(f"n1 ended by itself with {code}", slow=True)]


async def test_nothing_is_done_to_who_has_just_ended(node: Node) -> None:
    await ends(node)
    node.freeze()
    node.thaw()
    await node.kill()
    assert node.ends == [BY_ITSELF]
