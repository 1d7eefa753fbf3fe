"""Values without rounding errors, their limits, and their digits."""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor

BITS = 4000
"""Of a numerator or denominator: some 1,200 digits."""

PLACES = 30
"""Decimals that are still written out."""


class Wrong(Exception):
    """Why there is no result, in both languages; `final` when writing it anew will not help."""

    def __init__(self, en: str, zh: str, *, final: bool = False) -> None:
        super().__init__(en)
        self.en, self.zh, self.final = en, zh, final


@dataclass(frozen=True, slots=True)
class Number:
    """A value; `is_percent` only while it is nothing but a percentage."""

    value: Fraction
    is_exact: bool = True
    is_percent: bool = False


def number_of(
    value: Fraction, *origins: Number, is_exact: bool = True, is_percent: bool = False
) -> Number:
    """A result of `origins`, unless it has grown beyond all use."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > BITS:
        raise too_large()
    return Number(value, is_exact and all(one.is_exact for one in origins), is_percent)


def too_large() -> Wrong:
    """What is said where a number would fill the page."""
    return Wrong("the numbers become too large", "数字太大了", final=True)


def literal(text: str) -> Number:
    """A number as it is written, 1.5e3 included."""
    digits, _, exponent = text.partition("e")
    if len(digits) > 100 or abs(int(exponent or 0)) > 300:
        raise too_large()
    return number_of(Fraction(text if exponent else digits))


def decimal_text(value: Fraction | int) -> str:
    """All digits of it; empty where they never end or are too many to read."""
    value = Fraction(value)
    rest, places = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        places = max(places, count)
    if rest != 1 or places > PLACES or abs(value) >= 10**60:
        return ""
    return fixed_text(value, places)


def fixed_text(value: Fraction, places: int) -> str:
    """Its digits, so many of them behind the point."""
    digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def approximate_text(value: Fraction) -> str:
    """Twelve digits of it."""
    with localcontext(prec=12):
        rounded = as_decimal(value).normalize()
    _, digits, exponent = rounded.as_tuple()
    assert isinstance(exponent, int)
    if -12 < exponent + len(digits) <= 21:
        return f"{rounded:f}"
    return str(rounded).replace("E+", "e").replace("E", "e")


def as_decimal(value: Fraction) -> Decimal:
    """The nearest decimal of the precision that the caller has set."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def half_up(value: Fraction, places: int) -> Fraction:
    """As money is rounded: a half goes away from zero."""
    scale = Fraction(10) ** places
    away = floor(abs(value) * scale + Fraction(1, 2))
    return Fraction(away if value >= 0 else -away) / scale
