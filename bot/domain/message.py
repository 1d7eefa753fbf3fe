"""What is said: parts, messages, and what arrives and leaves."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.address import Address, Sender


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by reference: `ref` is the platform's or our own id, never inline base64."""

    ref: str
    mime: str = "image/jpeg"
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Audio:
    ref: str
    mime: str = "audio/ogg"
    transcript: str = ""


@dataclass(frozen=True, slots=True)
class File:
    ref: str
    name: str = ""
    mime: str = "application/octet-stream"
    size: int = 0


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a model thought aloud. Never shown, and never sent back in a later turn."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a function; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave; `call` is the id of the `ToolCall` that it answers."""

    call: str
    name: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """A part that a newer Parley or platform wrote; kept and written back as it was.

    `raw` is JSON text.
    """

    kind: str
    raw: str


Part = Text | Image | Audio | File | Reasoning | ToolCall | ToolResult | Unknown


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a transcript.

    `id` is the sequence number within the conversation, 0 before it is stored.
    `platform_id` is the platform's own id: edits, recalls and replies need it.
    """

    role: Role
    parts: tuple[Part, ...]
    sent_at: datetime
    id: int = 0
    sender: Sender | None = None
    platform_id: str | None = None

    @property
    def text(self) -> str:
        """Everything readable in it, one part a line."""
        lines: list[str] = []
        for part in self.parts:
            if isinstance(part, Text):
                lines.append(part.text)
            elif isinstance(part, Image) and part.caption:
                lines.append(part.caption)
            elif isinstance(part, Audio) and part.transcript:
                lines.append(part.transcript)
        return "\n".join(lines)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


class Kind(StrEnum):
    """What an inbound is; everything but `MESSAGE`, `COMMAND` and `BUTTON` is silent."""

    MESSAGE = "message"
    COMMAND = "command"
    BUTTON = "button"
    EDITED = "edited"
    RECALLED = "recalled"
    JOINED = "joined"
    MOVED = "moved"
    FEEDBACK = "feedback"


@dataclass(frozen=True, slots=True)
class Inbound:
    """Something that happened on a platform and is meant for us, before anyone has acted on it.

    `event_key` is unique within the conversation: the inbox keeps the first and knows the rest
    as repeats. `direct` is true where the chat is one person's alone; `addressed` where they
    spoke to us (direct chat, mention, reply to us, command of ours or with our name). A
    `COMMAND`'s text starts with "/" and carries no bot name. An `EDITED` or `RECALLED` names the
    message by `message.platform_id`; a `MOVED` carries the new place in `moved_to`; a `BUTTON`'s
    text is the value of the choice.
    """

    event_key: str
    address: Address
    sender: Sender
    message: Message
    kind: Kind = Kind.MESSAGE
    direct: bool = True
    addressed: bool = True
    album: str | None = None
    reply_to: str | None = None
    moved_to: Address | None = None

    @property
    def text(self) -> str:
        return self.message.text


@dataclass(frozen=True, slots=True)
class Choice:
    """A button under an answer: what it says, and the text that a press sends back."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Citation:
    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Something to send. `key` is the same on every retry; `text` is CommonMark."""

    key: str
    address: Address
    text: str
    expires_at: datetime | None = None
    reply_to: str | None = None
    attachments: tuple[Part, ...] = ()
    choices: tuple[Choice, ...] = ()
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform took it; `platform_id` is "" where the platform names nothing."""

    platform_id: str = ""
    extra: tuple[tuple[str, str], ...] = field(default=())
