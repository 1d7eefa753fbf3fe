"""A text with its markup, counted as Telegram counts: in UTF-16 units. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace
from telegramify_markdown import utf16_len

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Mark(Struct, frozen=True, omit_defaults=True):
    """An entity as it goes over the wire; the library's own class costs ten times as much."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text as it will show, and its markup. Offsets count UTF-16 units."""

    text: str
    entities: tuple[Mark, ...] = ()

    @property
    def units(self) -> int:
        return utf16_len(self.text)


def clean(text: str) -> str:
    """Without what no client shows: control characters, halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def clipped(marks: Iterable[Mark], start: int, end: int, shift: int = 0) -> tuple[Mark, ...]:
    """The marks of a stretch of the text, counted from `shift` before its beginning."""
    kept = [
        replace(
            mark,
            offset=max(mark.offset, start) - start + shift,
            length=min(mark.offset + mark.length, end) - max(mark.offset, start),
        )
        for mark in marks
        if mark.offset < end and mark.offset + mark.length > start
    ]
    kept.sort(key=lambda mark: (mark.offset, -mark.length))
    return tuple(kept)


def units_between(text: str, start: int, end: int | None = None) -> str:
    """A stretch counted in UTF-16 units; half a surrogate pair at an edge falls away."""
    stop = None if end is None else 2 * end
    return text.encode("utf-16-le")[2 * start : stop].decode("utf-16-le", "ignore")
