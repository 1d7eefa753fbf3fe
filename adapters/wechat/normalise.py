"""The fields of a callback → Inbound, or the reason why there is none. No waiting here."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from wechatpy.events import EVENT_TYPES
from wechatpy.messages import MESSAGE_TYPES

from bot import (
    Address,
    Audio,
    File,
    Image,
    Inbound,
    Kind,
    Message,
    Part,
    Role,
    Sender,
    Text,
    Unknown,
)

PLATFORM = "wechat"

# What the platform writes for a sticker and for everything else that it does not pass on.
_UNSUPPORTED = "收到不支持的消息类型"
# In the library's vocabulary, but not a person's words: a device of theirs is speaking.
_DEVICES = ("device_",)
_ROUTED = frozenset({"click", "scan"})


class Opens(StrEnum):
    """What a person did, as the platform counts it: each allows so many messages for so long."""

    MESSAGE = "message"
    TOUCH = "touch"


@dataclass(frozen=True, slots=True)
class Read:
    """What a callback means for us.

    Without an `inbound`, `why` says what it was. `key` is the same for every delivery of one
    event. `openid` wrote to `account`, our own name on the platform, which replies must carry.
    `opens` is the window that it opens for us, `greets` is true for a new follower.
    """

    openid: str = ""
    account: str = ""
    key: str = ""
    created: int = 0
    inbound: Inbound | None = None
    why: str = ""
    opens: Opens | None = None
    greets: bool = False
    left: bool = False

    @property
    def is_silent(self) -> bool:
        """Stored, but nothing will be answered to it by the engine."""
        return self.inbound is not None and self.inbound.kind in (Kind.JOINED, Kind.FEEDBACK)


def normalise(fields: dict[str, str], app_id: str, language: str) -> Read:
    """Read one callback; whatever its fields hold, this never raises."""
    kind = fields.get("MsgType", "").lower()
    openid = fields.get("FromUserName", "")
    created = fields.get("CreateTime", "")
    if not kind or not openid or not _is_number(created):
        return Read(why="malformed")
    try:
        at = datetime.fromtimestamp(int(created), UTC)
    except (OverflowError, OSError, ValueError):
        return Read(why="malformed")
    read = Read(openid, fields.get("ToUserName", ""), _key(fields, kind), int(created))
    frame = _Frame(read, app_id, at, Sender(openid, locale=language))
    if kind == "event":
        return _event(fields, frame)
    if kind.startswith(_DEVICES):
        return replace(read, why="device")
    return _message(fields, kind, frame)


@dataclass(frozen=True, slots=True)
class _Frame:
    read: Read
    app_id: str
    at: datetime
    sender: Sender

    def with_parts(self, parts: tuple[Part, ...], kind: Kind, platform_id: str | None) -> Inbound:
        return Inbound(
            event_key=self.read.key,
            address=Address(PLATFORM, self.app_id, self.read.openid),
            sender=self.sender,
            message=Message(Role.USER, parts, self.at, sender=self.sender, platform_id=platform_id),
            kind=kind,
        )


def _message(fields: dict[str, str], kind: str, frame: _Frame) -> Read:
    parts = _parts(fields, kind)
    read = replace(frame.read, opens=Opens.MESSAGE)
    if not parts:
        return replace(read, why="empty")
    said = parts[0].text if isinstance(parts[0], Text) else ""
    spoken = Kind.COMMAND if said.startswith("/") else Kind.MESSAGE
    return replace(read, inbound=frame.with_parts(parts, spoken, _id_of(fields)))


def _parts(fields: dict[str, str], kind: str) -> tuple[Part, ...]:
    media = fields.get("MediaId", "")
    match kind:
        case "text":
            said = fields.get("Content", "")
            if _UNSUPPORTED in said[:20]:
                return (Unknown("unsupported", "{}"),)
            return (Text(said),) if said else ()
        case "voice":
            heard = fields.get("Recognition", "")
            return (Audio(media, _voice_mime(fields.get("Format", "")), heard),)
        case "image":
            return (Image(media),)
        case "video" | "shortvideo":
            return (File(media, "", "video/mp4"),)
        case "location":
            return (Text(_place(fields)),)
        case "link":
            lines = (fields.get(name, "") for name in ("Title", "Description", "Url"))
            return (Text("\n".join(line for line in lines if line)),)
        case _:
            return (Unknown(kind if kind in MESSAGE_TYPES else "unknown", "{}"),)


def _event(fields: dict[str, str], frame: _Frame) -> Read:
    event = fields.get("Event", "").lower()
    value = fields.get("EventKey", "")
    match event:
        case "subscribe":
            # The key of a scanned code says where the person comes from.
            came_by = (Text(value.removeprefix("qrscene_")),) if value else ()
            inbound = frame.with_parts(came_by, Kind.JOINED, None)
            return replace(frame.read, inbound=inbound, opens=Opens.TOUCH, greets=True)
        case "unsubscribe":
            return replace(frame.read, why="unsubscribed", left=True)
        case "location":
            where = (Text(_spot(fields, "Latitude", "Longitude")),)
            return replace(frame.read, inbound=frame.with_parts(where, Kind.FEEDBACK, None))
        case _ if event in _ROUTED and value:
            inbound = frame.with_parts((Text(value),), Kind.BUTTON, None)
            return replace(frame.read, inbound=inbound, opens=Opens.TOUCH)
        case _:
            return replace(
                frame.read, why=f"event {event}" if _is_known(event) else "unknown event"
            )


def _is_known(event: str) -> bool:
    # A count by name, but never by a name that somebody else chose.
    return event in EVENT_TYPES


def _key(fields: dict[str, str], kind: str) -> str:
    """MsgId where there is one; a missing one is never read as 0, which would join strangers."""
    number = _id_of(fields)
    if number is not None:
        return number
    if kind == "event":
        names = ("FromUserName", "CreateTime", "Event", "EventKey")
        return ":".join(fields.get(name, "") for name in names)
    said = "\0".join(f"{name}={fields[name]}" for name in sorted(fields))
    digest = hashlib.sha256(said.encode(errors="replace")).hexdigest()[:16]
    return f"{fields['FromUserName']}:{fields['CreateTime']}:{kind}:{digest}"


def _id_of(fields: dict[str, str]) -> str | None:
    number = fields.get("MsgId", "")
    return number if _is_number(number) and int(number) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 32


def _voice_mime(format: str) -> str:
    return f"audio/{format.lower()}" if format.isascii() and format.isalnum() else "audio/amr"


def _place(fields: dict[str, str]) -> str:
    spot = _spot(fields, "Location_X", "Location_Y")
    label = fields.get("Label", "")
    return f"📍 {label} ({spot.removeprefix('📍 ')})" if label else spot


def _spot(fields: dict[str, str], *names: str) -> str:
    return "📍 " + ", ".join(fields.get(name, "") for name in names)
