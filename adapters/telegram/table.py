"""A table as lines of equal columns, for a font in which every character is as wide. Pure."""

import unicodedata


def aligned(rows: list[list[str]]) -> str:
    """The first row is the head; East Asian characters count as two columns."""
    columns = max((len(row) for row in rows), default=0)
    filled = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(_width(row[column]) for row in filled) for column in range(columns)]
    lines = [" | ".join(map(_padded, row, widths)).rstrip() for row in filled]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(lines)


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
