"""What the database has counted, for the checker: the only thing it reads that no peer wrote."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import asyncpg

QUERY = """
SELECT c.address, sum(u.input), sum(u.output), sum(u.calls)
FROM "usage" u JOIN conversation c ON c.id = u.conversation_id
GROUP BY c.address ORDER BY c.address
"""


async def write_usage(url: str, file: Path) -> None:
    """One line for each conversation: its address, tokens in, tokens out, calls."""
    scheme, _, path = url.partition(":///")
    rows = _of_file(path) if scheme == "sqlite" else await _of_server(url)
    lines = (
        json.dumps({"address": a, "input": int(i), "output": int(o), "calls": int(c)})
        for a, i, o, c in rows
    )
    _write(file, lines)


def _write(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _of_file(path: str) -> Iterable[tuple[str, int, int, int]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(QUERY).fetchall()


async def _of_server(url: str) -> Iterable[tuple[str, int, int, int]]:
    connection = await asyncpg.connect(url, ssl=False, timeout=30)
    try:
        return [tuple(row) for row in await connection.fetch(QUERY, timeout=30)]
    finally:
        await connection.close(timeout=10)
