"""What the database has counted, for the checker: the only thing it reads that no peer wrote."""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.faults.marks import marks_in
from tests.faults.node import Node
from tests.peers.process import Remote

PATIENCE = 30.0
USAGE = """
SELECT c.address, sum(u.input), sum(u.output), sum(u.calls)
FROM "usage" u JOIN conversation c ON c.id = u.conversation_id
GROUP BY c.address ORDER BY c.address
"""
DEAD = """
SELECT c.address, o.error, o.body, c.id, t.body
FROM outbox o JOIN conversation c ON c.id = o.conversation_id
LEFT JOIN turn t ON t.conversation_id = o.conversation_id AND t.id = o.turn
WHERE o.state = 'dead' ORDER BY c.address
"""
SAID = """
SELECT i.conversation_id, i.id, i.body
FROM inbox i WHERE i.conversation_id IN (SELECT conversation_id FROM outbox WHERE state = 'dead')
"""
UNFINISHED = """
SELECT (SELECT count(*) FROM inbox WHERE state = 0),
       (SELECT count(*) FROM outbox o WHERE o.state IN ('queued', 'sending') AND NOT EXISTS (
          SELECT 1 FROM outbox h WHERE h.conversation_id = o.conversation_id AND h.state = 'held'))
"""


async def write_metrics(node: Node, folder: Path) -> None:
    """What a node shows to operators, as it is just before it is told to stop."""
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{node.url}/metrics", timeout=limit) as answer,
    ):
        (folder / f"metrics-{node.name}.txt").write_bytes(await answer.read())


async def count_lines(folder: Path, peers: Mapping[str, Remote]) -> dict[str, int]:
    """How many lines each stand-in has written, as it counts them itself."""
    return {name: await _last_number(folder / name, peer) for name, peer in peers.items()}


async def _last_number(file: Path, peer: Remote) -> int:
    there = (await asyncio.to_thread(file.read_bytes)).count(b"\n")
    newest = await peer.log(after=max(0, there - 1))
    return int(newest[-1]["number"]) if newest else there


async def write_books(url: str, folder: Path) -> None:
    """The tokens of each conversation, and what an operator finds among the dead letters."""
    usage = await _rows(url, USAGE)
    dead = await _rows(url, DEAD)
    said = {(talk, number): body for talk, number, body in await _rows(url, SAID)}
    _write(
        folder / "usage.jsonl",
        (
            {"address": a, "input": int(i), "output": int(o), "calls": int(c)}
            for a, i, o, c in usage
        ),
    )
    _write(
        folder / "dead.jsonl",
        (
            {"address": a, "error": error, "marks": _marks(body) or _turns(turn, talk, said)}
            for a, error, body, talk, turn in dead
        ),
    )


async def dead_letters(url: str) -> int:
    """How many there are now."""
    ((number,),) = await _rows(url, "SELECT count(*) FROM outbox WHERE state = 'dead'")
    return int(number)


async def unfinished(url: str) -> int:
    """Messages without an outcome, and answers to be sent; not what is held, or behind it."""
    ((messages, answers),) = await _rows(url, UNFINISHED)
    return int(messages) + int(answers)


def _marks(body: str | None) -> list[str]:
    return [str(mark) for mark in marks_in(body or "")]


def _turns(turn: str | None, talk: int, said: Mapping[tuple[int, int], str | None]) -> list[str]:
    """Whom a sentence without a mark was for: everybody in its turn."""
    if turn is None:
        return []
    inbounds = json.loads(turn)["value"]["inbounds"]
    return [mark for number in inbounds for mark in _marks(said.get((talk, number)))]


async def _rows(url: str, query: str) -> Iterable[tuple[Any, ...]]:
    scheme, _, path = url.partition(":///")
    return _of_file(path, query) if scheme == "sqlite" else await _of_server(url, query)


def _write(file: Path, lines: Iterable[dict[str, object]]) -> None:
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def _of_file(path: str, query: str) -> Iterable[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


async def _of_server(url: str, query: str) -> Iterable[tuple[Any, ...]]:
    connection = await asyncpg.connect(url, ssl=False, timeout=30)
    try:
        return [tuple(row) for row in await connection.fetch(query, timeout=30)]
    finally:
        await connection.close(timeout=10)
