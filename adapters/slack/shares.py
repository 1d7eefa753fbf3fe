"""What somebody passes on: messages of others, forwarded with words of their own or without."""

import msgspec

from adapters.slack.events import Attachment, File, Message
from adapters.slack.words import readable
from bot import Text, Unknown

LIMIT = 12_000
"""Characters of what one message passes on: as much as one of ours may hold."""

_UNREAD = Unknown("forwarded", '{"kind":"forwarded"}')


def shares(said: Message) -> list[Attachment]:
    """The messages that were forwarded with it; the preview of a link is none."""
    found = said.attachments if isinstance(said.attachments, list) else []
    return [share for raw in found if (share := _read(raw)) is not None and share.is_share]


def passed_on(said: Message) -> tuple[Text | Unknown, ...]:
    """Their words, quoted: whoever forwards a command or a yes has not given it himself."""
    found = shares(said)
    quotes, room = [], LIMIT
    for share in found:
        words = _words(share)[: room + 1]
        if words and room > 0:
            quotes.append(Text(_quote(words if len(words) <= room else f"{words[:room]}…")))
            room -= len(words)
    if quotes or not found or files_passed_on(said):
        return tuple(quotes)
    return (_UNREAD,)


def files_passed_on(said: Message) -> list[File]:
    """The files that came with them."""
    return [file for share in shares(said) for file in share.files or () if file.is_there]


def content(said: Message) -> tuple[object, ...]:
    """All that we read of a message, to be compared with what it says after an edit."""
    files = [file.id for file in (*(said.files or ()), *files_passed_on(said))]
    return said.text or "", files, passed_on(said)


def _read(raw: object) -> Attachment | None:
    try:
        return msgspec.convert(raw, Attachment)
    except msgspec.ValidationError:
        return None


def _words(share: Attachment) -> str:
    # Of a picture without words, the fallback only says by whom and when it was sent.
    return readable(share.text or ("" if share.files else share.fallback) or "")


def _quote(words: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in words.splitlines())
