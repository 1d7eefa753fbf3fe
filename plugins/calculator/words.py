"""From what people say to the signs that they mean."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from plugins.calculator.numbers import decimal_text

LONGEST = 500
"""Characters of an expression."""

_SYMBOLS = str.maketrans(
    {"²": "**2", "³": "**3", "½": ".5", "¼": ".25", "¾": ".75", "×": "*", "✕": "*", "∗": "*"}
    | {"⋅": "*", "·": "*", "÷": "/", "∕": "/", "−": "-", "–": "-", "—": "-", "^": "**"}
    | {"√": " sqrt ", "π": " pi ", "、": ",", "。": " ", "“": " ", "”": " ", "’": " ", "'": " "}
)
_DIGITS = "零一二三四五六七八九"
_CHINESE = re.compile("[零〇一二两三四五六七八九十百千万亿点]+")
_MIXED = re.compile(r"(?:\d+(?:\.\d+)?[百千万亿]+)+")
_POWERS = {"百": 2, "千": 3, "万": 4, "亿": 8}
# Never begun within another number and never taken back: a row of 500 digits is read once.
_NUMBER = r"(?<![\d.,])[$€£¥]?(?>\d[\d,]*\.?\d*|\.\d+)%?"


@dataclass(frozen=True, slots=True)
class Currency:
    shown: str
    places: int


@dataclass(frozen=True, slots=True)
class Words:
    """What the data file beside this one says."""

    first: Sequence[tuple[re.Pattern[str], str]]
    then: Sequence[tuple[re.Pattern[str], str]]
    numbers: re.Pattern[str]
    units: Mapping[str, int]
    scales: Mapping[str, int]
    currencies: Mapping[str, Currency]


@cache
def read_words() -> Words:
    """Read the file beside this one, once."""
    file = Path(__file__).with_name("words.toml")
    read = tomllib.loads(file.read_text(encoding="utf-8"))
    first, then = (
        [(re.compile(said.replace("N", _NUMBER)), meant) for said, meant in read[key]]
        for key in ("first", "then")
    )
    word = rf"(?:{'|'.join([*read['units'], *read['scales']])})\b"
    before = rf"(?:\d[\d,.]*\s*(?=(?:{'|'.join(read['scales'])})\b))?"
    return Words(
        first,
        then,
        re.compile(rf"{before}\b{word}(?:[\s-]+(?:and\s+)?{word})*"),
        read["units"],
        read["scales"],
        {
            written: Currency(one["shown"], one["places"])
            for one in read["currencies"]
            for written in one["written"]
        },
    )


def make_plain(text: str) -> str:
    """Write what was said with digits and signs; what is not understood stays."""
    words = read_words()
    # Before NFKC, which makes 5² a 52.
    text = unicodedata.normalize("NFKC", text[: LONGEST + 1].translate(_SYMBOLS))
    text = text.translate(_SYMBOLS).lower()
    for pattern, meant in words.first:
        text = pattern.sub(meant, text)
    text = words.numbers.sub(lambda match: _english_number(match[0], words), text)
    text = _MIXED.sub(lambda match: _mixed_number(match[0]), text)
    text = _CHINESE.sub(lambda match: _chinese_number(match[0]), text)
    text = re.sub(r"\s+", " ", text)
    for pattern, meant in words.then:
        text = pattern.sub(meant, text)
    return text.lstrip(" ?!=,:;").rstrip(" ?!=.,:;")


def _english_number(said: str, words: Words) -> str:
    total, group = Fraction(0), Fraction(0)
    for word in re.split(r"[\s-]+", said.replace(",", "").strip()):
        if word in words.units:
            group += words.units[word]
        elif word == "hundred":
            group = (group or Fraction(1)) * 100
        elif word in words.scales:
            total, group = total + (group or Fraction(1)) * words.scales[word], Fraction(0)
        elif word != "and":
            group += Fraction(word.rstrip("."))
    return decimal_text(total + group)


def _mixed_number(text: str) -> str:
    """3万5千 is 35000."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([百千万亿]+)", text)
    return decimal_text(
        sum(
            (Fraction(n) * 10 ** sum(_POWERS[unit] for unit in units[:4]) for n, units in parts),
            Fraction(0),
        )
    )


def _chinese_number(text: str) -> str:
    """三十五 is 35, 八五 is 85, 三点一四 is 3.14; a lone unit or point is left alone."""
    text = text.replace("〇", "零").replace("两", "二")
    whole, point, decimals = text.partition("点")
    if not re.search(rf"[{_DIGITS}十]", whole) or "点" in decimals:
        return text
    if re.search(r"[十百千万亿]", whole):
        value = str(_chinese_whole(whole))
    else:
        value = "".join(str(_DIGITS.index(digit)) for digit in whole)
    digits = "".join(str(_DIGITS.index(digit)) for digit in decimals if digit in _DIGITS)
    return f"{value}.{digits}" if point and digits else value


def _chinese_whole(text: str) -> int:
    for unit, power in (("亿", 8), ("万", 4)):
        above, found, below = text.rpartition(unit)
        if found:
            whole: int = (_chinese_whole(above) or 1) * 10**power
            return whole + _chinese_whole(below)
    total, digit = 0, 0
    for sign in text:
        if sign in _DIGITS:
            digit = _DIGITS.index(sign)
        else:
            total, digit = total + (digit or 1) * {"十": 10, "百": 100, "千": 1000}[sign], 0
    return total + digit
