"""Falsified logs that look right at first sight: each breaks one promise and no other habit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.checker.records import Line, Promise
from tests.faults.doctor import (
    BOT,
    LATER,
    answers,
    append,
    asks,
    delivered,
    lines,
    rewrite,
)
from tests.faults.doctor_tools import (
    EVENTS,
    SECOND,
    Forgery,
    change,
)
from tests.faults.marks import Mark, marks_in

MODEL, LEDGER = "model.jsonl", "tools.jsonl"


# ---- I3: one turn at a time ----------------------------------------------------------------


def on_another_node(folder: Path) -> None:
    """A second node thinks about the very same message."""
    ask, outcome = _asked(folder)
    twin = {"call": 99_999, "model": "n2", "mono": ask["mono"] + 1}
    append(folder / MODEL, ask | twin, {**outcome, "call": 99_999, "mono": ask["mono"] + SECOND})
    change(folder / MODEL, outcome, mono=ask["mono"] + SECOND)


def asked_twice_at_once(folder: Path) -> None:
    """The same node asks the same thing twice at once, and hears both answers."""
    ask, outcome = _asked(folder)
    twin = {"call": 99_999, "mono": ask["mono"] + 1}
    append(folder / MODEL, ask | twin, {**outcome, "call": 99_999, "mono": outcome["mono"] + 1})


def never_wakes_up(folder: Path) -> None:
    """A node that was frozen for a moment goes on for ever while another one has its work."""
    ask, outcome = _asked(folder)
    _outlive(folder, ask["mono"] + 30 * SECOND)
    frozen = {"kind": "frozen", "mono": ask["mono"] + 1, "node": "n1"}
    append(folder / EVENTS, frozen, {**frozen, "kind": "thawed", "mono": ask["mono"] + 2})
    change(folder / MODEL, outcome, mono=ask["mono"] + 20 * SECOND)
    later = {"call": 99_999, "model": "n2", "mono": ask["mono"] + 10 * SECOND}
    append(folder / MODEL, ask | later)
    append(folder / MODEL, {**outcome, "call": 99_999, "mono": ask["mono"] + 11 * SECOND})


def still_at_work(folder: Path) -> None:
    """A tool of one turn is still at work when the next turn asks."""
    mark = next(line["mark"] for line in lines(folder / LEDGER))
    ended = next(
        one for one in lines(folder / LEDGER) if one["mark"] == mark and one["kind"] == "ended"
    )
    following = next(
        ask
        for ask in asks(folder)
        if mark not in ask["block"] and _talk(ask) == _talk({"block": [mark]})
        if ask["mono"] > ended["mono"]
    )
    change(folder / LEDGER, ended, mono=following["mono"] + LATER)


def cut_off_and_at_work(folder: Path) -> None:
    """A node that reaches no database asks the model long after its lease must have ended."""
    ask, _ = _asked(folder)
    cut = {"kind": "cut_off", "mono": ask["mono"] - 4 * SECOND, "node": "n1", "line": "silent"}
    append(folder / EVENTS, cut, {**cut, "kind": "joined", "mono": ask["mono"] + SECOND})


def cut_off_and_going_on(folder: Path) -> None:
    """A node that reaches no database listens to an answer until long after its lease."""
    ask, outcome = _asked(folder)
    _outlive(folder, ask["mono"] + 30 * SECOND)
    cut = {"kind": "cut_off", "mono": ask["mono"] + 1, "node": "n1", "line": "silent"}
    append(folder / EVENTS, cut, {**cut, "kind": "joined", "mono": ask["mono"] + 9 * SECOND})
    change(folder / MODEL, outcome, mono=ask["mono"] + 4 * SECOND)


# ---- I4, I5: what a request holds ----------------------------------------------------------


def hole(folder: Path) -> None:
    """The oldest turn of a conversation is missing, and the window was not full yet."""
    _reword(folder, lambda said: said[2:])


def words_missing(folder: Path) -> None:
    """The answers are there, and what the person had said before one of them is not."""
    _reword(folder, lambda said: said[1:])


def said_twice(folder: Path) -> None:
    """What the person said stands there twice."""
    _reword(folder, lambda said: [said[0], *said])


def about_nothing(folder: Path) -> None:
    """The model is asked although everything is answered."""
    ask = asks(folder)[-1]
    append(folder / MODEL, {**ask, "call": 99_999, "block": [], "mono": ask["mono"] + SECOND})


def in_the_instructions(folder: Path) -> None:
    """Another tenant's words stand where no one has said them: in the model's instructions."""
    ask = asks(folder)[0]
    change(folder / MODEL, ask, beside=[_stranger(folder, ask["block"][0])])


def in_an_argument(folder: Path) -> None:
    """A tool is given another tenant's words."""
    victim = next(line for line in lines(folder / LEDGER) if line["tool"] == "look")
    change(folder / LEDGER, victim, mark=_stranger(folder, victim["mark"]))


