"""A sum as a row of signs: numbers, operators, brackets, names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from plugins.calculator.numbers import Wrong
from plugins.calculator.operations import CONSTANTS, FUNCTIONS
from plugins.calculator.words import Currency, read_words

_KNOWN = {*FUNCTIONS, *CONSTANTS, "mod", "off"}
_TOKEN = re.compile(
    r"\s*(?:(?P<grouped>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,]))"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
    r"|(?P<sign>\*\*|//|[-+*/%(),])"
    r"|(?P<money>(?:us|hk)?\$|[€£¥₹元])"
    r"|(?P<word>[a-z]+))"
)
_PLAIN_NUMBER = re.compile(r"\s*(?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str


def read_tokens(text: str) -> list[Token]:
    """The signs of a sum.

    Raises:
        Wrong: something in it is none.
    """
    tokens: list[Token] = []
    # Within a function's brackets a comma always parts arguments, never thousands.
    calls: list[bool] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unreadable(text[position:].strip())
        kind = str(match.lastgroup)
        if kind == "grouped" and any(calls):
            match = _PLAIN_NUMBER.match(text, position)
            assert match is not None
            kind = "number"
        token = Token(kind, match[kind])
        if token.text == "(":
            calls.append(bool(tokens) and tokens[-1].text in FUNCTIONS)
        elif token.text == ")" and calls:
            calls.pop()
        tokens.append(_named(token))
        position = match.end()
    return tokens


def _named(token: Token) -> Token:
    if token.kind == "word" and token.text in read_words().currencies:
        return Token("money", token.text)
    if token.kind == "grouped":
        return Token("number", token.text.replace(",", ""))
    if token.kind == "word" and token.text not in _KNOWN:
        raise _unreadable(token.text)
    return token


def _unreadable(rest: str) -> Wrong:
    what = rest[:12]
    return Wrong(
        f"{what!r} is not part of a sum; write it with digits, + - * / ** % and brackets",
        f"看不懂 {what!r}，请用数字、+ - * / ** % 和括号来写",
    )


def currency_of(tokens: Sequence[Token]) -> Currency | None:
    """The one currency of a sum, if it has one.

    Raises:
        Wrong: it has two.
    """
    currencies = read_words().currencies
    found = {currencies[token.text] for token in tokens if token.kind == "money"}
    if len(found) > 1:
        raise Wrong("two currencies in one sum; I know no rates", "算式里有两种货币，我没有汇率")
    return found.pop() if found else None


def written(tokens: Sequence[Token]) -> str:
    """The sum as it was understood, with the signs that were only meant."""
    text = ""
    for n, token in enumerate(tokens):
        before, after = tokens[n - 1] if n else None, tokens[n + 1 : n + 2]
        ended = before is not None and _ends_operand(before)
        parts = token.text in {"+", "-", "*", "/", "//", "**", "mod", "off"} and ended
        if parts or (token.text == "%" and after and begins_operand(after[0])):
            text += f" {token.text} "
        elif token.text == ",":
            text += ", "
        elif ended and begins_operand(token) and before != Token("sign", "%"):
            text += f" * {token.text}"
        elif before is not None and before.text == "sqrt" and token.text != "(":
            text += f" {token.text}"
        else:
            text += token.text
    return text


def begins_operand(token: Token) -> bool:
    """Whether a value starts with it."""
    return token.kind == "number" or token.text in {"(", *FUNCTIONS, *CONSTANTS}


def _ends_operand(token: Token) -> bool:
    return token.kind == "number" or token.text in {")", "%", *CONSTANTS}
