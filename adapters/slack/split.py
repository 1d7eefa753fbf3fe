"""A long text in pieces that each fit into one message and read well alone. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from adapters.slack.render import TEXT_LIMIT, as_typed, reach, size
from bot import REPEAT_ROOM, Audio, Citation, File, Image, Outbound, Part

_PARAGRAPH = re.compile(r"\n[ \t]*\n+")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)\]*_]*\s+|[。！？；…]+[\"”’」』）*_]*")
_WORD = re.compile(r"\s+|(?<=[,，、:：])")
_FENCE = re.compile(r"^ {0,3}(?P<marks>`{3,}|~{3,})(?P<rest>[^\n]*)$", re.MULTILINE)


def pieces(outbound: Outbound) -> Sequence[Outbound]:
    """One platform call each; buttons stand under the last, which knows whom they are for."""
    text = as_typed(outbound.text) + _sources(outbound.citations) + _attached(outbound.attachments)
    texts = split(text)
    if not texts and outbound.choices:
        texts = [""]
    last = len(texts) - 1
    return [
        replace(
            outbound,
            key=outbound.key if number == 0 else f"{outbound.key}/{number}",
            text=text,
            attachments=(),
            citations=(),
            choices=outbound.choices if number == last else (),
            reply_to=outbound.reply_to if number == 0 or _asks(outbound, number, last) else None,
        )
        for number, text in enumerate(texts)
    ]


def _asks(outbound: Outbound, number: int, last: int) -> bool:
    return number == last and bool(outbound.choices)


def split(text: str, limit: int = TEXT_LIMIT) -> list[str]:
    """Cut CommonMark into CommonMark of at most `limit` each.

    Each but the last has room for the mark of what is sent again.
    """
    found: list[str] = []
    rest, roomy = text, limit - min(REPEAT_ROOM, limit // 100)
    while rest.strip():
        if size(rest) <= limit:
            found.append(rest)
            break
        piece, rest = _cut(rest, roomy)
        found.append(piece)
    return found


def _cut(text: str, limit: int) -> tuple[str, str]:
    end = reach(text, limit)
    for place in _places(text, end):
        head, tail = _divide(text, place)
        if head.strip() and size(head) <= limit and len(tail) < len(text):
            return head, tail
    place = max(1, _whole_character(text, max(1, end // 2)))
    return text[:place], text[place:]


def _places(text: str, end: int) -> Iterator[int]:
    """Where to cut, best first: paragraphs, lines, sentences, words, anywhere."""
    half = end * 2 // 5
    for pattern in (_PARAGRAPH, _LINE, _SENTENCE, _WORD):
        places = [match.end() for match in pattern.finditer(text, half, end)]
        outside = [place for place in reversed(places) if _open_fence(text, place) is None]
        yield from outside
        if pattern is _LINE:
            yield from reversed(places)
    for shorter in (0, 16, 64, 256):
        if shorter < end:
            yield _whole_character(text, end - shorter)


def _divide(text: str, place: int) -> tuple[str, str]:
    fence = _open_fence(text, place)
    if fence is None:
        return text[:place].rstrip(), text[place:].lstrip("\n")
    opening, marks = fence
    return f"{text[:place].rstrip()}\n{marks}", f"{opening}\n{text[place:]}"


def _open_fence(text: str, place: int) -> tuple[str, str] | None:
    """The line and the marks of the code block that is open there."""
    opened: tuple[str, str] | None = None
    for match in _FENCE.finditer(text, 0, place):
        marks, rest = match["marks"], match["rest"]
        if opened is None:
            opened = (match[0], marks)
        elif marks.startswith(opened[1]) and not rest.strip():
            opened = None
    return opened


def _whole_character(text: str, place: int) -> int:
    """The nearest place before that does not tear an emoji or an accented letter."""
    for start in range(place, max(place - 64, 0), -1):
        if not _joined(text, start):
            return start
    return place


def _joined(text: str, place: int) -> bool:
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    return (
        before == "\u200d"
        or after in "\u200d\ufe0e\ufe0f\u20e3"
        or unicodedata.category(after) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or ("\U0001f1e6" <= before <= "\U0001f1ff" and "\U0001f1e6" <= after <= "\U0001f1ff")
    )


def _sources(citations: Sequence[Citation]) -> str:
    lines = [
        f"{number}. [{_plain(citation.title)}](<{citation.url}>)"
        if citation.url
        else f"{number}. {_plain(citation.title)}"
        for number, citation in enumerate(citations, 1)
    ]
    return "\n\n" + "\n".join(lines) if lines else ""


def _attached(parts: Sequence[Part]) -> str:
    """Links to what is attached: files of our own are not uploaded."""
    lines = []
    for part in parts:
        if isinstance(part, Image | Audio | File) and part.ref.startswith(("https://", "http://")):
            name = part.name if isinstance(part, File) else ""
            name = part.caption if isinstance(part, Image) else name
            lines.append(f"[{_plain(name) or part.ref}](<{part.ref}>)")
    return "\n\n" + "\n".join(lines) if lines else ""


def _plain(title: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|~$!])", r"\\\1", " ".join(title.split()))
