"""Code fences and tables: what cannot be cut without being opened again. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(
    r"(?P<prefix>[ \t]*(?:>[ \t]?)*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)"
    r"(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)"
)
_DELIMITER = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_MARKER = re.compile(r"[-*+]|\d{1,9}[.)]")


@dataclass(frozen=True, slots=True)
class Block:
    """A fence or a table; `body` is where its first line of content begins, `end` where it ends.

    To go on with it in another message, `opening` is written before the rest and `closing`
    behind what came before. `indent` is how far its content stood to the right.
    """

    body: int
    end: int
    opening: str
    closing: str = ""
    indent: int = 0

    @property
    def is_fence(self) -> bool:
        return bool(self.closing)


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str


def blocks(text: str, upto: int) -> list[Block]:
    """Every fence and table that begins before `upto`, in order."""
    found: list[Block] = []
    lines = list(_lines(text))
    at = 0
    while at < len(lines) and lines[at].start < upto:
        block, after = _fence(text, lines, at)
        if block is None:
            block, after = _table(lines, at)
        if block is not None:
            found.append(block)
        at = after
    return found


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in _split(text):
        yield _Line(start, start + len(line), line.rstrip("\n"))
        start += len(line)


def _split(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _fence(text: str, lines: list[_Line], at: int) -> tuple[Block | None, int]:
    match = _FENCE.fullmatch(lines[at].text)
    if match is None:
        return None, at + 1
    fence = match["fence"]
    last = at + 1
    while last < len(lines) and not _closes(lines[last].text, fence):
        last += 1
    end = lines[last].start if last < len(lines) else len(text)
    # A list marker is not repeated; what stood under it moves to the left margin.
    quoted = ">" in match["prefix"]
    prefix = _MARKER.sub("", match["prefix"]).rstrip() + " " if quoted else ""
    block = Block(
        body=lines[at].end,
        end=end,
        opening=f"{prefix}{fence}{match['info'].rstrip()}\n",
        closing=f"\n{prefix}{fence}" if quoted else f"\n{' ' * len(match['prefix'])}{fence}",
        indent=0 if quoted else len(match["prefix"]),
    )
    return block, last + 1


def _closes(line: str, fence: str) -> bool:
    bare = line.lstrip("> \t").rstrip()
    return len(bare) >= len(fence) and set(bare) == {fence[0]}


def _table(lines: list[_Line], at: int) -> tuple[Block | None, int]:
    if at + 1 >= len(lines) or "|" not in lines[at].text or "|" not in lines[at + 1].text:
        return None, at + 1
    if not _DELIMITER.fullmatch(lines[at + 1].text):
        return None, at + 1
    last = at + 2
    while last < len(lines) and "|" in lines[last].text:
        last += 1
    head = f"{lines[at].text}\n{lines[at + 1].text}\n"
    return Block(body=lines[at + 1].end, end=lines[last - 1].end, opening=head), last
