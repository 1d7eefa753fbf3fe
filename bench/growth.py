"""One conversation that goes on and on: its six hundredth turn must cost what its sixtieth did."""

import asyncio
import sqlite3
import statistics
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.load import SETTLE
from bench.plan import Platform, Shape
from bench.readings import cpu_seconds
from bench.talk import Talk
from bench.world import World, port_of
from bot.store import statements
from tests.journeys.program import Program

EARLY, LATE = 60, 600
AROUND = 25
"""The CPU of a turn is the middle one of so many."""
WINDOW = 50
RATIO = 1.2
"""What is allowed between the two."""

_ASKED = (
    statements.HEAD,
    statements.HEAD_WAITING,
    statements.HEAD_OUTBOX,
    statements.WINDOW,
    statements.NEXT_TENANT,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn took."""

    number: int
    rows: int
    """Rows that the store's statements by key give to a turn that starts now."""
    steps: int
    """Instructions that SQLite's machine needed to find them: it grows where a table is walked."""
    prompt: int
    """Bytes of the messages that the model was sent."""
    cpu_ms: float


async def measure(world: World) -> tuple[Turn, Turn]:
    """The sixtieth turn and the six hundredth."""
    file = world.folder / "growth" / "parley.db"
    async with world.program("growth", f"sqlite:///{file}", stream=False) as program:
        expected = await world.teach(Shape.WHOLE)
        async with world.people[Platform.TELEGRAM].talks(1, expected, port_of(program)) as (talk,):
            early = await _until(EARLY, talk, program, file)
            late = await _until(LATE - EARLY, talk, program, file)
            talk.check()
    prompts = await _prompts(world)
    return (
        Turn(EARLY, *early[:2], prompt=prompts[EARLY - 1], cpu_ms=early[2]),
        Turn(LATE, *late[:2], prompt=prompts[LATE - 1], cpu_ms=late[2]),
    )


async def _until(turns: int, talk: Talk, program: Program, file: Path) -> tuple[int, int, float]:
    """So many turns more: the rows and steps of the next one, and the middle CPU of the last."""
    used = []
    for _ in range(turns):
        before = cpu_seconds(program.pid)
        await talk.ask()
        used.append(cpu_seconds(program.pid) - before)
    await asyncio.sleep(SETTLE)
    rows, steps = _read(file)
    return rows, steps, statistics.median(used[-AROUND:]) * 1000


def _read(file: Path) -> tuple[int, int]:
    """Ask a copy of the file what the next turn would ask it."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(":memory:")) as copy:
        with closing(sqlite3.connect(file)) as original:
            original.backup(copy)
        copy.execute("UPDATE lane SET node = 'bench', epoch = 1, fence = 1")
        ((conversation,),) = copy.execute("SELECT conversation_id FROM lane").fetchall()
        values = {
            "conversation": conversation,
            "tenant": "",
            "node": "bench",
            "holder": 1,
            "fence": 1,
            "now": 0,
            "begin": 0,
            "limit": WINDOW,
        }
        copy.set_progress_handler(step, 1)
        rows = sum(len(copy.execute(statement, values).fetchall()) for statement in _ASKED)
    return rows, steps


async def _prompts(world: World) -> Sequence[int]:
    asked = [
        line
        for line in await world.model.log()
        if line["kind"] == "request" and line["method"] == "chat"
    ]
    return [len(msgspec.json.encode(line["body"]["messages"])) for line in asked[-LATE:]]
