"""Text as it is put down piece by piece, and the marks over it, in UTF-16 units. Pure."""

from dataclasses import dataclass
from typing import Any

from telegramify_markdown import utf16_len

from adapters.telegram.marks import Mark, Rendered, clipped


@dataclass(slots=True)
class Scope:
    """A stretch whose markup has begun; one that is not `shown` leaves no mark."""

    kind: str
    start: int
    url: str | None = None
    language: str | None = None
    shown: bool = True


class Writing:
    """Writes the text and remembers where markup began.

    Line breaks between blocks wait in `_gap` until something follows, so that no entity and no
    text ends in an empty line. While `code` or `cell` is a list, text is collected there instead.
    """

    def __init__(self) -> None:
        self.marker = ""
        self.code: list[str] | None = None
        self.cell: list[str] | None = None
        self._out: list[str] = []
        self._units = 0
        self._gap = 0
        self._open: list[Scope] = []
        self._marks: list[Mark] = []

    def rendered(self) -> Rendered:
        """All of it."""
        text = "".join(self._out)
        # What ends in white space is cut by the platform, and entities must end with the text.
        bare = text.rstrip()
        limit = utf16_len(bare)
        if limit == self._units:
            return Rendered(bare, tuple(sorted(self._marks, key=_place)))
        return Rendered(bare, clipped(self._marks, 0, limit))

    # -- text --------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Put down a text, behind the line breaks and the marker that waited for it."""
        if self.code is not None:
            self.code.append(text)
        elif self.cell is not None:
            self.cell.append(text)
        elif text:
            self.flush()
            self._put(text)

    def flush(self) -> None:
        """Write the line breaks and the list marker that were waiting for something to follow."""
        if self._gap and self._out:
            self._put("\n" * self._gap)
        self._gap = 0
        if self.marker:
            marker, self.marker = self.marker, ""
            self._put(marker)

    def end_line(self, lines: int) -> None:
        """What follows stands so many lines below, at least."""
        self._gap = max(self._gap, lines)

    def _put(self, text: str) -> None:
        self._out.append(text)
        self._units += utf16_len(text)

    # -- marks -------------------------------------------------------------------------------

    def push(self, kind: str, **more: Any) -> None:
        """Markup begins."""
        if self.cell is None:
            self.flush()
        self._open.append(Scope(kind, self._units, **more))

    def pop(self) -> Scope:
        """The markup that began last ends; a stretch without text leaves no mark."""
        scope = self._open.pop()
        length = self._units - scope.start
        if scope.shown and length > 0 and self.cell is None:
            mark = Mark(scope.kind, scope.start, length, scope.url, scope.language)
            self._marks.append(mark)
        return scope

    def marked(self, kind: str, text: str) -> None:
        """A text with a mark of its own; a table's cells have none."""
        if self.cell is not None:
            self.cell.append(text)
            return
        self.push(kind)
        self.write(text)
        self.pop()

    def is_in(self, kind: str) -> bool:
        """Whether such markup is under way."""
        return any(scope.kind == kind for scope in self._open)

    @property
    def bare(self) -> Scope | None:
        """The markup that began last, while there is no text in it."""
        scope = self._open[-1]
        return scope if scope.start == self._units and self.cell is None else None


def _place(mark: Mark) -> tuple[int, int]:
    return mark.offset, -mark.length
