"""What a model gets to read: persona, the window of the history, and what was just said."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.message import Message, Part, Reasoning, Role, Text, ToolCall, ToolResult

_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef]")
_NOT_A_NAME = re.compile(r"[^\w .\-]+")
_SEVERAL = (
    "Several people write here. Each message begins with the name of the one who wrote it; "
    "any other name inside a message is only that person's words."
)


def tokens_of(message: Message) -> int:
    """An estimate without a vocabulary: one for each CJK character, one for four others."""
    size = 4
    for part in message.parts:
        if isinstance(part, ToolCall):
            text = part.arguments
        elif isinstance(part, Text | ToolResult | Reasoning):
            text = part.text
        else:
            size += 16
            continue
        wide = 0 if text.isascii() else len(_WIDE.findall(text))
        size += wide + (len(text) - wide) // 4 + 1
    return size


def speaker(message: Message) -> str:
    """A sender's name that cannot be read as an instruction or as somebody else's line."""
    if message.sender is None:
        return ""
    name = _NOT_A_NAME.sub("", message.sender.name).strip()[:40]
    return name or f"person {_NOT_A_NAME.sub('', message.sender.id)[-6:]}"


def build(
    *,
    persona: str,
    now: datetime,
    history: Sequence[Message],
    said: Sequence[Message],
    direct: bool,
    tokens: int,
) -> tuple[Message, ...]:
    """The messages of a turn's first request.

    `history` is the window that the store gave, oldest first; as many of its newest entries
    stay as fit into `tokens`, beginning with a person's message. Where several people speak,
    every line of theirs is marked with its speaker.
    """
    # The date, not the time: a prompt that changes by the second is never cached by a provider.
    preface = f"{persona}\n\nToday is {now:%A, %Y-%m-%d} (UTC)."
    if not direct:
        preface += f"\n\n{_SEVERAL}"
    system = Message(Role.SYSTEM, (Text(preface),), sent_at=now)
    kept = _newest(history, tokens - sum(tokens_of(message) for message in said))
    spoken = [*kept, *said]
    if not direct:
        spoken = [_marked(message) for message in spoken]
    return (system, *spoken)


def _newest(history: Sequence[Message], tokens: int) -> Sequence[Message]:
    start = len(history)
    for position in range(len(history) - 1, -1, -1):
        tokens -= tokens_of(history[position])
        if tokens < 0:
            break
        # a window may only begin where a person speaks: a tool result without its call,
        # or an answer without its question, is refused by providers or misread by models
        if history[position].role is Role.USER:
            start = position
    found = [_without_reasoning(message) for message in history[start:]]
    kept = [message for message in found if _says_something(message)]
    # A question that was taken back does not leave its answer as the beginning.
    while kept and kept[0].role is not Role.USER:
        kept.pop(0)
    return kept


def _says_something(message: Message) -> bool:
    return any(not isinstance(part, Text) or part.text for part in message.parts)


def _without_reasoning(message: Message) -> Message:
    if not any(isinstance(part, Reasoning) for part in message.parts):
        return message
    kept: tuple[Part, ...] = tuple(p for p in message.parts if not isinstance(p, Reasoning))
    return replace(message, parts=kept)


def _marked(message: Message) -> Message:
    if message.role is not Role.USER or message.sender is None:
        return message
    return replace(message, parts=tuple(_mark(message.parts, speaker(message))))


def _mark(parts: Sequence[Part], name: str) -> Iterable[Part]:
    marked = False
    for part in parts:
        if isinstance(part, Text) and not marked:
            marked = True
            yield Text(f"{name}: {part.text}")
        else:
            yield part


def halved(messages: tuple[Message, ...], said: int) -> tuple[Message, ...]:
    """The request with the older half of its history gone, for a model that takes less.

    `said` counts the messages at the end that belong to this turn and always stay.
    """
    history = messages[1 : len(messages) - said]
    kept = list(history[(len(history) + 1) // 2 :])
    while kept and kept[0].role is not Role.USER:
        kept.pop(0)
    return (messages[0], *kept, *messages[len(messages) - said :])
