"""What a message holds, as parts. Pure."""

import msgspec

from adapters.telegram.updates import Media, Message
from bot import Audio, File, Image, Part, Text, Unknown

_UNKNOWN = ("poll", "dice", "story", "game", "checklist", "paid_media")
_RAW_LIMIT = 4000


def parts_of(message: Message, words: str) -> tuple[Part, ...]:
    """The parts of a message whose text or caption is `words`; none for a service message."""
    if message.text is not None:
        return (Text(words),) if words else ()
    if message.photo:
        # The sizes grow; the last one is the picture itself.
        return (Image(message.photo[-1].file_id, caption=words),)
    media = _media(message) or _said(message)
    if media is None:
        return ()
    return (media, Text(words)) if words else (media,)


def _media(message: Message) -> Part | None:
    if message.voice is not None:
        return Audio(message.voice.file_id, message.voice.mime_type or "audio/ogg")
    if message.audio is not None:
        return Audio(message.audio.file_id, message.audio.mime_type or "audio/mpeg")
    # An animation is also given as a document, for clients that know none.
    for media, mime in (
        (message.animation, "video/mp4"),
        (message.video, "video/mp4"),
        (message.video_note, "video/mp4"),
        (message.document, "application/octet-stream"),
    ):
        if media is not None:
            return _file(media, mime)
    return None


def _file(media: Media, default: str) -> Part:
    mime = media.mime_type or default
    if mime.startswith("image/"):
        return Image(media.file_id, mime)
    return File(media.file_id, media.file_name, mime, media.file_size)


def _said(message: Message) -> Part | None:
    """What can be put into words is; the rest is kept as it came."""
    if message.location is not None:
        return Text(_place(message))
    if message.contact is not None:
        name = f"{message.contact.first_name} {message.contact.last_name}".strip()
        return Text(f"👤 {name} {message.contact.phone_number}".strip())
    if message.sticker is not None:
        emoji = message.sticker.emoji
        return Text(emoji) if emoji else Unknown("sticker", "{}")
    for kind in _UNKNOWN:
        raw = getattr(message, kind)
        if raw is not None:
            text = msgspec.json.encode(raw).decode()
            return Unknown(kind, text if len(text) <= _RAW_LIMIT else "{}")
    return None


def _place(message: Message) -> str:
    assert message.location is not None
    spot = f"{message.location.latitude:.6f}, {message.location.longitude:.6f}"
    if message.venue is None:
        return f"📍 {spot}"
    named = ", ".join(part for part in (message.venue.title, message.venue.address) if part)
    return f"📍 {named} ({spot})" if named else f"📍 {spot}"
