"""Exact arithmetic as people write it: decimals, percentages and money, in English and Chinese."""

from typing import Annotated

from pydantic import Field

from bot import ToolContext, ToolFailed, ToolRetry, tool
from plugins.calculator.numbers import Wrong
from plugins.calculator.results import shown
from plugins.calculator.signs import currency_of, read_tokens, written
from plugins.calculator.sums import Parser
from plugins.calculator.words import LONGEST, make_plain

_SUMS = ["19.99 * 3 - 15%", "12.5 + 7", "15% of 80", "(12 + 8) / 4", "7 times 8", "20% off $80"]
_SUMS += ["100 minus 37", "the square root of 2", "80 的 15%", "128 除以 4", "三加五", "7 乘以 8"]
_SUMS += ["100 减去 37", "2 的 10 次方", "16 的平方根", "299元打八折"]


@tool(
    examples=[
        "what is 19.99 * 3 - 15%?",
        "12.5 + 7",
        "calculate 12.5 + 7",
        "how much is 15% of 80",
        "what's 15% of 80?",
        "compute (12 + 8) / 4",
        "what is 7 times 8",
        "work out 7 times 8 for me",
        "how much do I pay with 20% off $80",
        "tell me 100 minus 37",
        "what does 100 minus 37 make",
        "what is the square root of 2",
        "19.99 * 3 - 15% 是多少?",
        "算一下 12.5 + 7",
        "80 的 15% 是多少",
        "128 除以 4 等于多少",
        "帮我计算 128 除以 4",
        "三加五等于几",
        "7 乘以 8 是多少",
        "请算 7 乘以 8",
        "100 减去 37 得多少",
        "2 的 10 次方等于多少",
        "16 的平方根是多少",
        "299元打八折多少钱",
    ]
)
async def calculate(
    ctx: ToolContext, expression: Annotated[str, Field(examples=_SUMS, max_length=LONGEST)]
) -> str:
    """Calculate exactly. Use it for every sum, percentage, discount or price.

    Knows + - * / // % ** and brackets, sqrt abs round floor ceil min max sum avg, pi and e.
    A percentage after + or - means that share of what stands before it: 80 + 10% is 88.
    With a currency sign the result is rounded to its smallest coin as well.

    Args:
        ctx: Who asks.
        expression: The sum, for example 19.99 * 3 - 15%.
    """
    try:
        return evaluate(expression)
    except Wrong as wrong:
        said = wrong.zh if ctx.locale.startswith("zh") else wrong.en
        raise (ToolFailed if wrong.final else ToolRetry)(said) from wrong


def evaluate(expression: str) -> str:
    """The sum as it was understood, and its result."""
    plain = make_plain(expression)
    # Some characters become several when they are made plain.
    if max(len(expression), len(plain)) > LONGEST:
        raise Wrong(f"write at most {LONGEST} characters", f"算式最多 {LONGEST} 个字符")
    tokens = read_tokens(plain)
    signs = [token for token in tokens if token.kind != "money"]
    result = Parser(signs).whole()
    return f"{written(signs)} {shown(result, currency_of(tokens))}"
