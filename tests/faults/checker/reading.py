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
    Sample,
    Screen,
    Story,
    ToolRun,
    Version,
)
from tests.faults.marks import Talk, read_mark

FIRST_CHAT = 10_000
"""Chat 10012 is conversation 12: the driver's rule, stated here a second time on purpose."""
LONGEST = 600
"""Characters of a line that is shown as evidence."""


def read(folder: Path) -> Story:
    """Everything that the logs of one run tell."""
    story = Story(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    _read_driver(story, folder)
    for file in sorted(folder.glob("bot-*.jsonl")):
        _read_bot(story, file)
    _read_model(story, folder)
    _read_tools(story, folder)
    _read_events(story, folder)
    _read_usage(story, folder)
    for file in sorted(folder.glob("node-*.log")):
        story.node_logs[file.name] = file.read_text(encoding="utf-8", errors="replace")
    return story


def _lines(story: Story, file: Path) -> Iterator[tuple[Line, Evidence]]:
    if not file.exists():
        return
    decode = msgspec.json.Decoder(Line).decode
    with file.open("rb") as lines:
        for raw in lines:
            if not raw.endswith(b"\n"):
                return  # its writer was killed in mid-line: nothing was told
            line = decode(raw)
            story.ended_at = max(story.ended_at, int(line.get("mono", 0)))
            text = raw[:LONGEST].decode(errors="replace").rstrip()
            yield line, Evidence(file.name, text)


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


def _read_bot(story: Story, file: Path) -> None:
    tenant = file.stem.removeprefix("bot-")
    known: dict[tuple[int, int], Screen] = {}
    for line, evidence in _lines(story, file):
        if line["kind"] not in ("shown", "edited", "deleted", "drafted"):
            continue
        talk = Talk(tenant, int(line["chat"]) - FIRST_CHAT)
        version = Version(line["mono"], line.get("text", ""), evidence)
        if line["kind"] == "drafted":
            story.drafts.append((talk, version))
            continue
        place = (line["chat"], line["message"])
        match line["kind"]:
            case "shown":
                known[place] = Screen(talk, [version])
                story.screens.setdefault(talk, []).append(known[place])
            case "edited":
                known[place].versions.append(version)
            case "deleted":
                known[place].deleted_at = line["mono"]


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
            )
            story.asks.append(ask)
        elif line["kind"] == "outcome" and line["call"] in asked:
            ask = asked[line["call"]]
            ask.ended_at, ask.status = line["mono"], line["status"]
            ask.usage, ask.finish = line.get("usage"), line.get("finish")
            ask.fault = line.get("fault")


def _read_tools(story: Story, folder: Path) -> None:
    open_runs: dict[tuple[str, int], ToolRun] = {}
    for line, evidence in _lines(story, folder / "tools.jsonl"):
        place = (line["key"], line["pid"])
        if line["kind"] == "begun":
            run = open_runs[place] = ToolRun(
                tool=line["tool"],
                key=line["key"],
                mark=read_mark(line["mark"]),
                talk=Talk(line["tenant"][0], int(line["chat"]) - FIRST_CHAT),
                node=line["node"],
                pid=line["pid"],
                at=line["mono"],
                line=evidence,
            )
            story.tools.append(run)
        elif (ended := open_runs.pop(place, None)) is not None:
            ended.ended_at = line["mono"]


def _read_events(story: Story, folder: Path) -> None:
    for line, evidence in _lines(story, folder / "events.jsonl"):
        # That a node has stood still is sometimes known only afterwards.
        when: int = line["since"] if "since" in line else line["mono"]
        event = Event(line["kind"], when, line.get("node", ""), evidence)
        story.events.append(event)
    for line, evidence in _lines(story, folder / "samples.jsonl"):
        sample = Sample(line["node"], line["pid"], line["phase"], line["held"], evidence)
        story.samples.append(sample)

    for line, evidence in _lines(story, folder / "copies.jsonl"):
        held = frozenset(line["held"])
        story.copies.append(Copy(line["mono"], line["integrity"], held, evidence))


def _read_usage(story: Story, folder: Path) -> None:
    file = folder / "usage.jsonl"
    story.counted = file.exists()
    accounts = {"111111111": "a", "222222222": "b"}
    for line, _ in _lines(story, file):
        _, account, chat = line["address"].split(":")[:3]
        story.usage[Talk(accounts[account], int(chat) - FIRST_CHAT)] = line
    for line, _ in _lines(story, folder / "dead.jsonl"):
        story.dead |= {read_mark(mark): line["error"] for mark in line["marks"]}
