"""What may be done with numbers, and where each operation ends."""

from collections.abc import Callable, Sequence
from decimal import localcontext
from fractions import Fraction
from math import ceil, floor, isqrt

from plugins.calculator.numbers import (
    BITS,
    PLACES,
    Number,
    Wrong,
    as_decimal,
    half_up,
    number_of,
    too_large,
)

_PRECISION = 50
"""Digits of what has no exact value."""

CONSTANTS = {
    "pi": Fraction("3.14159265358979323846264338327950288419716939937511"),
    "e": Fraction("2.71828182845904523536028747135266249775724709369996"),
}


def _divisor(right: Number) -> Fraction:
    if right.value == 0:
        raise Wrong("nothing can be divided by zero", "除数不能为零", final=True)
    return right.value


OPERATORS: dict[str, Callable[[Number, Number], Number]] = {
    "*": lambda left, right: number_of(left.value * right.value, left, right),
    "/": lambda left, right: number_of(left.value / _divisor(right), left, right),
    "//": lambda left, right: number_of(Fraction(left.value // _divisor(right)), left, right),
    "%": lambda left, right: number_of(left.value % _divisor(right), left, right),
    "mod": lambda left, right: number_of(left.value % _divisor(right), left, right),
}


def raised(base: Number, exponent: Number) -> Number:
    """A power, if its size can be borne."""
    power = exponent.value
    bits = max(base.value.numerator.bit_length(), base.value.denominator.bit_length())
    # Estimated before anything is multiplied: 9**9**9 must cost nothing.
    if bits > 1 and abs(power) * bits > BITS:
        raise too_large()
    if base.value == 0 and power < 0:
        _divisor(base)
    if power.denominator == 1:
        # (-1)**n and 1**n are cheap for any n, but only if n is not counted through.
        n = int(power) if bits > 1 else int(power) % 2 or 2 * (power != 0)
        return number_of(base.value**n, base, exponent)
    if base.value < 0:
        raise Wrong("this power has no real value", "这个幂没有实数值", final=True)
    with localcontext(prec=_PRECISION):
        value = as_decimal(base.value) ** as_decimal(power)
    return number_of(Fraction(value), base, exponent, is_exact=False)


def root(numbers: Sequence[Number]) -> Number:
    """The square root; exact where there is an exact one."""
    (number,) = _exactly("sqrt", numbers, 1)
    value = number.value
    if value < 0:
        raise Wrong("the root of a negative number is not real", "负数没有实数平方根", final=True)
    exact = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    if exact * exact == value:
        return number_of(exact, number)
    with localcontext(prec=_PRECISION):
        return number_of(Fraction(as_decimal(value).sqrt()), number, is_exact=False)


def _rounded(numbers: Sequence[Number]) -> Number:
    places = numbers[1].value if len(numbers) > 1 else Fraction(0)
    if len(numbers) > 2 or places.denominator != 1 or abs(places) > PLACES:
        raise Wrong("write round(number) or round(number, places)", "请写成 round(数, 位数)")
    return number_of(half_up(numbers[0].value, int(places)), numbers[0])


def _exactly(name: str, numbers: Sequence[Number], count: int) -> Sequence[Number]:
    if len(numbers) != count:
        raise Wrong(
            f"{name} takes one number; inside its brackets write thousands without commas",
            f"{name} 只接受一个数；括号里的千位不要写逗号",
        )
    return numbers


def _each(name: str, function: Callable[[Fraction], Fraction | int]) -> "_Function":
    def call(numbers: Sequence[Number]) -> Number:
        (number,) = _exactly(name, numbers, 1)
        return number_of(Fraction(function(number.value)), number)

    return call


def _over(function: Callable[[list[Fraction]], Fraction]) -> "_Function":
    return lambda numbers: number_of(function([number.value for number in numbers]), *numbers)


_Function = Callable[[Sequence[Number]], Number]
FUNCTIONS: dict[str, _Function] = {
    "sqrt": root,
    "round": _rounded,
    "abs": _each("abs", abs),
    "floor": _each("floor", floor),
    "ceil": _each("ceil", ceil),
    "min": _over(min),
    "max": _over(max),
    "sum": _over(lambda values: sum(values, Fraction(0))),
    "avg": _over(lambda values: sum(values, Fraction(0)) / len(values)),
}
