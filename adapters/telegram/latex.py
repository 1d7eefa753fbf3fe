"""Formulas: the brackets that models put around them, and how they read as plain text. Pure."""

import re

import pyromark
from telegramify_markdown import convert

OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_MATH
)

_MATH = re.compile(r"\\\((?P<inline>[^\n]{1,300}?)\\\)|\\\[(?P<block>.{1,1000}?)\\\]", re.DOTALL)
_FORMULA = re.compile(r"[\\^_=]")


def readable(formula: str) -> str:
    """A fraction as a/b, a sum as ∑ᵢ; "" when nothing of it can be read."""
    return convert(f"${formula.strip()}$")[0].strip()


def with_dollars(markdown: str) -> str:
    """Write LaTeX's own brackets as dollars, which the parser knows; code stays as it is."""
    if "\\(" not in markdown and "\\[" not in markdown:
        return markdown
    data, parts, at = markdown.encode(), list[str](), 0
    for event, place in pyromark.events_with_range(markdown, options=OPTIONS):
        if isinstance(event, dict) and ("Code" in event or _is_code_block(event.get("Start"))):
            parts.append(_MATH.sub(_dollars, data[at : place["start"]].decode()))
            parts.append(data[place["start"] : place["end"]].decode())
            at = place["end"]
    parts.append(_MATH.sub(_dollars, data[at:].decode()))
    return "".join(parts)


def _dollars(match: re.Match[str]) -> str:
    formula = (match["inline"] or match["block"]).strip()
    # The same signs escape a bracket in CommonMark: `\[1\]` is no formula.
    if not _FORMULA.search(formula) or "\n\n" in formula:
        return match[0]
    return f"${formula}$" if match["inline"] is not None else f"$${formula}$$"


def _is_code_block(tag: object) -> bool:
    return isinstance(tag, dict) and "CodeBlock" in tag
