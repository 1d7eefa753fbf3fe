"""Logs of which something is missing: whatever they say, they prove nothing."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.faults.doctor import lines, rewrite, write

DRIVER, LEDGER = "driver.jsonl", "tools.jsonl"
ABOUT_MESSAGES = (DRIVER, "bot-a.jsonl", "bot-b.jsonl", "model.jsonl", LEDGER, "usage.jsonl")


def without(name: str) -> Callable[[Path], None]:
    """That file is not there."""
    return lambda folder: (folder / name).unlink()


def empty(name: str) -> Callable[[Path], None]:
    """That file is there, and nothing in it."""

    def forging(folder: Path) -> None:
        (folder / name).write_bytes(b"")

    return forging


def cut(name: str) -> Callable[[Path], None]:
    """The last line is half a line."""

    def forging(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-20])

    return forging


def shortened(name: str) -> Callable[[Path], None]:
    """The last lines are not there: what they told of has never been."""

    def forging(folder: Path) -> None:
        write(folder / name, [*lines(folder / name)][:-6])

    return forging


def holed(name: str) -> Callable[[Path], None]:
    """A line in the middle is not there."""

    def forging(folder: Path) -> None:
        known = [*lines(folder / name)]
        write(folder / name, [*known[:5], *known[6:]])

    return forging


def nothing_happened(folder: Path) -> None:
    """Nobody wrote, nobody answered, and all the books agree about that."""
    for name in ABOUT_MESSAGES:
        (folder / name).write_bytes(b"")

    def none(line: dict[str, object]) -> dict[str, object]:
        return line | {"lines": {}} if line["kind"] == "finished" else line

    rewrite(folder / "events.jsonl", none)


def never_finished(folder: Path) -> None:
    """The run was broken off before its end."""
    rewrite(folder / "events.jsonl", lambda line: None if line["kind"] == "finished" else line)


def more_nodes(folder: Path) -> None:
    """There were two servers, and one of them has left no log."""
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(about | {"nodes": 2}), encoding="utf-8")


WORTHLESS: dict[str, Callable[[Path], None]] = {
    "nothing happened": nothing_happened,
    "never finished": never_finished,
    "a node without a log": more_nodes,
    "no server log": without("node-n1.log"),
    "an empty server log": empty("node-n1.log"),
    "no metrics": without("metrics-n1.txt"),
    "no driver log": without(DRIVER),
    "a bot without a log": without("bot-b.jsonl"),
    "an empty bot log": empty("bot-b.jsonl"),
    "no model log": without("model.jsonl"),
    "no bill": without("usage.jsonl"),
    "no dead letters' book": without("dead.jsonl"),
    "no events": without("events.jsonl"),
    "driver log cut in mid-line": cut(DRIVER),
    "ledger cut in mid-line": cut(LEDGER),
    "bot log cut in mid-line": cut("bot-a.jsonl"),
    "driver log cut at a line": shortened(DRIVER),
    "bot log cut at a line": shortened("bot-a.jsonl"),
    "model log cut at a line": shortened("model.jsonl"),
    "hole in the driver log": holed(DRIVER),
    "hole in a bot log": holed("bot-b.jsonl"),
}
