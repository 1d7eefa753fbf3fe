"""What the doctors of logs have in common: which line of which log, and how to change it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.checker.records import Line
from tests.faults.doctor import answers, append, rewrite

EVENTS, EDITING = "events.jsonl", "bot-b.jsonl"
SECOND = 1_000_000
Forgery = Callable[[Path], None]


def change(file: Path, victim: Line, **changes: Any) -> None:
    """Write one line anew."""
    rewrite(file, lambda line: {**line, **changes} if line == victim else line)


def tell(folder: Path, **changes: Any) -> None:
    """Say something else about what the run was for."""
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(about | changes), encoding="utf-8")


def kill(folder: Path, when: int | None = None) -> None:
    """A kill that met everything, or none."""
    at = next(answers(folder))["mono"] if when is None else when
    append(folder / EVENTS, {"kind": "killed", "mono": at, "node": "n1", "pid": 1})


def of_another_chat(folder: Path) -> Line:
    """An answer that somebody else has."""
    victim = next(answers(folder))
    return next(line for line in answers(folder) if line["chat"] != victim["chat"])
