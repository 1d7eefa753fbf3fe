"""Slack's own text: what its escapes and angle brackets mean, and how ours become harmless."""

import re
from collections.abc import Collection
from dataclasses import dataclass

_TOKEN = re.compile(r"<([^<>\n]*)>")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_OPENING = re.compile(r"\s*<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>[\s,:;，：、]*")
_CALLS = re.compile(r"<(?=[!@#])")
_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(frozen=True, slots=True)
class Me:
    """Ourselves in a workspace, as far as we are known: what we write as, and are called by."""

    users: frozenset[str] = frozenset()
    bots: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


def mentioned(text: str) -> list[str]:
    """The ids of the people whom a text names, in order."""
    return _MENTION.findall(text)


def begins_with(text: str) -> str | None:
    """The id of the person whom a text names before it says anything."""
    match = _OPENING.match(text)
    return match[1] if match else None


def without(text: str, ids: Collection[str]) -> str:
    """The text without the mentions of these people."""
    while (opening := _OPENING.match(text)) and opening[1] in ids:
        text = text[opening.end() :]
    kept = _MENTION.sub(lambda match: "" if match[1] in ids else match[0], text)
    return re.sub(r"[ \t]{2,}", " ", kept).strip() if kept != text else text.strip()


def without_first(text: str) -> str:
    """The text without the mention that it begins with, whoever that is."""
    return _OPENING.sub("", text, count=1).strip()


def readable(text: str) -> str:
    """What a person sees: names for ids, addresses for links, no escapes."""
    shown = _TOKEN.sub(lambda match: _shown(match[1]), text)
    for escape, character in _ESCAPES:
        shown = shown.replace(escape, character)
    return shown.strip()


def _shown(inside: str) -> str:
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        return f"@{label.removeprefix('@') or target[1:]}"
    if target.startswith("#"):
        return f"#{label.removeprefix('#') or target[1:]}"
    if target.startswith("!"):
        return _special(target[1:], label)
    address = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label in address:
        return address
    return f"{label} ({address})"


def _special(name: str, label: str) -> str:
    if label:
        return label if name.startswith("date^") else f"@{label.removeprefix('@')}"
    return f"@{name.partition('^')[0]}"


def harmless(markdown: str) -> str:
    """A text in which nobody is called: a model must not wake a whole channel."""
    return _CALLS.sub("&lt;", markdown)


def escaped(text: str) -> str:
    """Plain words as Slack's own markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
