"""One SELECT as the operator wrote it, cut where its parameters stand.

What is refused here is refused with a sentence at the start; the wall is the database's own
read-only mode, which does not depend on how well this file reads SQL.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_PART = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)"
    r"|(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")"
    r"|(?P<cast>::)"
    r"|:(?P<parameter>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<escape>\b[eE](?='))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_$]*)"
    r"|(?P<placeholder>\$|\?(?![|&]))"
    r"|(?P<end>;)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_BEGINNINGS = ("select", "with")
_WRITING = set(
    "insert update delete merge drop alter create truncate grant revoke attach detach pragma "
    "vacuum copy call execute into reindex lock notify listen returning".split()
)


@dataclass(frozen=True, slots=True)
class Statement:
    """The SQL between the parameters, and the name of the one that follows each piece."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def named(self) -> str:
        """With `:name`, as SQLite binds it."""
        return self._joined([f":{name}" for name in self.names])

    @property
    def order(self) -> tuple[str, ...]:
        """Each name once, in the order of its number."""
        return tuple(dict.fromkeys(self.names))

    @property
    def numbered(self) -> str:
        """With `$1`, as PostgreSQL binds it."""
        return self._joined([f"${self.order.index(name) + 1}" for name in self.names])

    def _joined(self, marks: list[str]) -> str:
        return "".join(
            f"{piece}{mark}" for piece, mark in zip(self.pieces, [*marks, ""], strict=True)
        )


@cache
def read_statement(sql: str) -> Statement:
    """Read it.

    Raises:
        ValueError: it is not exactly one SELECT with parameters written `:name`.
    """
    pieces, names, words, ended = [""], list[str](), list[str](), False
    for kind, text in _parts(sql):
        if ended and kind != "comment" and text.strip():
            raise ValueError("only one statement is allowed, nothing after the ;")
        if kind == "parameter":
            names.append(text)
            pieces.append("")
            continue
        if kind == "end":
            ended = True
            continue
        _refuse(kind, text)
        if kind == "word":
            words.append(text.lower())
        pieces[-1] += " " if kind == "comment" else text
    if not words or words[0] not in _BEGINNINGS:
        raise ValueError(
            f"only a SELECT is allowed, not {words[0].upper() if words else 'nothing'}"
        )
    if writing := next((word for word in words if word in _WRITING), None):
        raise ValueError(
            f"only a SELECT is allowed, without {writing.upper()}; a name goes between quotes"
        )
    return Statement(tuple(pieces), tuple(names))


def _parts(sql: str) -> Iterator[tuple[str, str]]:
    for match in _PART.finditer(sql):
        kind = str(match.lastgroup)
        yield kind, match[kind]


def _refuse(kind: str, text: str) -> None:
    if kind == "placeholder":
        raise ValueError(f"write parameters as :name, and text between '…', not with {text}")
    if kind == "escape":
        raise ValueError("write text as '…', without E in front")
    if text in {"'", '"'}:
        raise ValueError("a quote is not closed")
