"""What a model gets to read: persona, the window of the history, and what was just said."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.conversation import ConversationId
from bot.domain.message import Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from bot.ports import History

FURTHER = 500
"""Entries that are looked through for the question of one turn that fills the whole window."""

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


async def remembered(
    history: History, conversation: ConversationId, *, first: int, limit: int
) -> Sequence[Message]:
    """The newest entries from `first` on, at most `limit`.

    Where all of them are one turn's, its question is further back and comes with its answer.
    """
    found = await history.window(conversation, first=first, limit=limit)
    if len(found) < limit or any(message.role is Role.USER for message in found):
        return found
    more = await history.window(conversation, first=first, limit=limit + FURTHER)
    return _in_short(more[_newest_begins(more) :])[-limit:]


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
    stay as fit into `tokens`, beginning with a person's message. Where not even the newest
    exchange fits, it goes without its calls. Where several people speak, every message of theirs
    begins with its speaker.
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
    start = _fits_from(history, tokens)
    if start == len(history):
        begins = _newest_begins(history)
        history = [*history[:begins], *_in_short(history[begins:])]
        start = _fits_from(history, tokens)
    found = [_without_reasoning(message) for message in history[start:]]
    kept = [message for message in found if _says_something(message)]
    # A question that was taken back does not leave its answer as the beginning.
    while kept and kept[0].role is not Role.USER:
        kept.pop(0)
    return kept


def _fits_from(history: Sequence[Message], tokens: int) -> int:
    start = len(history)
    for position in range(len(history) - 1, -1, -1):
        tokens -= tokens_of(history[position])
        if tokens < 0:
            break
        # a window may only begin where a person speaks: a tool result without its call,
        # or an answer without its question, is refused by providers or misread by models
        if history[position].role is Role.USER:
            start = position
    return start


def _newest_begins(history: Sequence[Message]) -> int:
    """Where the newest exchange begins: a person asks in one message, or in several."""
    position = len(history)
    while position and history[position - 1].role is not Role.USER:
        position -= 1
    while position and history[position - 1].role is Role.USER:
        position -= 1
    return position


def _in_short(exchange: Sequence[Message]) -> list[Message]:
    """Question and answer, without the calls and what they gave."""
    return [one for one in exchange if one.role is not Role.TOOL and not one.calls]


def _says_something(message: Message) -> bool:
    return any(not isinstance(part, Text) or part.text for part in message.parts)


def _without_reasoning(message: Message) -> Message:
    if not any(isinstance(part, Reasoning) for part in message.parts):
        return message
    kept: tuple[Part, ...] = tuple(p for p in message.parts if not isinstance(p, Reasoning))
    return replace(message, parts=kept)


def _marked(message: Message) -> Message:
    if message.role is not Role.USER or message.sender is None or not message.parts:
        return message
    name, parts = speaker(message), message.parts
    # Before everything in it: a caption or the name of a file may look like someone else's line.
    if isinstance(parts[0], Text):
        return replace(message, parts=(Text(f"{name}: {parts[0].text}"), *parts[1:]))
    return replace(message, parts=(Text(f"{name}:"), *parts))


def halved(messages: tuple[Message, ...], said: int) -> tuple[Message, ...]:
    """The request with the older half of its history gone, for a model that takes less.

    `said` counts the messages at the end that belong to this turn and always stay.
    """
    history = messages[1 : len(messages) - said]
    kept = list(history[(len(history) + 1) // 2 :])
    while kept and kept[0].role is not Role.USER:
        kept.pop(0)
    return (messages[0], *kept, *messages[len(messages) - said :])
