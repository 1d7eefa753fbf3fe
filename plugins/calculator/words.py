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
    {"½": ".5", "¼": ".25", "¾": ".75", "×": "*", "✕": "*", "∗": "*"}
    | {"⋅": "*", "·": "*", "÷": "/", "∕": "/", "−": "-", "–": "-", "—": "-", "^": "**"}
    | {"√": " sqrt ", "π": " pi ", "、": ",", "。": " ", "“": " ", "”": " ", "’": " ", "'": " "}
)
_DIGITS = "零一二三四五六七八九"
_ARABIC = str.maketrans(_DIGITS, "0123456789")
_POWERS = {"十": 1, "百": 2, "千": 3, "万": 4, "亿": 8}
# A whole run at once: of 10²³ each sign alone would be a power of its own.
_RAISED = re.compile("[⁰¹²³⁴-⁹⁺⁻]+")
_CHINESE = re.compile(r"(?:\d+(?:\.\d+)?|[零〇一二两三四五六七八九十百千万亿点])+")
# A digit that counts tenths has no decimals: 一千二点五 could be two numbers.
_AMOUNT = re.compile(
    r"(?P<whole>[^点]+)(?:(?<![百千万亿][一二三四五六七八九\d])点"
    r"(?P<decimals>[零一二三四五六七八九\d]+)(?P<units>[百千万亿]*)|点)?"
)
_DECIMAL = re.compile(r"\d+\.?\d*|\.\d+")
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
    before = rf"(?:\.?\d[\d,.]*\s*(?=(?:{'|'.join(read['scales'])})\b))?"
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
    text = _RAISED.sub(lambda match: _power(match[0]), text[: LONGEST + 1])
    text = unicodedata.normalize("NFKC", text.translate(_SYMBOLS))
    text = text.translate(_SYMBOLS).lower()
    for pattern, meant in words.first:
        text = pattern.sub(meant, text)
    text = words.numbers.sub(lambda match: _english_number(match[0], words), text)
    text = _CHINESE.sub(lambda match: _chinese_number(match[0]), text)
    text = re.sub(r"\s+", " ", text)
    for pattern, meant in words.then:
        text = pattern.sub(meant, text)
    return text.lstrip(" ?!=,:;").rstrip(" ?!=.,:;")


def _power(raised: str) -> str:
    """⁻⁶ is **-6; a sum up there belongs into brackets."""
    said = unicodedata.normalize("NFKC", raised)
    return f"**({said})" if re.search(r"\d[+−]", said) else f"**{said} "


def _english_number(said: str, words: Words) -> str:
    total, group = Fraction(0), Fraction(0)
    for word in re.split(r"[\s-]+", said.replace(",", "").strip()):
        if word in words.units:
            group += words.units[word]
        elif word == "hundred":
            group = (group or Fraction(1)) * 100
        elif word in words.scales:
            total, group = total + (group or Fraction(1)) * words.scales[word], Fraction(0)
        elif _DECIMAL.fullmatch(word):
            group += Fraction(word.rstrip("."))
        elif word != "and":
            return said
    return decimal_text(total + group) or said


def _chinese_number(said: str) -> str:
    """三十五 is 35, 八五 is 85, 三点一四 is 3.14, 3万5千 is 35000; the rest is left alone."""
    text = said.replace("〇", "零").replace("两", "二")
    parts = _AMOUNT.fullmatch(text)
    if parts is None or not re.search(rf"[\d{_DIGITS}十]", parts["whole"]):
        return said
    whole, decimals, units = parts["whole"], parts["decimals"], parts["units"]
    try:
        value = _whole(whole)
        if value and decimals:
            value = f"{value}.{decimals.translate(_ARABIC)}"
        if value and units:
            value = decimal_text(Fraction(value) * 10 ** sum(_POWERS[unit] for unit in units))
    except ValueError:
        return said
    return value or said


def _whole(text: str) -> str:
    has_units = re.search("[十百千万亿]", text)
    return decimal_text(_amount(text)) if has_units else text.translate(_ARABIC)


def _amount(text: str, behind: int = 10) -> Fraction:
    """The value of what stands behind a unit.

    A last digit right behind it counts tenths of it: 三万五 is 35000, 三万零五 is 30005.

    Raises:
        ValueError: two numbers stand side by side.
    """
    for unit in ("亿", "万"):
        above, found, below = text.rpartition(unit)
        if found:
            worth: int = 10 ** _POWERS[unit]
            return (_amount(above) if above else 1) * worth + _amount(below, worth)
    total = Fraction(0)
    number: Fraction | None = None
    for sign in re.findall(r"\d+(?:\.\d+)?|.", text):
        if sign in _POWERS:
            behind = 10 ** _POWERS[sign]
            total, number = total + (1 if number is None else number) * behind, None
        elif number is not None:
            raise ValueError(text)
        elif sign == "零":
            behind = 10
        else:
            number = Fraction(sign.translate(_ARABIC))
            behind = behind if len(sign) == 1 else 10
    return total if number is None else total + number * behind / 10
