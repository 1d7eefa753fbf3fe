"""Outbound → what Slack accepts: markdown blocks, plain text, buttons. No waiting here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters.slack.manifest import COMMAND, WORDS
from adapters.slack.words import escaped, harmless
from bot import Activity, ActivityState, Choice

TEXT_LIMIT = 12_000
"""Of a markdown block, as it stands in JSON: Slack limits all blocks of a message together to a
little more, and what it counts in other scripts it does not say."""
NOTICE_LIMIT = 3000
"""Of the plain text beside it. An edit takes 4,000 characters; a screen shows fewer."""
PLAIN_LIMIT = 4000
LABEL_LIMIT = 75
VALUE_LIMIT = 2000
CHOICES_LIMIT = 25
ACTION = "choice:"
ASKED = "asked:"
"""Of a row of buttons: behind it stands the message that is answered by what is above them."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)[^\n]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_COMMAND = re.compile(rf"^([-*] )/({'|'.join(WORDS)})\b", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+", re.MULTILINE)
_MARKS = re.compile(r"(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as the wire takes it: blocks, and the plain words that notifications show."""

    blocks: tuple[Mapping[str, Any], ...]
    notice: str
    plain: str


def render(markdown: str, choices: Sequence[Choice] = (), *, asked: str | None = None) -> Rendered:
    """One message of at most `TEXT_LIMIT` bytes; its buttons remember what it answers."""
    blocks: list[Mapping[str, Any]] = []
    if markdown.strip():
        blocks.append({"type": "markdown", "text": harmless(markdown)})
    if choices:
        name = {} if asked is None else {"block_id": f"{ASKED}{asked}"}
        elements = _buttons(choices[:CHOICES_LIMIT])
        blocks.append({"type": "actions", **name, "elements": elements})
    words = _words(markdown) or " / ".join(_label(choice) for choice in choices)
    return Rendered(tuple(blocks), _cut(escaped(words), NOTICE_LIMIT), escaped(words))


def as_typed(markdown: str) -> str:
    """A list of our commands as Slack lets people type them: it keeps a bare /new to itself."""
    return _COMMAND.sub(rf"\1`{COMMAND} \2`", markdown)


def first_part(markdown: str, limit: int = TEXT_LIMIT) -> str:
    """The beginning, as far as a message takes it: the rest comes in the next one."""
    if size(markdown) <= limit:
        return markdown
    kept = markdown[: reach(markdown, limit - 8)].rstrip()
    opened = len(_FENCE.findall(kept)) % 2
    return f"{kept}\n```" if opened else f"{kept} …"


def reach(markdown: str, limit: int) -> int:
    """How many characters of a text have room in so much of a message; one at least."""
    low, high = 1, min(len(markdown), limit)
    while low < high:
        middle = (low + high + 1) // 2
        if size(markdown[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def size(markdown: str) -> int:
    """How much of a message's room it takes."""
    return len(msgspec.json.encode(harmless(markdown))) - 2


def growing(text: str, activities: Sequence[Activity]) -> str:
    """A draft's text with a line for each tool that is at work."""
    running = [
        f"⏳ `{activity.tool}`"
        for activity in activities
        if activity.state is ActivityState.RUNNING
    ]
    return "\n\n".join(part for part in (text, "\n".join(running)) if part.strip())


def value_of(action_id: str, value: str | None, label: str | None) -> str | None:
    """What a pressed button says; None when it is none of ours."""
    if not action_id.startswith(ACTION):
        return None
    return value or label


def asked_in(blocks: Sequence[Mapping[str, Any]]) -> str | None:
    """The message that is answered by the one that these blocks are of."""
    names = [str(block.get("block_id")) for block in blocks if block.get("type") == "actions"]
    found = [name.removeprefix(ASKED) for name in names if name.startswith(ASKED)]
    return found[0] if found else None


def _buttons(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    return [
        {
            "type": "button",
            "action_id": f"{ACTION}{number}",
            "text": {"type": "plain_text", "text": _cut(_label(choice), LABEL_LIMIT)},
            # What is too long for the wire is said by the label.
            **({"value": choice.value} if 0 < len(choice.value) <= VALUE_LIMIT else {}),
        }
        for number, choice in enumerate(choices)
    ]


def _label(choice: Choice) -> str:
    return choice.label.strip() or choice.value.strip() or "…"


def _words(markdown: str) -> str:
    """The words alone: where markup is not shown, its signs are in the way."""
    text = _FENCE.sub("", markdown)
    text = _LINK.sub(lambda link: link[1] or link[2], text)
    text = _HEADING.sub("", text)
    text = _MARKS.sub(lambda mark: mark[2], text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
