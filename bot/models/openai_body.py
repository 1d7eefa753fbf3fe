"""The body of a chat completion request, built from a `Request`; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import msgspec

from bot.domain.message import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Unknown,
)
from bot.domain.model import Request, ToolSpec
from bot.models.presets import Preset

NO_RESULT = "(no result: the call was given up)"


@dataclass(frozen=True, slots=True)
class Settings:
    """What of a model's configuration goes into every body."""

    model: str
    preset: Preset
    max_output_tokens: int | None = None
    temperature: float | None = None
    include_usage: bool = True


def body_of(request: Request, settings: Settings) -> dict[str, Any]:
    """The JSON object to post, ready to be encoded."""
    preset = settings.preset
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": list(_messages(request.messages, echoes=preset.echoes)),
    }
    if request.tools:
        body["tools"] = [_function(tool) for tool in request.tools]
    tokens = request.limits.max_output_tokens or settings.max_output_tokens
    if tokens is not None:
        body[preset.tokens] = tokens
    temperature = request.limits.temperature
    temperature = settings.temperature if temperature is None else temperature
    if temperature is not None:
        body["temperature"] = temperature
    if request.watched:
        body["stream"] = True
        if settings.include_usage and preset.usage:
            body["stream_options"] = {"include_usage": True}
    return body


def _function(tool: ToolSpec) -> dict[str, Any]:
    # Several servers refuse a schema that is not an object, even for no parameters.
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": parameters,
        },
    }


def _messages(messages: Sequence[Message], *, echoes: bool) -> Iterator[dict[str, Any]]:
    this_turn = _start_of_turn(messages)
    taken: set[str] = set()
    for position, message in enumerate(messages):
        if message.role is Role.TOOL:
            continue  # each result is written behind its call
        if message.role is not Role.ASSISTANT:
            yield {"role": message.role.value, "content": _readable(message.parts)}
            continue
        # A provider that wants its reasoning back with every call refuses an older call without
        # it, and reasoning of an earlier turn is never sent: of that turn only the words go.
        calls = () if echoes and position < this_turn else message.calls
        text = _readable(message.parts)
        if not calls and not text:
            continue
        entry: dict[str, Any] = {"role": "assistant", "content": text or None}
        ids: list[str] = []
        if calls:
            ids = [_unique(call.id, taken) for call in calls]
            entry["tool_calls"] = [_call(call, id) for call, id in zip(calls, ids, strict=True)]
            if echoes:
                entry["reasoning_content"] = _reasoning(message.parts)
        yield entry
        if calls:
            found = _found(messages[position + 1 :])
            for call, id in zip(calls, ids, strict=True):
                yield {"role": "tool", "tool_call_id": id, "content": found.get(call.id, NO_RESULT)}


def _start_of_turn(messages: Sequence[Message]) -> int:
    for position in range(len(messages) - 1, -1, -1):
        if messages[position].role is Role.USER:
            return position
    return 0


def _unique(id: str, taken: set[str]) -> str:
    """Some providers number the calls of every answer from the start; others refuse that."""
    unique, number = id, 1
    while unique in taken:
        number += 1
        unique = f"{id}_{number}"
    taken.add(unique)
    return unique


def _call(call: ToolCall, id: str) -> dict[str, Any]:
    function = {"name": call.name, "arguments": _valid(call.arguments)}
    return {"id": id, "type": "function", "function": function}


def _valid(arguments: str) -> str:
    """What the model wrote, or no arguments: servers refuse a history with broken JSON in it."""
    try:
        whole = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return "{}"
    return arguments if isinstance(whole, dict) else "{}"


def _found(later: Sequence[Message]) -> dict[str, str]:
    """The results that follow a message of calls, by call."""
    found: dict[str, str] = {}
    for message in later:
        if message.calls:
            break
        for part in message.parts:
            if isinstance(part, ToolResult):
                found.setdefault(part.call, part.text)
    return found


def _readable(parts: Sequence[Part]) -> str:
    return "\n".join(text for part in parts if (text := _words(part)))


def _words(part: Part) -> str:
    """A part as text; what a person sent as media is named in brackets."""
    match part:
        case Text(text):
            return text
        case Image(caption=caption):
            return f"[image] {caption}".rstrip()
        case Audio(transcript=transcript):
            return transcript or "[voice message]"
        case File(name=name):
            return f"[file: {name}]" if name else "[file]"
        case Unknown(kind=kind):
            return f"[{kind}]"
        case Reasoning() | ToolCall() | ToolResult():
            return ""
    assert_never(part)


def _reasoning(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Reasoning))
