"""What docs/tools.md promises of its example is run."""

import re
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import Tool, ToolContext, ToolFailed
from bot.engine.plugins import load
from tests.tool_context import tool_context

PAGE = (Path(__file__).parents[1] / "docs" / "tools.md").read_text(encoding="utf-8")


class Answer:
    def __init__(self, status: int, text: str = "") -> None:
        self.status = status
        self._text = text

    def raise_for_status(self) -> None:
        if self.status >= 400:
            raise ConnectionError(str(self.status))

    async def text(self) -> str:
        return self._text


class Bank:
    """Speaks as the example's bank does."""

    def __init__(self) -> None:
        self.payments: dict[str, Any] = {}
        self.status = 200

    @asynccontextmanager
    async def put(self, url: str, *, json: Any) -> Any:
        if self.status == 200:
            self.payments.setdefault(url, json)
        yield Answer(self.status, "paid")

    @asynccontextmanager
    async def get(self, url: str) -> Any:
        if self.status != 200:
            yield Answer(self.status)
        else:
            yield Answer(200, "paid") if url in self.payments else Answer(404)


@pytest.fixture
def pay(tmp_path: Path) -> Tool:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "bank.py").write_text(source, encoding="utf-8")
    (found,) = load({"use": "./bank.py"}, tmp_path)
    return found


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def ctx(bank: Bank) -> ToolContext:
    session: Any = bank
    return replace(tool_context(), key="k1", http=lambda: session)


ARGUMENTS = '{"invoice": "4711", "amount": 5}'


async def test_a_call_is_found_by_its_key_and_by_no_other(
    pay: Tool, bank: Bank, ctx: ToolContext
) -> None:
    assert await pay.look_up(ctx) is None
    assert await pay.call(ctx, ARGUMENTS) == "paid"
    assert await pay.look_up(ctx) == "paid"
    assert await pay.look_up(replace(ctx, key="k2")) is None
    assert [*bank.payments.values()] == [{"invoice": "4711", "amount": 5}]
    assert pay.spec.needs_approval


async def test_a_refusal_is_its_own_and_a_bank_that_is_down_says_nothing(
    pay: Tool, bank: Bank, ctx: ToolContext
) -> None:
    bank.status = 402
    with pytest.raises(ToolFailed, match="not enough money"):
        await pay.call(ctx, ARGUMENTS)
    bank.status = 500
    with pytest.raises(ConnectionError):
        await pay.look_up(ctx)


@pytest.mark.parametrize(
    "name",
    [
        "tool.unknown",
        "message.poison",
        "parley_poison_total",
        "parley_tool_calls_total",
        "parley_unsure_calls",
    ],
)
def test_what_the_page_tells_operators_to_look_for_is_what_the_server_says(name: str) -> None:
    root = Path(__file__).parents[1] / "bot"
    said = "".join((root / file).read_text() for file in ("telemetry.py", "metrics.py"))
    assert name in PAGE
    assert name.removeprefix("parley_") in said
