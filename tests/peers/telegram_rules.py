"""What the Bot API refuses, in its own words. Pure: a value, or a `Refusal`."""

import math
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
BUTTON_LIMIT = 64

# Those that a client may send; the service finds the rest (mentions, links) in the text itself.
ENTITY_TYPES = frozenset(
    "mention hashtag cashtag bot_command url email phone_number bold italic underline "
    "strikethrough spoiler blockquote expandable_blockquote code pre text_link text_mention "
    "custom_emoji date_time".split()
)
ACTIONS = frozenset(
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document "
    "choose_sticker find_location record_video_note upload_video_note".split()
)
COMMAND = re.compile(r"[a-z0-9_]{1,32}")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


class Refusal(Exception):
    """The error body that the service would send."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def as_json(self) -> dict[str, Any]:
        """The body on the wire."""
        body = {"ok": False, "error_code": self.code, "description": self.description}
        return {**body, "parameters": self.parameters} if self.parameters else body


def bad(reason: str, **parameters: int) -> Refusal:
    """A 400."""
    return Refusal(400, f"Bad Request: {reason}", **parameters)


def too_many(retry_after: int) -> Refusal:
    """A 429."""
    reason = f"Too Many Requests: retry after {retry_after}"
    return Refusal(429, reason, retry_after=retry_after)


def units(text: str) -> int:
    """Length in UTF-16 code units, which is how this platform counts."""
    return len(text) + sum(1 for character in text if character > "\uffff")


def check_text(params: Mapping[str, Any], *, may_be_empty: bool = False) -> tuple[str, list[Any]]:
    """The text as it will show, with its entities."""
    return _checked(params, "text", "entities", TEXT_LIMIT, may_be_empty=may_be_empty)


def check_caption(params: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """A caption may be missing, else the same rules hold with a lower limit."""
    return _checked(params, "caption", "caption_entities", CAPTION_LIMIT, may_be_empty=True)


def check_keyboard(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """An inline keyboard whose buttons fit; other markups pass as they are."""
    markup = params.get("reply_markup")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    for button in _buttons(markup):
        data = button.get("callback_data")
        if not button.get("text"):
            raise bad('can\'t parse inline keyboard button: Field "text" must be non-empty')
        if data is not None and not 1 <= len(str(data).encode()) <= BUTTON_LIMIT:
            raise bad("BUTTON_DATA_INVALID")
    return markup


def check_commands(params: Mapping[str, Any]) -> list[dict[str, str]]:
    """At most 100 commands with names and descriptions of the allowed form."""
    commands = params.get("commands")
    if not isinstance(commands, list):
        raise bad("can't parse commands list JSON object")
    if len(commands) > 100:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not COMMAND.fullmatch(str(command.get("command", "")).removeprefix("/")):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return commands


def check_webhook(params: Mapping[str, Any]) -> str:
    """The address to deliver to. The real one wants HTTPS; a peer wants loopback."""
    url = str(params.get("url", ""))
    if url and not url.startswith(("http://127.0.0.1:", "http://localhost:")):
        raise bad("bad webhook: this stand-in delivers to loopback addresses only")
    secret = params.get("secret_token")
    if secret is not None and not SECRET.fullmatch(str(secret)):
        raise bad("secret token contains unallowed characters")
    if not 1 <= int(params.get("max_connections", 40)) <= 100:
        raise bad("MAX_CONNECTIONS_INVALID")
    return url


@dataclass(slots=True)
class Flood:
    """The limits of sending. Edits count like messages; off unless a test asks for it."""

    per_second: float = 1.0
    burst: int = 3
    group_per_minute: int = 20
    overall: int = 30
    penalty: int = 0
    """At least so long is the wait once a limit is broken; real ones were 126 s and more."""
    _tokens: dict[int, tuple[float, float]] = field(default_factory=dict)
    _groups: dict[int, deque[float]] = field(default_factory=dict)
    _all: deque[float] = field(default_factory=deque)
    _until: dict[int, float] = field(default_factory=dict)

    def take(self, chat: int, now: float) -> None:
        """Count one message or edit, or refuse it and say how long to wait."""
        wait = max(
            self._until.get(chat, now) - now,
            self._wait_of_chat(chat, now),
            self._wait_of_group(chat, now),
            _wait(self._all, self.overall, 1.0, now),
        )
        if wait > 0:
            retry_after = max(1, self.penalty, math.ceil(wait))
            self._until[chat] = max(self._until.get(chat, 0.0), now + retry_after)
            raise too_many(math.ceil(self._until[chat] - now))
        tokens, _ = self._tokens[chat]
        self._tokens[chat] = (tokens - 1.0, now)
        self._all.append(now)
        if chat < 0:
            self._groups.setdefault(chat, deque()).append(now)

    def _wait_of_chat(self, chat: int, now: float) -> float:
        tokens, since = self._tokens.get(chat, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - since) * self.per_second)
        self._tokens[chat] = (tokens, now)
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) / self.per_second

    def _wait_of_group(self, chat: int, now: float) -> float:
        return _wait(self._groups.get(chat, deque()), self.group_per_minute, 60.0, now)


def _wait(stamps: deque[float], limit: int, window: float, now: float) -> float:
    while stamps and stamps[0] <= now - window:
        stamps.popleft()
    return 0.0 if len(stamps) < limit else stamps[0] + window - now


def _checked(
    params: Mapping[str, Any], key: str, entities_key: str, limit: int, *, may_be_empty: bool
) -> tuple[str, list[Any]]:
    if params.get("parse_mode"):
        # Parsing markup would be a second renderer; a caller that sends any is refused outright.
        raise bad("unsupported parse_mode: this stand-in takes entities only")
    text = str(params.get(key, ""))
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise bad("strings must be encoded in UTF-8")
    entities = params.get(entities_key) or []
    if not isinstance(entities, list):
        raise bad("can't parse entities JSON object")
    for entity in entities:
        _check_entity(text, entity)
    shown = text.strip()
    if not shown and not may_be_empty:
        raise bad("message text is empty")
    if units(shown) > limit:
        raise bad("message is too long" if key == "text" else "message caption is too long")
    return shown, entities


def _check_entity(text: str, entity: Mapping[str, Any]) -> None:
    kind = entity.get("type")
    if kind not in ENTITY_TYPES:
        raise bad("can't parse MessageEntity: Unsupported type specified")
    if kind == "text_link" and not entity.get("url"):
        raise bad("can't parse MessageEntity: Can't find field \"url\"")
    offset, length = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not 0 <= offset <= 1_000_000:
        raise bad(f"receive an entity with incorrect offset {offset}")
    if not isinstance(length, int) or not 0 <= length <= 1_000_000:
        raise bad(f"receive an entity with incorrect length {length}")
    _check_range(text, offset, offset + length)


def _check_range(text: str, start: int, end: int) -> None:
    at = 0
    for byte, character in _with_byte_offsets(text):
        width = 2 if character > "\uffff" else 1
        if at < start < at + width:
            raise bad(f"entity begins in a middle of a UTF-16 symbol at byte offset {byte}")
        if at < end < at + width:
            raise bad(
                f"entity beginning at UTF-16 offset {start} ends in a middle of a UTF-16 symbol "
                f"at byte offset {byte}"
            )
        at += width
    if start > at:
        raise bad(f"entity begins after the end of the text at UTF-16 offset {start}")
    if end > at:
        raise bad(
            f"entity beginning at UTF-16 offset {start} ends after the end of the text at "
            f"UTF-16 offset {end}"
        )


def _with_byte_offsets(text: str) -> Iterator[tuple[int, str]]:
    byte = 0
    for character in text:
        byte += len(character.encode())
        yield byte, character


def _buttons(markup: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for row in markup.get("inline_keyboard", []):
        yield from row
