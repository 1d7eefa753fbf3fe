"""Sums as people write them."""

import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import ToolFailed, ToolRetry
from plugins.calculator import calculate
from plugins.calculator.words import LONGEST
from tests.tool_context import tool_context


async def ask(expression: str, locale: str = "en") -> str:
    arguments = json.dumps({"expression": expression})
    return await calculate.call(tool_context(locale=locale), arguments)


async def value(expression: str) -> str:
    """The last value that the answer names."""
    return re.split("[=≈]", await ask(expression))[-1].strip()


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("2 + 2", "2 + 2 = 4"),
        ("0.1 + 0.2", "0.1 + 0.2 = 0.3"),
        ("2 + 3 * 4", "2 + 3 * 4 = 14"),
        ("(2 + 3) * 4", "(2 + 3) * 4 = 20"),
        ("-2 ** 2", "-2 ** 2 = -4"),
        ("2 ** 3 ** 2", "2 ** 3 ** 2 = 512"),
        ("2 ** -2", "2 ** -2 = 0.25"),
        ("7 // 2", "7 // 2 = 3"),
        ("-7 // 2", "-7 // 2 = -4"),
        ("7 % 4", "7 % 4 = 3"),
        ("1 / 8", "1 / 8 = 0.125"),
        ("10 / 3", "10 / 3 = 10/3 ≈ 3.33333333333"),
        ("1 / 3 + 1 / 6", "1 / 3 + 1 / 6 = 0.5"),
        ("2 ** 100", "2 ** 100 = 1267650600228229401496703205376"),
        ("2(3 + 4)", "2 * (3 + 4) = 14"),
        ("1e3 * 2", "1e3 * 2 = 2000"),
        ("1,234.5 * 2", "1234.5 * 2 = 2469"),
        ("5² + 3³", "5 ** 2 + 3 ** 3 = 52"),
        ("10⁶", "10 ** 6 = 1000000"),
        ("2¹⁰ - (1 + 1)²", "2 ** 10 - (1 + 1) ** 2 = 1020"),
        ("10⁻⁶", "10 ** -6 = 0.000001"),
        ("10⁶⁻²", "10 ** (6 - 2) = 10000"),
        ("6.02×10²³", "6.02 * 10 ** 23 = 602000000000000000000000"),
        ("1½ + 1", "1.5 + 1 = 2.5"),
        ("３＋４×２＝？", "3 + 4 * 2 = 11"),
        ("9 ÷ 4", "9 / 4 = 2.25"),
        ("2^10", "2 ** 10 = 1024"),
        ("sqrt(16)", "sqrt(16) = 4"),
        ("√2", "sqrt 2 ≈ 1.41421356237"),
        ("round(2.345, 2)", "round(2.345, 2) = 2.35"),
        ("round(-2.5)", "round(-2.5) = -3"),
        ("abs(-3) + max(1, 5, 2) - min(4、2)", "abs(-3) + max(1, 5, 2) - min(4, 2) = 6"),
        ("max(1,234)", "max(1, 234) = 234"),
        ("avg(3, 4, 8)", "avg(3, 4, 8) = 5"),
        ("8 ** (1/3)", "8 ** (1 / 3) ≈ 2"),
    ],
)
async def test_arithmetic_is_exact_and_shows_what_was_understood(
    expression: str, answer: str
) -> None:
    assert await ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("19.99 * 3 - 15%", "50.9745"),
        ("80 + 10%", "88"),
        ("100 - 20% - 10%", "72"),
        ("15% of 80", "12"),
        ("200 * 15%", "30"),
        ("30 / 15%", "200"),
        ("15%", "0.15"),
        ("15% + 5%", "0.2"),
        ("100 + -5%", "95"),
        ("100 + 10% * 50", "105"),
        ("20% off 80", "64"),
        ("5 off 80", "75"),
        ("50% - 3", "-2.5"),
    ],
)
async def test_a_percentage_is_a_share_of_what_stands_before_it(
    expression: str, result: str
) -> None:
    assert await value(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("$19.99 * 3 - 15%", "19.99 * 3 - 15% = 50.9745 ≈ $50.97"),
        ("$0.50 * 2", "0.50 * 2 = $1.00"),
        ("€10 / 3", "10 / 3 = 10/3 ≈ €3.33"),
        ("£1.005 * 1", "1.005 * 1 = 1.005 ≈ £1.01"),
        ("-$5 / 2", "-5 / 2 = -$2.50"),
        ("19.9元 * 3", "19.9 * 3 = ¥59.70"),
        ("￥100打9折", "100 * (9 / 10) = ¥90.00"),
        ("1000 yen / 3", "1000 / 3 = 1000/3 ≈ 333 JPY"),
        ("3 x $4.99", "3 * 4.99 = $14.97"),
    ],
)
async def test_money_is_rounded_to_its_smallest_coin_beside_the_exact_value(
    expression: str, result: str
) -> None:
    assert await ask(expression) == result


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ("what is 19.99 * 3 - 15%?", "50.9745"),
        ("how much is 128 divided by 4", "32"),
        ("twelve times eight", "96"),
        ("one hundred and five plus 3", "108"),
        ("1.5 million times 3", "4500000"),
        (".5 million times 3", "1500000"),
        ("1½ million", "1500000"),
        ("square root of 144", "12"),
        ("what is 2 to the power of 10?", "1024"),
        ("what's 8 squared", "64"),
        ("multiply 6 by 7", "42"),
        ("subtract 3 from 10", "7"),
        ("increase 80 by 15%", "92"),
        ("half of 90", "45"),
        ("what's the product of 6 and 9?", "54"),
        ("三加五等于几", "8"),
        ("一百二十三乘以四", "492"),
        ("十二点五减两点五", "10"),
        ("算一下 3 乘 4 再加 5", "17"),
        ("请帮我计算 128 除以 4 是多少", "32"),
        ("1.5万 + 3千", "18000"),
        ("3万5千除以七", "5000"),
        ("三万五", "35000"),
        ("三万零五", "30005"),
        ("三万五千二", "35200"),
        ("一千二加一百五", "1350"),
        ("一千零二加一百零五", "1107"),
        ("一亿五", "150000000"),
        ("3万5", "35000"),
        ("3万500", "30500"),
        ("3万零500", "30500"),
        ("1亿2千3百万", "123000000"),
        ("三点五万", "35000"),
        ("十二点五万减3点5", "124996.5"),
        ("80 的 15% 是多少", "12"),
        ("百分之十五乘以八十等于多少", "12"),
        ("299元打八五折多少钱", "¥254.15"),
        ("2 的 10 次方等于多少", "1024"),
        ("16 的平方根是多少", "4"),
        ("100的一半是多少", "50"),
        ("四分之三", "0.75"),
        ("3和5的和是多少", "8"),
    ],
)
async def test_sums_may_be_said_in_words(said: str, result: str) -> None:
    assert await value(said) == result


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "the sum ends too early"),
        ("2 +", "the sum ends too early"),
        ("2 3", "3 is not expected there"),
        (") 2", ") is not expected there"),
        ("(2 + 3", "a ) is missing"),
        ("3,14", "a comma only parts thousands"),
        ("sin(30)", "'sin' is not part of a sum"),
        ("log 100", "'log' is not part of a sum"),
        ("20 factorial", "'factorial' is not part of a sum"),
        ("1.2.3 million", "'million' is not part of a sum"),
        ("1..5 million", "'million' is not part of a sum"),
        ("1.2.3万", "is not expected there"),
        ("5²3", "3 is not expected there"),
        ("三百五六", "is not part of a sum"),
        ("一千二点五", "is not part of a sum"),
        ("9" * 61 + "万 + 1", "is not part of a sum"),
        ("9" * 61 + " million + 1", "is not part of a sum"),
        ("__import__('os')", "is not part of a sum"),
        ("$5 + €3", "two currencies in one sum"),
        ("abs(1, 2)", "abs takes one number"),
        ("round(1, 2, 3)", "write round(number)"),
        ("(" * 60 + "1" + ")" * 60, "too many brackets"),
        ("2**" * 60 + "2", "too many brackets"),
        ("1" * (LONGEST + 1), "at most 500 characters"),
    ],
)
async def test_what_is_no_sum_is_told_to_the_model(expression: str, told: str) -> None:
    with pytest.raises(ToolRetry) as caught:
        await ask(expression)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("1 / 0", "nothing can be divided by zero"),
        ("0 ** -1", "nothing can be divided by zero"),
        ("1 % 0 + 1", "nothing can be divided by zero"),
        ("sqrt(-1)", "the root of a negative number is not real"),
        ("(-8) ** 0.5", "this power has no real value"),
        ("9**9**9", "the numbers become too large"),
        ("10**100000", "the numbers become too large"),
        ("2 ** -99999999", "the numbers become too large"),
        ("1e400", "the numbers become too large"),
        ("9" * 400, "the numbers become too large"),
        ("1e300*" * 20 + "1", "the numbers become too large"),
    ],
)
async def test_what_has_no_result_or_would_never_end_fails_with_a_sentence(
    expression: str, told: str
) -> None:
    with pytest.raises(ToolFailed, match=told):
        await ask(expression)