def refused_by_the_platform(folder: Path) -> None:
    """Another tenant's words were in a message that was only not shown because it was refused."""
    victim = next(answers(folder))
    text = _stranger(folder, str(marks_in(victim["text"])[0]))
    call = {"kind": "request", "call": 99_999, "method": "sendMessage", "chat": victim["chat"]}
    append(folder / BOT, {**call, "mono": victim["mono"], "body": {"text": text}})


def in_a_log(folder: Path) -> None:
    """A server's log quotes a person."""
    _write_behind(folder / "node-n1.log", f'{{"event": "odd", "text": "{_somebody(folder)}"}}\n')


def in_a_metric(folder: Path) -> None:
    """A metric has a person's words as its label."""
    label = f'parley_odd_total{{text="{_somebody(folder)}"}} 1\n'
    _write_behind(folder / "metrics-n1.txt", label)


def in_an_error(folder: Path) -> None:
    """The reason of a dead letter quotes it."""
    said = f"could not send {_somebody(folder)}"
    append(folder / "dead.jsonl", {"address": "", "error": said, "marks": []})


# ---- I6, I8, I10: the books ----------------------------------------------------------------


def under_another_key(folder: Path) -> None:
    """A tool that may run once runs again, under a key of its own."""
    runs = [line for line in lines(folder / LEDGER) if line["tool"] == "stamp"][:2]
    again = ({**line, "key": "another", "mono": line["mono"] + SECOND} for line in runs)
    append(folder / LEDGER, *again)


def never_ran(folder: Path) -> None:
    """The model was told what a tool did that nobody has run."""
    mark = next(line["mark"] for line in lines(folder / LEDGER) if line["tool"] == "look")
    gone = (mark, "look")
    rewrite(folder / LEDGER, lambda line: None if (line["mark"], line["tool"]) == gone else line)


def not_told(folder: Path) -> None:
    """A tool that may run once was interrupted, and its answer says nothing of it."""
    victim = next(one for one in lines(folder / LEDGER) if one["tool"] == "stamp")
    ended = {**victim, "kind": "ended"}
    rewrite(
        folder / LEDGER,
        lambda one: None if {**one, "mono": victim["mono"]} == ended else one,
    )


def counted_twice(folder: Path) -> None:
    """The bill is doubled in a conversation in which one call had gone wrong."""
    row = next(lines(folder / "usage.jsonl"))
    tokens = {name: 2 * row[name] for name in ("input", "output", "calls")}
    change(folder / "usage.jsonl", row, **tokens)
    chat = int(row["address"].rpartition(":")[2]) - 10_000
    tenant = "a" if ":111" in row["address"] else "b"
    ask = next(one for one in asks(folder) if _talk(one) == f"{tenant}{chat}")
    broken = {**ask, "call": 99_999, "digest": "another", "mono": ask["mono"] - SECOND}
    cut = {**broken, "kind": "outcome", "status": 200, "fault": "cut", "mono": broken["mono"] + 1}
    append(folder / MODEL, broken, cut)


def not_looked_at(folder: Path) -> None:
    """After the load nobody has looked at what the server holds."""
    _rest(folder)
    rewrite(folder / "samples.jsonl", lambda line: line if line["phase"] == "before" else None)


def hidden_growth(folder: Path) -> None:
    """Of all that a server holds the memory is left out of the second look."""

    def forgetful(line: Line) -> Line:
        held = {name: value for name, value in line["held"].items() if name != "rss"}
        return line if line["phase"] == "before" else {**line, "held": held}

    rewrite(folder / "samples.jsonl", forgetful)


