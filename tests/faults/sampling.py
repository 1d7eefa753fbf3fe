"""How much a process holds: memory, descriptors, threads, tasks; and its database."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import aiohttp
import asyncpg

from tests.faults.node import Node
from tests.peers.log import monotonic_us

PAGE = os.sysconf("SC_PAGE_SIZE")
TASKS = re.compile(r"^parley_tasks (\S+)$", re.MULTILINE)
PATIENCE = 30.0
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'parley'"
LOG = "SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()"


async def sample(
    nodes: Sequence[Node], url: str, folder: Path, phase: Literal["before", "after"]
) -> None:
    """One line for each node that runs."""
    base = await _base(url)
    with (folder / "samples.jsonl").open("a", encoding="utf-8") as file:
        for node in nodes:
            tasks = {"tasks": await _tasks_of(node)}
            held = {**held_by(node.pid), **tasks, **base}
            line = {"mono": monotonic_us(), "node": node.name, "pid": node.pid, "phase": phase}
            file.write(json.dumps({**line, "held": held}) + "\n")


def held_by(pid: int) -> dict[str, float]:
    """What a process holds now, from the kernel's own books."""
    process = Path("/proc") / str(pid)
    pages = int((process / "statm").read_text(encoding="ascii").split()[1])
    return {
        "rss": float(pages * PAGE),
        "fds": float(len(list((process / "fd").iterdir()))),
        "threads": float(len(list((process / "task").iterdir()))),
    }


async def _tasks_of(node: Node) -> float:
    """What runs or waits on its event loop: only the node itself knows."""
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{node.url}/metrics", timeout=limit) as answer,
    ):
        found = TASKS.search(await answer.text())
    assert found is not None, f"{node.name} does not say how many tasks it has"
    return float(found[1])


async def _base(url: str) -> dict[str, float]:
    """What the database holds: its write-ahead log, and our connections to a server."""
    scheme, _, path = url.partition(":///")
    if scheme == "sqlite":
        return {"wal": _size_of(Path(f"{path}-wal"))}
    connection = await asyncpg.connect(
        url, ssl=False, timeout=PATIENCE, server_settings={"statement_timeout": "0"}
    )
    try:
        # What is not needed any more goes with the next checkpoint, which is minutes away.
        await connection.execute("CHECKPOINT", timeout=PATIENCE)
        return {
            "wal": float(await connection.fetchval(LOG, timeout=PATIENCE)),
            "connections": float(await connection.fetchval(CONNECTIONS, timeout=PATIENCE)),
        }
    finally:
        await connection.close(timeout=10)


def _size_of(file: Path) -> float:
    return float(file.stat().st_size if file.exists() else 0)
