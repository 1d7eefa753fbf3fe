"""Marks beside Chinese punctuation, which parsers of CommonMark would leave as asterisks. Pure."""

import re
import unicodedata

SIGN = "\u2e12"
"""A mark of punctuation that nobody writes any more: between two of them, asterisks may begin
something and end it."""

# One asterisk between Chinese brackets is a product: 数量*（1+税率）*单价
_RUN = re.compile(r"(?<=[^\s\\*~])(?:\*{2,3}|~~)(?=[^\s*~])")


def with_signs(markdown: str) -> str:
    """Signs on both sides of the marks to which CommonMark gives one role for want of a space.

    `**注意：**请看` would not end, and `他说**“好”**吧` not begin: between words and punctuation a
    space is expected, which is not written beside Chinese. The rule is that of the amendment
    "CJK-friendly". Where the sign is part of the text, the text stays as it is.
    """
    return markdown if SIGN in markdown else _RUN.sub(_between_signs, markdown)


def _between_signs(run: re.Match[str]) -> str:
    before, after = run.string[run.start() - 1], run.string[run.end()]
    has_one_role = _is_punctuation(before) != _is_punctuation(after)
    beside_chinese = _is_wide(before) or _is_wide(after)
    return f"{SIGN}{run[0]}{SIGN}" if has_one_role and beside_chinese else run[0]


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
