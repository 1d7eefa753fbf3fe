"""What a sentence is made of, for a reader without a language model: tokens, stems, kinds."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Language = Literal["en", "zh"]


class Shape(StrEnum):
    """What a token looks like, whatever it means."""

    NUMBER = "number"
    CLOCK = "clock"
    DATE = "date"
    CODE = "code"
    SIGN = "sign"
    WORD = "word"
    NAME = "name"
    HAN = "han"
    SMALL = "small"
    MARK = "mark"


FIGURES = frozenset({Shape.NUMBER, Shape.CODE, Shape.DATE, Shape.CLOCK})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a sentence: what it is compared by, its look, and where it stands."""

    stem: str
    shape: Shape
    start: int
    end: int


_TOKEN = re.compile(
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2}(?:T[\d:]+)?)"
    r"|(?P<clock>\d{1,2}(?:[:：]\d{2}){1,2}(?:\s?[ap]\.?m\b\.?)?"
    r"|\d{1,2}\s?(?:[ap]\.?m\b\.?|o['’]clock)|\b(?:noon|midnight)\b"
    r"|(?:凌晨|清晨|早上|早晨|上午|中午|正午|下午|傍晚|晚上|夜里|半夜)?"
    r"(?:\d{1,2}|[一二三四五六七八九十两]{1,3})[点點时]"
    r"(?![一二三四五六七八九十](?!分|刻)|间|差|候)"
    r"(?:半|整|[\d一二三四五六七八九十]{1,3}[分刻])?钟?)"
    r"|(?P<phrase>请问|麻烦|劳驾|帮忙|帮我|告诉我?|知道|一下|什么|哪里|哪儿|这里|那里|那边|这边|怎么样?|怎样|如何|多少|是否|可以"
    r"|能否|目前|当前|此刻|现在|今天|明天|时候|需要|应该|我们|你们|他们|咱们)"
    r"|(?P<code>(?<!\d)[A-Za-z]+[-_#]?\d[\w-]*|\d+[-_][A-Za-z][\w-]*|#\d+)"
    r"|(?P<number>\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)"
    r"|(?P<tail>['’](?:s|re|ll|d|ve|m|t)\b)"
    r"|(?P<han>[\u3400-\u9fff\uf900-\ufaff])"
    r"|(?P<word>[^\W\d_\u3400-\u9fff\uf900-\ufaff]+(?:[-’'](?!(?:s|re|ll|d|ve|m|t)\b)"
    r"[^\W\d_\u3400-\u9fff\uf900-\ufaff]+)*)"
    r"|(?P<sign>[-+*/×÷^=%$€£¥√−·!()（）＋＊／％])"
    r"|(?P<mark>\S)",
    re.IGNORECASE,
)
_SHAPES = {
    "date": Shape.DATE,
    "clock": Shape.CLOCK,
    "code": Shape.CODE,
    "number": Shape.NUMBER,
    "tail": Shape.SMALL,
    "phrase": Shape.SMALL,
    "sign": Shape.SIGN,
    "mark": Shape.MARK,
}

# Words that hold sentences together and hardly ever are what a sentence is about.
_SMALL = frozenset(
    """a about again ah all also am an and any anyone are as at be been but by can can't could did
    do does doing done for from get give got had has have he help her here hey hi him his
    how i if in into is it its just kindly know let like make may me might mine moment more
    much must my
    need now of off oh ok okay on once one's or our out over own per please quick quickly really
    right shall she should show so some tell than thank thanks that the their them then there
    these they this those to today too up us use very want was we were what what's when where
    which while who why will with would yes yet you your""".split()
)
_SMALL_HAN = frozenset(
    "的了吗呢吧啊呀啦嘛哦请帮我你您他她它们是在有把给和跟与或向对为及这那哪个些不没会能要想问从到看查去来"
)
_COUNTED = """zero one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen sixteen seventeen eighteen nineteen twenty""".split()
_NUMBER_WORDS = frozenset(_COUNTED) | frozenset(
    """thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half
    quarter dozen""".split()
)
_HAN_COUNTED = "零一二三四五六七八九十"
_HAN_NUMBERS = frozenset("零〇一二三四五六七八九十百千万亿两半")
# After these a 一 counts nothing: 一下, 一个, 一些, 一样, 一起.
_NOT_COUNTED = frozenset("下个些样起直般共定")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile("[A-Za-z]")


def tokens_of(text: str) -> list[Token]:
    """The tokens of a sentence, in order; white space is none."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "mark"
        raw = match.group()
        if kind == "word":
            found.append(_word(raw, match.start(), first=not found))
        elif kind == "han":
            found.append(_han(text, match.start()))
        else:
            stem = unicodedata.normalize("NFKC", raw).lower()
            found.append(Token(stem, _SHAPES[kind], match.start(), match.end()))
    return found


def has_figure(tokens: Sequence[Token]) -> bool:
    """Whether a number, a time, a date or a code is among them."""
    return any(token.shape in FIGURES for token in tokens)


def language_of(text: str, otherwise: str) -> Language:
    """By the script that it is written in; `otherwise` is a locale for text without letters."""
    if _HAN.search(text):
        return "zh"
    if _LATIN.search(text):
        return "en"
    return "zh" if otherwise.lower().startswith("zh") else "en"


def number_of(text: str) -> float | None:
    """A number in digits, or a small one in words."""
    text = unicodedata.normalize("NFKC", text).strip().lower()
    if text in _COUNTED:
        return float(_COUNTED.index(text))
    if len(text) == 1 and text in _HAN_COUNTED:
        return float(_HAN_COUNTED.index(text))
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return 2.0 if text == "两" else None


def _word(raw: str, start: int, *, first: bool) -> Token:
    lower = unicodedata.normalize("NFKC", raw).lower().replace("’", "'")
    end = start + len(raw)
    if lower in _NUMBER_WORDS:
        return Token(lower, Shape.NUMBER, start, end)
    if lower in _SMALL:
        return Token(lower, Shape.SMALL, start, end)
    # Every sentence begins with a capital letter; only inside one does it mark a name.
    named = raw[0].isupper() and (not first or (len(raw) > 1 and raw.isupper()))
    return Token(stem_of(lower), Shape.NAME if named else Shape.WORD, start, end)


def _han(text: str, at: int) -> Token:
    sign = text[at]
    shape = Shape.HAN
    if sign in _HAN_NUMBERS and not (sign == "一" and text[at + 1 : at + 2] in _NOT_COUNTED):
        shape = Shape.NUMBER
    elif sign in _SMALL_HAN:
        shape = Shape.SMALL
    return Token(sign, shape, at, at + 1)


def stem_of(word: str) -> str:
    """A word without its commonest English endings: enough to meet its own other forms."""
    for ending, least, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word.removesuffix(ending) + instead
            break
    # sunny and sun, dividing and divide
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeiousl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


_ENDINGS = (
    ("ations", 3, "at"),
    ("ation", 3, "at"),
    ("ators", 3, "at"),
    ("ator", 3, "at"),
    ("ions", 4, ""),
    ("ion", 4, ""),
    ("ings", 3, ""),
    ("ing", 3, ""),
    ("ies", 2, "y"),
    ("ied", 2, "y"),
    ("ily", 3, "y"),
    ("ers", 4, ""),
    ("er", 4, ""),
    ("ed", 3, ""),
    ("ly", 4, ""),
    ("es", 4, ""),
    ("'s", 2, ""),
    ("s", 3, ""),
)
