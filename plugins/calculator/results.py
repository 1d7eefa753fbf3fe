"""How a value is written for a person."""

from plugins.calculator.numbers import (
    Number,
    approximate_text,
    decimal_text,
    fixed_text,
    half_up,
)
from plugins.calculator.words import Currency


def shown(result: Number, currency: Currency | None) -> str:
    """`= 1.25`, `= 1/3 ≈ 0.333333333333`, `= 50.9745 ≈ $50.97`."""
    value = result.value
    steps = [f"= {exact}"] if (exact := _exact(result)) else []
    if currency is not None:
        coins = half_up(value, currency.places)
        amount = currency.shown.format(fixed_text(abs(coins), currency.places))
        amount = f"-{amount}" if coins < 0 else amount
        return f"= {amount}" if coins == value else " ".join([*steps, f"≈ {amount}"])
    if not decimal_text(value) or not result.is_exact:
        steps.append(f"≈ {approximate_text(value)}")
    return " ".join(steps)


def _exact(result: Number) -> str:
    """Its decimals, else a short ratio, else nothing."""
    value = result.value
    if not result.is_exact:
        return ""
    ratio = f"{value.numerator}/{value.denominator}"
    return decimal_text(value) or (ratio if value.denominator > 1 and len(ratio) <= 24 else "")