def tasks_left_over(folder: Path) -> None:
    """Nothing has grown but the number of tasks: what nobody awaits any more still waits."""

    def grown(line: Line) -> Line:
        held = {**line["held"], "tasks": 3 * line["held"]["tasks"]}
        return line if line["phase"] == "before" else {**line, "held": held}

    rewrite(folder / "samples.jsonl", grown)


def grown_successor(folder: Path) -> None:
    """The process that was started instead of the first holds three times as much."""

    def grown(line: Line) -> Line:
        held = {**line["held"], "rss": 3 * line["held"]["rss"]}
        return line if line["phase"] == "before" else {**line, "held": held, "pid": 1}

    rewrite(folder / "samples.jsonl", grown)


def lost_by_the_disk(folder: Path) -> None:
    """A copy of the files, taken at the end, lacks the first message."""
    taken = [line for line in lines(folder / "driver.jsonl") if line["kind"] == "delivery"]
    held = [str(line["update"]) for line in taken if line["mark"] != taken[0]["mark"]]
    copy = {"kind": "copy", "mono": taken[-1]["mono"] + 90 * SECOND, "integrity": "ok"}
    (folder / "copies.jsonl").write_text(json.dumps({**copy, "held": held}) + "\n")


SUBTLE: dict[Forgery, Promise] = {
    lost_by_the_disk: Promise.NO_LOSS,
    on_another_node: Promise.ORDER,
    asked_twice_at_once: Promise.ORDER,
    never_wakes_up: Promise.ORDER,
    cut_off_and_at_work: Promise.ORDER,
    cut_off_and_going_on: Promise.ORDER,
    still_at_work: Promise.ORDER,
    hole: Promise.CONTEXT,
    words_missing: Promise.CONTEXT,
    said_twice: Promise.CONTEXT,
    about_nothing: Promise.CONTEXT,
    in_the_instructions: Promise.ISOLATION,
    in_an_argument: Promise.ISOLATION,
    refused_by_the_platform: Promise.ISOLATION,
    under_another_key: Promise.TOOLS,
    never_ran: Promise.TOOLS,
    not_told: Promise.TOOLS,
    counted_twice: Promise.ACCOUNTING,
    in_a_log: Promise.NO_SECRETS,
    in_a_metric: Promise.NO_SECRETS,
    in_an_error: Promise.NO_SECRETS,
    not_looked_at: Promise.BOUNDED,
    hidden_growth: Promise.BOUNDED,
    tasks_left_over: Promise.BOUNDED,
    grown_successor: Promise.BOUNDED,
}


def _rest(folder: Path) -> None:
    append(folder / EVENTS, {"kind": "rested", "mono": next(answers(folder))["mono"]})


def _outlive(folder: Path, until: int) -> None:
    """Every server of the run lives until then."""
    rewrite(folder / EVENTS, lambda one: {**one, "mono": until} if one["kind"] == "gone" else one)


def _asked(folder: Path) -> tuple[Line, Line]:
    """A question and its answer."""
    ask = asks(folder)[0]
    outcomes = (line for line in lines(folder / MODEL) if line["kind"] == "outcome")
    return ask, next(line for line in outcomes if line["call"] == ask["call"])


def _talk(ask: Line) -> str:
    return str(marks_in(ask["block"][0])[0].talk)


def _reword(folder: Path, change: Callable[[list[Any]], list[Any]]) -> None:
    """What the last question of a long conversation held."""
    ask = max(asks(folder), key=lambda line: len(line["messages"]))
    rewrite(
        folder / MODEL,
        lambda line: (
            line
            if line["kind"] != "request" or line.get("block") != ask["block"]
            else {**line, "messages": change(line["messages"])}
        ),
    )


def _stranger(folder: Path, own: str) -> str:
    (mark,) = marks_in(own)
    return str(next(one for one in delivered(folder) if one.talk.tenant != mark.talk.tenant))


def _somebody(folder: Path) -> Mark:
    return next(delivered(folder))


def _write_behind(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as log:
        log.write(text)
