"""What the Web API refuses, in its own words. Pure: a value, or a `Refusal`."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TEXT_LIMIT = 40_000
UPDATE_LIMIT = 4_000
MARKDOWN_LIMIT = 12_000
BLOCKS_LIMIT = 13_200
BLOCKS = 50
BUTTONS = 25
LABEL_LIMIT = 75
VALUE_LIMIT = 2_000
METADATA_LIMIT = 16_000

# The methods that the stand-in speaks, and the scope that each asks of a bot's token.
SCOPES: Mapping[str, str | None] = {
    "api.test": None,
    "auth.test": None,
    "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "functions.completeError": None,
}
HISTORY = {
    "channel": "channels:history",
    "group": "groups:history",
    "im": "im:history",
    "mpim": "mpim:history",
}


class Refusal(Exception):
    """The error body that the service would send."""

    def __init__(
        self, error: str, *, status: int = 200, retry_after: int | None = None, **extra: Any
    ) -> None:
        super().__init__(error)
        self.error = error
        self.status = status
        self.retry_after = retry_after
        self.extra = extra

    def as_json(self) -> dict[str, Any]:
        """The body on the wire."""
        return {"ok": False, "error": self.error, **self.extra}

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """When to come back."""
        return () if self.retry_after is None else (("Retry-After", str(self.retry_after)),)


def ratelimited(retry_after: int) -> Refusal:
    """A 429."""
    return Refusal("ratelimited", status=429, retry_after=retry_after)


def check_content(
    params: Mapping[str, Any], *, updating: bool = False
) -> tuple[str, list[dict[str, Any]], str]:
    """The text, the blocks and the markdown of a message; one of them must be there."""
    text = params.get("text") or ""
    markdown = params.get("markdown_text") or ""
    blocks = check_blocks(params["blocks"]) if params.get("blocks") else []
    if markdown and (text or blocks):
        raise Refusal("markdown_text_conflict")
    if len(markdown) > MARKDOWN_LIMIT:
        raise Refusal("msg_too_long")
    if not (text.strip() or markdown.strip() or blocks):
        raise Refusal("no_text")
    if updating and len(text) > UPDATE_LIMIT:
        raise Refusal("msg_too_long")
    return text[:TEXT_LIMIT], blocks, markdown


def check_blocks(value: Any) -> list[dict[str, Any]]:
    """Blocks that the service would lay out."""
    blocks = json.loads(value) if isinstance(value, str) else value
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise Refusal("invalid_blocks_format")
    if len(blocks) > BLOCKS:
        raise _invalid("no more than 50 items allowed [json-pointer:/blocks]")
    for number, block in enumerate(blocks):
        _check_block(block, f"/blocks/{number}")
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    size = len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")).encode())
    if markdown > MARKDOWN_LIMIT or size > BLOCKS_LIMIT + 2_500 * len(_actions(blocks)):
        raise Refusal("msg_blocks_too_long")
    return blocks


def _check_block(block: Mapping[str, Any], place: str) -> None:
    match block.get("type"):
        case "markdown":
            if not isinstance(block.get("text"), str) or not block["text"]:
                raise _invalid(f"must be more than 0 characters [json-pointer:{place}/text]")
        case "actions":
            elements = block.get("elements")
            if not isinstance(elements, list) or not 1 <= len(elements) <= BUTTONS:
                raise _invalid(f"1 to 25 items allowed [json-pointer:{place}/elements]")
            _check_buttons(elements, place)
        case "section" | "divider" | "context" | "header" | "rich_text":
            return
        case kind:
            raise _invalid(f"unsupported type: {kind} [json-pointer:{place}/type]")


def _check_buttons(elements: Sequence[Mapping[str, Any]], place: str) -> None:
    ids = [element.get("action_id") for element in elements]
    if len(set(ids)) != len(ids):
        raise _invalid(f"`action_id` already exists [json-pointer:{place}/elements]")
    for number, element in enumerate(elements):
        label = element.get("text", {})
        here = f"{place}/elements/{number}"
        if label.get("type") != "plain_text" or not 1 <= len(label.get("text", "")) <= LABEL_LIMIT:
            raise _invalid(f"must be 1 to 75 characters [json-pointer:{here}/text]")
        if "value" in element and not 1 <= len(element["value"]) <= VALUE_LIMIT:
            raise _invalid(f"must be 1 to 2000 characters [json-pointer:{here}/value]")


def _invalid(message: str) -> Refusal:
    return Refusal("invalid_blocks", response_metadata={"messages": [f"[ERROR] {message}"]})


def _actions(blocks: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [e for block in blocks if block["type"] == "actions" for e in block["elements"]]


def check_metadata(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """A message's metadata: a name and a flat payload."""
    value = params.get("metadata")
    if value is None or value == "":
        return None
    metadata = json.loads(value) if isinstance(value, str) else value
    if not isinstance(metadata, dict) or not metadata.get("event_type"):
        raise Refusal("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict):
        raise Refusal("invalid_metadata_format")
    if len(json.dumps(metadata)) > METADATA_LIMIT:
        raise Refusal("metadata_too_large")
    return metadata


@dataclass(slots=True)
class Tiers:
    """Refuses what comes too fast: one message a second in a channel, so many calls a minute."""

    per_minute: Mapping[str, int] = field(
        default_factory=lambda: {"chat.update": 50, "chat.delete": 50, "chat.postEphemeral": 100}
    )
    burst: int = 4
    calls: dict[str, deque[float]] = field(default_factory=dict)
    posts: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, method: str, channel: str, now: float) -> None:
        """Count one call; `now` in seconds."""
        if method == "chat.postMessage":
            self._post(channel, now)
            return
        limit = self.per_minute.get(method)
        if limit is None:
            return
        calls = self.calls.setdefault(method, deque())
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= limit:
            raise ratelimited(max(1, round(calls[0] + 60 - now)))
        calls.append(now)

    def _post(self, channel: str, now: float) -> None:
        left, at = self.posts.get(channel, (float(self.burst), now))
        left = min(float(self.burst), left + now - at)
        if left < 1:
            raise ratelimited(1)
        self.posts[channel] = (left - 1, now)