async def test_powers_of_one_cost_nothing() -> None:
    assert await value("(-1) ** 99999999999") == "-1"
    assert await value("1 ** 99999999999") == "1"


async def test_complaints_are_in_the_senders_language() -> None:
    with pytest.raises(ToolFailed, match="除数不能为零"):
        await ask("1 / 0", locale="zh-CN")
    with pytest.raises(ToolRetry, match="算式不完整"):
        await ask("1 +", locale="zh")


def test_every_example_names_a_sum_that_the_schema_shows() -> None:
    shown = calculate.spec.parameters["properties"]["expression"]["examples"]
    assert all(any(sum_ in example for sum_ in shown) for example in calculate.spec.examples)


@pytest.mark.parametrize("example", calculate.spec.examples)
async def test_every_example_has_an_answer(example: str) -> None:
    assert await value(example)


@given(st.text(alphabet="0123456789+-*/%().,e $元的 一零十百万点打折and³⁻", max_size=60))
async def test_no_text_does_worse_than_a_sentence(text: str) -> None:
    try:
        said = await ask(text)
    except (ToolRetry, ToolFailed) as error:
        said = str(error)
    assert 0 < len(said) < 400


@given(st.decimals(-10_000, 10_000, places=3), st.decimals(-10_000, 10_000, places=3))
async def test_sums_and_products_of_decimals_lose_no_digit(a: Decimal, b: Decimal) -> None:
    assert Fraction(await value(f"({a:f}) + ({b:f})")) == Fraction(a) + Fraction(b)
    assert Fraction(await value(f"({a:f}) * ({b:f})")) == Fraction(a) * Fraction(b)


@pytest.mark.fixtures
async def test_a_thousand_sums_from_school_books_are_right(shared: Path) -> None:
    lines = (shared / "corpora" / "math_expressions.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = []
    for line in lines:
        sum_ = json.loads(line)
        expected, found = Decimal(sum_["result"]), Decimal(await value(sum_["expr"]))
        if round(found, -int(expected.as_tuple().exponent)) == expected:
            continue
        if abs(found - expected) > Decimal("0.01"):
            wrong.append(sum_)
    assert len(lines) > 1000
    assert wrong == []
