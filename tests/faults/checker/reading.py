"""From the files of a run to its story."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.faults.checker.records import (
    Ask,
    Copy,
    Event,
    Evidence,
    Line,
    Message,
    Promise,
    Sample,
    Story,
    Strike,
    ToolRun,
    Violation,
)
from tests.faults.checker.screens import read_bot, talk_of
from tests.faults.marks import read_mark

LONGEST = 600
"""Characters of a line that is shown as evidence."""
ACCOUNTS = {"111111111": "a", "222222222": "b", "T0ALPHA": "a", "T0BETA": "b"}
ACCOUNTS |= {"wxfaultsalpha0001": "a", "wxfaultsbeta00001": "b"}
"""Whose a bot is: Telegram's number of it, Slack's team, WeChat's name for the app."""
ON_ITS_WAY = 500_000
"""Microseconds in which the end of a reply that is said is not yet heard."""
NEEDED = ("driver", "bot-a", "bot-b", "model", "events", "usage", "dead")
"""Logs without which nothing is proven, however little there was to write into them."""


def read(folder: Path) -> Story:
    """Everything that the logs of one run tell."""
    story = Story(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    for name in NEEDED:
        if not (folder / f"{name}.jsonl").exists():
            _broken(story, f"{name}.jsonl is not there")
    _read_driver(story, folder)
    for file in sorted(folder.glob("bot-*.jsonl")):
        read_bot(story, file.stem.removeprefix("bot-"), _lines(story, file))
    _read_model(story, folder)
    read_doors(story, folder)
    _read_tools(story, folder)
    _read_events(story, folder)
    _read_usage(story, folder)
    _read_nodes(story, folder)
    return story


def _broken(story: Story, what: str, *proof: str) -> None:
    story.broken.append(Violation(Promise.WHOLE, what, proof))


def _lines(story: Story, file: Path) -> Iterator[tuple[Line, Evidence]]:
    if not file.exists():
        return
    decode = msgspec.json.Decoder(Line).decode
    number = 0
    with file.open("rb") as lines:
        for raw in lines:
            text = raw[:LONGEST].decode(errors="replace").rstrip()
            evidence = Evidence(file.name, text)
            try:
                line = decode(raw)
            except msgspec.DecodeError:
                return _broken(story, f"{file.name} is cut off in the middle of a line", text)
            number += 1
            if "number" in line and line["number"] != number:
                # Who writes logs counts their lines.
                _broken(story, f"{file.name} lacks what stood before this line", str(evidence))
                number = line["number"]
            story.ended_at = max(story.ended_at, int(line.get("mono", 0)))
            yield line, evidence


def _read_driver(story: Story, folder: Path) -> None:
    for line, evidence in _lines(story, folder / "driver.jsonl"):
        mark = read_mark(line["mark"])
        if line["kind"] == "delivery":
            message = story.messages.setdefault(
                mark, Message(mark, line["mono"], str(line["update"]))
            )
            message.lines.append(evidence)
        elif line["kind"] == "delivered" and 200 <= line["status"] < 300:
            message = story.messages[mark]
            message.lines.append(evidence)
            if message.acknowledged_at is None:
                message.acknowledged_at = line["mono"]
        elif line["kind"] == "delivered":
            story.refusals.append((line["status"], evidence))


def _read_model(story: Story, folder: Path) -> None:
    asked: dict[int, Ask] = {}
    for line, evidence in _lines(story, folder / "model.jsonl"):
        if line.get("method") != "chat" or "call" not in line:
            continue
        if line["kind"] == "request" and "block" in line:
            asked[line["call"]] = ask = Ask(
                call=line["call"],
                at=line["mono"],
                node=line["model"] or "",
                block=tuple(map(read_mark, line["block"])),
                round=line["round"],
                messages=line["messages"],
                digest=line["digest"],
                line=evidence,
                beside=tuple(map(read_mark, line.get("beside", ()))),
                called=tuple((name, mark) for name, mark in line.get("called", ())),
            )
            story.asks.append(ask)
        elif line["kind"] == "outcome":
            ask_or_none = asked.get(line["call"])
            if line.get("fault"):
                talk = None if ask_or_none is None else ask_or_none.talk
                story.strikes.append(Strike(line["mono"], "model", talk, evidence))
            if ask_or_none is not None:
                ask_or_none.ended_at, ask_or_none.status = line["mono"], line["status"]
                ask_or_none.usage, ask_or_none.finish = line.get("usage"), line.get("finish")
                ask_or_none.fault = line.get("fault")


def read_doors(story: Story, folder: Path) -> None:
    """What a node asks while its way to the model is shut was broken off, whatever was said."""
    since: dict[str, int] = {}
    for line, evidence in _lines(story, folder / "doors.jsonl"):
        node, when = line["node"], line["mono"]
        if line["kind"] == "shut":
            since.setdefault(node, when)
            story.strikes.append(Strike(when, "model", None, evidence))
        elif node in since:
            _shut(story, node, since.pop(node), when)
    for node, when in since.items():
        _shut(story, node, when, story.ended_at)


def _shut(story: Story, node: str, since: int, until: int) -> None:
    story.shut.append((since, until))
    for ask in story.asks:
        if ask.node == node and ask.at < until and (ask.ended_at or until) > since - ON_ITS_WAY:
            ask.fault = ask.fault or "shut"


def _read_tools(story: Story, folder: Path) -> None:
    open_runs: dict[tuple[str, int], ToolRun] = {}
    for line, evidence in _lines(story, folder / "tools.jsonl"):
        place = (line["key"], line["pid"])
        if line["kind"] == "begun":
            run = open_runs[place] = ToolRun(
                tool=line["tool"],
                key=line["key"],
                mark=read_mark(line["mark"]),
                talk=talk_of(line["tenant"][0], line["chat"]),
                node=line["node"],
                pid=line["pid"],
                at=line["mono"],
                line=evidence,
            )
            story.tools.append(run)
        elif line["kind"] == "ended" and (ended := open_runs.pop(place, None)) is not None:
            ended.ended_at = line["mono"]


def _read_events(story: Story, folder: Path) -> None:
    finished: Line | None = None
    for line, evidence in _lines(story, folder / "events.jsonl"):
        # That a node has stood still is sometimes known only afterwards.
        when: int = line["since"] if "since" in line else line["mono"]
        mark = read_mark(line["mark"]) if "mark" in line else None
        event = Event(
            kind=line["kind"],
            at=when,
            node=line.get("node", ""),
            line=evidence,
            until=line["mono"],
            mark=mark,
            how=line.get("line", ""),
            harmless=line.get("harmless", False),
        )
        story.events.append(event)
        if line["kind"] == "finished":
            finished = line
    for line, evidence in _lines(story, folder / "samples.jsonl"):
        when, node, pid = line["mono"], line["node"], line["pid"]
        sample = Sample(when, node, pid, line["phase"], line["held"], evidence)
        story.samples.append(sample)

    for line, evidence in _lines(story, folder / "copies.jsonl"):
        held = frozenset(line["held"])
        story.copies.append(Copy(line["mono"], line["integrity"], held, evidence))
    if finished is None:
        _broken(story, "the run did not come to its end: events.jsonl does not say so")
        return
    for name, count in finished["lines"].items():
        file = folder / name
        there = file.read_bytes().count(b"\n") if file.exists() else 0
        if there < count:
            _broken(story, f"{name} has {there} lines; who wrote it says that there were {count}")


def _read_usage(story: Story, folder: Path) -> None:
    for line, _ in _lines(story, folder / "usage.jsonl"):
        _, account, chat = line["address"].split(":")[:3]
        story.usage[talk_of(ACCOUNTS[account], chat)] = line
    for line, _ in _lines(story, folder / "dead.jsonl"):
        story.dead |= {read_mark(mark): line["error"] for mark in line["marks"]}
        story.node_logs["dead.jsonl (errors)"] = (
            story.node_logs.get("dead.jsonl (errors)", "") + f"{line['error']}\n"
        )


def _read_nodes(story: Story, folder: Path) -> None:
    for file in (*sorted(folder.glob("node-*.log")), *sorted(folder.glob("metrics-*.txt"))):
        story.node_logs[file.name] = file.read_text(encoding="utf-8", errors="replace")
    wanted = [f"node-n{number}.log" for number in range(1, story.about["nodes"] + 1)]
    for name in wanted:
        if not story.node_logs.get(name, "").strip():
            _broken(story, f"{name} is empty or not there: nothing is known of what it holds")
    if not any(name.startswith("metrics-") for name in story.node_logs):
        _broken(story, "nobody has looked at the metrics of any server")
