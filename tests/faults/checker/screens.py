"""What people saw, read from the log of a stand-in, each platform in its own words."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tests.faults.checker.records import Evidence, Line, Screen, Story, Strike, Version, Wire
from tests.faults.marks import PROMISED, Talk, marks_in, number_in, pieces_of

FIRST_CHAT = 10_000
"""Chat 10012 is conversation 12: the driver's rule, stated here a second time on purpose.

Slack calls it D10012, WeChat's name for it ends with that number.
"""
FIELDS: Mapping[str, tuple[str, str]] = {
    "telegram": ("chat", "message"),
    "slack": ("channel", "ts"),
    "wechat": ("openid", "number"),
}
"""What the log of each platform calls a chat, and a message in it.

At WeChat no message has a name, and none is ever changed.
"""
PLATFORM = "platform"
"""Who speaks where WeChat tells a person that a server is out of order."""
PATIENCE = 4.9
"""Seconds; it hangs up after five."""


def read_bot(story: Story, tenant: str, lines: Iterable[tuple[Line, Evidence]]) -> None:
    """Everything that one bot showed, and what went wrong with its calls."""
    known: dict[tuple[str, str], Screen] = {}
    asked = _called(story)
    in_chat, as_message = FIELDS[story.about["platform"]]
    for line, evidence in lines:
        kind = line["kind"]
        if kind == "request":
            _read_wire(story, tenant, line, evidence, asked)
        if kind in ("outcome", "delivered"):
            _read_end(story, tenant, line, evidence, asked)
        if kind not in ("shown", "edited", "deleted", "drafted") or _is_aside(line):
            continue
        talk = talk_of(tenant, line[in_chat])
        version = Version(line["mono"], line.get("text", ""), evidence)
        if kind == "drafted":
            story.drafts.append((talk, version))
            continue
        place = (str(line[in_chat]), str(line[as_message]))
        match kind:
            case "shown":
                for text in pieces_of(version.text) if "by" in line else (version.text,):
                    known[place] = Screen(talk, [replace(version, text=text)])
                    story.screens.setdefault(talk, []).append(known[place])
            case "edited":
                known[place].versions.append(version)
            case "deleted":
                known[place].deleted_at = line["mono"]


def _called(story: Story) -> dict[int | str, Talk]:
    """Whose message it is that WeChat calls about, by the name that its log has for it."""
    messages = story.messages.values()
    return {f"text {message.update}": message.mark.talk for message in messages}


def _read_end(
    story: Story, tenant: str, line: Line, evidence: Evidence, asked: Mapping[int | str, Talk]
) -> None:
    """Whether a call to the platform went wrong, and whether it gave up one of its own to us."""
    when = line["mono"]
    if line["kind"] == "outcome":
        if line.get("fault"):
            talk = asked.get(line["call"])
            story.strikes.append(Strike(when, tenant, talk, evidence, line["fault"]))
        return
    whose = asked.get(line.get("event", ""))
    # Whom it cannot reach at all has put nothing into its call.
    if whose is not None and not line["status"] and line["seconds"] >= PATIENCE:
        story.hung_up.append(Strike(when, tenant, whose, evidence, "hung up"))


def _is_aside(line: Line) -> bool:
    """What only WeChat has: the platform's own words, and a promise that an answer will come."""
    return line.get("by") == PLATFORM or ("by" in line and line["text"].startswith(PROMISED))


def talk_of(tenant: str, chat: str | int) -> Talk:
    """Whose conversation a chat is, whatever the platform calls it."""
    return Talk(tenant, number_in(chat) - FIRST_CHAT)


def _read_wire(
    story: Story, tenant: str, line: Line, evidence: Evidence, asked: dict[int | str, Talk]
) -> None:
    chat = line.get(FIELDS[story.about["platform"]][0]) or (line.get("body") or {}).get("touser")
    if chat is not None:
        asked[line["call"]] = talk_of(tenant, chat)
    # A call without a chat is about nobody, and may name nobody.
    talk = asked.get(line["call"], Talk(tenant, 0))
    marks = marks_in(json.dumps(line.get("body"), ensure_ascii=False))
    if marks:
        story.wires.append(Wire(talk, marks, evidence))
