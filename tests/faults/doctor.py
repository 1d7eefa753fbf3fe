"""Ten ways to falsify the logs of a good run, each of which the checker has to notice."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.faults.checker.records import Line, Promise
from tests.faults.marks import END, Mark, marks_in

BOT = "bot-a.jsonl"
LATER = 1_000
"""Microseconds."""


def lost(folder: Path) -> None:
    """An answer never reached the screen."""
    victim = next(answers(folder))
    rewrite(folder / BOT, lambda line: None if line["number"] == victim["number"] else line)


def doubled(folder: Path) -> None:
    """An answer stands there twice."""
    victim = next(answers(folder))
    twin = {**victim, "message": 9_999, "mono": victim["mono"] + LATER}
    append(folder / BOT, twin)


def swapped(folder: Path) -> None:
    """Two answers of one conversation have changed places."""
    first, second = two_answers(folder)
    texts = {first["number"]: second["text"], second["number"]: first["text"]}
    rewrite(
        folder / BOT, lambda line: {**line, "text": texts.get(line["number"], line.get("text"))}
    )


def overlapping(folder: Path) -> None:
    """The model still spoke for one turn when the next one asked."""
    first, second = two_answers(folder)
    asked = {mark: ask for ask in asks(folder) for mark in ask["block"]}
    early, late = (asked[str(marks_in(line["text"])[0])] for line in (first, second))

    def longer(line: Line) -> Line:
        if line["kind"] == "outcome" and line["call"] == early["call"]:
            return {**line, "mono": late["mono"] + LATER}
        return line

    rewrite(folder / "model.jsonl", longer)


def forked(folder: Path) -> None:
    """A turn was thought about without what had been said before."""
    _, second = two_answers(folder)
    mark = str(marks_in(second["text"])[0])

    def forgetting(line: Line) -> Line:
        if line["kind"] == "request" and mark in line.get("block", ()):
            return {**line, "messages": [one for one in line["messages"] if one[0] == "user"]}
        return line

    rewrite(folder / "model.jsonl", forgetting)


def leaked(folder: Path) -> None:
    """Somebody else's words were in a prompt: another tenant's canary."""
    victim = next(iter(asks(folder)))
    (own,) = {mark.talk.tenant for text in victim["block"] for mark in marks_in(text)}
    stranger = next(mark for mark in delivered(folder) if mark.talk.tenant != own)

    def leaking(line: Line) -> Line:
        if line["number"] != victim["number"]:
            return line
        return {**line, "messages": [["user", [str(stranger)]], *line["messages"]]}

    rewrite(folder / "model.jsonl", leaking)


def repeated(folder: Path) -> None:
    """A tool that may run once ran again."""
    runs = [line for line in lines(folder / "tools.jsonl") if line["tool"] == "stamp"]
    for line in runs[:2]:
        append(folder / "tools.jsonl", {**line, "mono": line["mono"] + 500_000})


def phantom(folder: Path) -> None:
    """An answer to something that nobody has said."""
    victim = next(answers(folder))
    (mark, *_) = marks_in(victim["text"])
    text = victim["text"].replace(str(mark), str(Mark(mark.talk, 99_999)))
    append(folder / BOT, {**victim, "message": 9_999, "text": text})


def miscounted(folder: Path) -> None:
    """The bill says more than was used."""
    file = folder / "usage.jsonl"
    victim = next(lines(file))["address"]
    rewrite(
        file,
        lambda line: {**line, "input": line["input"] + 7} if line["address"] == victim else line,
    )


def unbounded(folder: Path) -> None:
    """A process kept everything that it was ever given."""

    def growing(line: Line) -> Line:
        if line["phase"] == "before":
            return line
        return {**line, "held": {**line["held"], "fds": line["held"]["fds"] * 3}}

    rewrite(folder / "samples.jsonl", growing)


FORGERIES: dict[str, tuple[Callable[[Path], None], Promise]] = {
    "lost": (lost, Promise.NO_LOSS),
    "doubled": (doubled, Promise.AT_MOST_ONCE),
    "swapped": (swapped, Promise.ORDER),
    "overlapping turns": (overlapping, Promise.ORDER),
    "forked history": (forked, Promise.CONTEXT),
    "leaked canary": (leaked, Promise.ISOLATION),
    "repeated tool": (repeated, Promise.TOOLS),
    "phantom answer": (phantom, Promise.NO_PHANTOM),
    "wrong usage": (miscounted, Promise.ACCOUNTING),
    "unbounded growth": (unbounded, Promise.BOUNDED),
}


def forge(good: Path, folder: Path, change: Callable[[Path], None], *, sealed: bool = True) -> Path:
    """A copy of the good run's logs with one thing changed; `sealed`: it shows nowhere else."""
    shutil.copytree(good, folder, ignore=shutil.ignore_patterns("parley.db*"))
    change(folder)
    if sealed:
        seal(folder)
    return folder


def seal(folder: Path) -> None:
    """Number the lines anew and say that there were never more."""
    counts: dict[str, int] = {}
    for file in folder.glob("*.jsonl"):
        found = list(lines(file))
        if found and "number" in found[0]:
            found = [{**line, "number": number} for number, line in enumerate(found, 1)]
            counts[file.name] = len(found)
        write(file, found)

    def counted(line: Line) -> Line:
        known = line.get("lines", {})
        return {**line, "lines": {name: counts[name] for name in known}} if known else line

    rewrite(folder / "events.jsonl", counted)


def answers(folder: Path) -> Iterator[Line]:
    """Whole answers of the bot whose answers come in one call."""
    for line in lines(folder / BOT):
        if line["kind"] == "shown" and END in line["text"]:
            yield line


def two_answers(folder: Path) -> tuple[Line, Line]:
    """Two in one conversation, the second to a message that came after the first was taken."""
    firsts: dict[int, Line] = {}
    for line in answers(folder):
        if line["chat"] in firsts:
            return firsts[line["chat"]], line
        firsts[line["chat"]] = line
    raise AssertionError("the good run has no conversation with two answers")


def asks(folder: Path) -> list[Line]:
    """What the model was asked about somebody's words."""
    found = lines(folder / "model.jsonl")
    return [line for line in found if line["kind"] == "request" and line.get("block")]


def delivered(folder: Path) -> Iterator[Mark]:
    """Every message, once for each line about it."""
    for line in lines(folder / "driver.jsonl"):
        yield from marks_in(line["mark"])


def lines(file: Path) -> Iterator[Line]:
    """Every line of a log."""
    for line in file.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def rewrite(file: Path, change: Callable[[Line], Line | None]) -> None:
    """Change each line, or take it out."""
    write(file, (line for line in [*map(change, lines(file))] if line is not None))


def append(file: Path, *more: Line) -> None:
    """Add these at the end."""
    write(file, [*lines(file), *more])


def write(file: Path, all_lines: Iterable[Line]) -> None:
    """The whole file anew."""
    file.write_text("".join(json.dumps(line) + "\n" for line in all_lines), encoding="utf-8")
