"""The offline model understands what it was not told: held-out sentences, and unknown plugins."""

import importlib.util
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec
import pytest

import plugins.calculator
import plugins.clock
import plugins.lookup
import plugins.weather
from bot.domain.model import ToolSpec
from bot.engine.tools import Tool
from bot.models.offline import OfflineModel
from plugins.calculator import evaluate
from tests.fakes import FakeClock
from tests.models import heldout
from tests.models.asking import asking, calls_of, collect
from tests.models.heldout import Asked

ENOUGH = 0.8
SETS: Mapping[str, tuple[str, Sequence[Asked]]] = {
    "now, English": ("now", heldout.NOW_EN),
    "now, Chinese": ("now", heldout.NOW_ZH),
    "convert, English": ("convert", heldout.CONVERT_EN),
    "convert, Chinese": ("convert", heldout.CONVERT_ZH),
    "sums, English": ("calculate", heldout.SUMS_EN),
    "sums, Chinese": ("calculate", heldout.SUMS_ZH),
    "weather, English": ("weather", heldout.WEATHER_EN),
    "weather, Chinese": ("weather", heldout.WEATHER_ZH),
    "lookup, English": ("order_state", heldout.ORDER_EN),
    "lookup, Chinese": ("order_state", heldout.ORDER_ZH),
}
NAMES = {"source": "from_place", "target": "to_place"}


def specs_of(module: object) -> list[ToolSpec]:
    return [value.spec for value in vars(module).values() if isinstance(value, Tool)]


def lookup_in(folder: Path) -> list[ToolSpec]:
    """One query, as an operator would configure it."""
    file = folder / "shop.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("create table orders (number text, state text)")
    query = {
        "description": "Tells where an order is.",
        "sql": "select state from orders where number = :number",
        "parameters": {"number": {"type": "string", "description": "The order's number."}},
        "examples": heldout.ORDER_EXAMPLES,
    }
    settings = plugins.lookup.Settings.model_validate(
        {
            "use": "plugins.lookup",
            "database": f"sqlite:///{file}",
            "queries": {"order_state": query},
        }
    )
    return [tool.spec for tool in plugins.lookup.build(settings)]


@pytest.fixture(scope="module")
def built_in(tmp_path_factory: pytest.TempPathFactory) -> list[ToolSpec]:
    weather = plugins.weather.build(plugins.weather.Settings(use="plugins.weather"))
    return [
        *specs_of(plugins.clock),
        *specs_of(plugins.calculator),
        *(tool.spec for tool in weather),
        *lookup_in(tmp_path_factory.mktemp("lookup")),
    ]


async def understood(text: str, tools: Sequence[ToolSpec]) -> tuple[str, dict[str, object]]:
    deltas = await collect(OfflineModel(FakeClock()), asking(text, tools=tools, watched=False))
    calls = calls_of(deltas)
    if not calls:
        return "", {}
    return calls[0].name, msgspec.json.decode(calls[0].arguments, type=dict[str, object])


def number_in(result: str) -> Decimal | None:
    """The value at the end of a sum that was written out."""
    last = result.replace(",", "").split()[-1].strip("¥$€£")
    try:
        return Decimal(last)
    except InvalidOperation:
        return None


def is_right(asked: Asked, arguments: Mapping[str, object]) -> bool:
    if "result" in asked.expected:
        said = evaluate(str(arguments["expression"]))
        return number_in(said) == Decimal(asked.expected["result"])
    wanted = {NAMES.get(name, name): value for name, value in asked.expected.items()}
    return {name: str(value).casefold() for name, value in arguments.items()} == {
        name: value.casefold() for name, value in wanted.items()
    }


async def misses(name: str, built_in: Sequence[ToolSpec]) -> list[str]:
    tool, sentences = SETS[name]
    missed: list[str] = []
    for asked in sentences:
        chosen, arguments = await understood(asked.text, built_in)
        if chosen != tool or not is_right(asked, arguments):
            missed.append(f"{asked.text} -> {chosen} {arguments}")
    return missed


def examples_of(tools: Sequence[ToolSpec]) -> Iterator[str]:
    for tool in tools:
        yield from tool.examples


@pytest.mark.parametrize("name", SETS)
async def test_held_out_sentences_are_understood(name: str, built_in: list[ToolSpec]) -> None:
    missed = await misses(name, built_in)
    assert 1 - len(missed) / len(SETS[name][1]) >= ENOUGH, missed


def test_held_out_means_held_out(built_in: list[ToolSpec]) -> None:
    known = {example.casefold() for example in examples_of(built_in)}
    asked = [one.text for _, sentences in SETS.values() for one in sentences]
    assert len(asked) == len(set(asked)) == 200
    assert not [text for text in asked if text.casefold() in known]


CHATTER = (
    "hello there",
    "I feel a bit sad today",
    "write a poem about the sea",
    "who won the football match yesterday?",
    "how do I bake bread without yeast",
    "what is the meaning of life",
    "can you recommend a good book",
    "please translate this letter for me",
    "my invoice is wrong",
    "are you a robot",
    "你好,在吗",
    "给我写一首诗",
    "我的发票开错了",
    "推荐一本好书吧",
    "怎么做红烧肉",
    "你是机器人吗",
    "人生的意义是什么",
    "昨天谁赢了比赛",
)


@pytest.mark.parametrize("text", CHATTER)
async def test_what_no_tool_can_answer_is_given_to_none(
    text: str, built_in: list[ToolSpec]
) -> None:
    assert await understood(text, built_in) == ("", {})


PLUGIN = '''
"""Where things are kept."""

from typing import Literal

from bot import tool


@tool(examples=[
    "which shelf holds item K-12?",
    "find item M-450 in the warehouse",
    "物品 K-12 在哪个货架?",
    "在仓库里找物品 M-450",
])
async def shelf(item: str) -> str:
    """Find the shelf of an item.

    Args:
        item: The number of the item.
    """
    return item


@tool(examples=[
    "book the small room for 3 hours",
    "reserve the large room for 2 hours",
    "预订 small 会议室 3 小时",
    "订 large 会议室 2 个小时",
])
async def book(room: Literal["small", "large"], hours: int) -> str:
    """Book a meeting room.

    Args:
        room: Which one.
        hours: For how long.
    """
    return room


@tool(examples=["flip a coin", "heads or tails?", "抛硬币", "正面还是反面"])
async def flip() -> str:
    """Flip a coin."""
    return "heads"


@tool(examples=[
    "remind me to call mom in 10 minutes",
    "remind me to buy milk in 30 minutes",
    "10 分钟后提醒我打电话",
    "30 分钟后提醒我买牛奶",
])
async def remind(text: str, minutes: int) -> str:
    """Set a reminder.

    Args:
        text: What to be reminded of.
        minutes: When.
    """
    return text
'''
UNKNOWN: Sequence[tuple[str, str, dict[str, object]]] = [
    ("on which shelf is item Q-7?", "shelf", {"item": "Q-7"}),
    ("can you find item ZX-99 for me", "shelf", {"item": "ZX-99"}),
    ("please look which shelf holds item B-3001", "shelf", {"item": "B-3001"}),
    ("where in the warehouse is item T-88", "shelf", {"item": "T-88"}),
    ("物品 Q-7 放在哪个货架", "shelf", {"item": "Q-7"}),
    ("帮我在仓库找一下物品 ZX-99", "shelf", {"item": "ZX-99"}),
    ("物品 B-3001 在哪个货架上?", "shelf", {"item": "B-3001"}),
    ("please book the large room for 5 hours", "book", {"room": "large", "hours": 5}),
    ("reserve a small room for four hours", "book", {"room": "small", "hours": 4}),
    ("I want to book the small room for 1 hour", "book", {"room": "small", "hours": 1}),
    ("请预订 large 会议室 5 小时", "book", {"room": "large", "hours": 5}),
    ("帮我订 small 会议室 4 个小时", "book", {"room": "small", "hours": 4}),
    ("please flip a coin for me", "flip", {}),
    ("heads or tails, quick", "flip", {}),
    ("帮我抛个硬币", "flip", {}),
    (
        "remind me to water the plants in 15 minutes",
        "remind",
        {"text": "water the plants", "minutes": 15},
    ),
    (
        "please remind me to take a break in 45 minutes",
        "remind",
        {"text": "take a break", "minutes": 45},
    ),
    ("15 分钟后提醒我浇花", "remind", {"text": "浇花", "minutes": 15}),
    ("请在 20 分钟后提醒我喝水", "remind", {"text": "喝水", "minutes": 20}),
]


@pytest.fixture
def unknown(tmp_path: Path) -> Iterator[list[ToolSpec]]:
    """The tools of a plugin that did not exist a moment ago."""
    file = tmp_path / "unknown_plugin.py"
    file.write_text(PLUGIN, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("unknown_plugin", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["unknown_plugin"] = module
    try:
        spec.loader.exec_module(module)
        yield specs_of(module)
    finally:
        del sys.modules["unknown_plugin"]


@pytest.mark.parametrize("beside", [True, False], ids=["beside the others", "alone"])
async def test_a_plugin_that_nobody_knew_is_understood(
    beside: bool, unknown: list[ToolSpec], built_in: list[ToolSpec]
) -> None:
    tools = [*built_in, *unknown] if beside else unknown
    missed: list[str] = []
    for text, tool, expected in UNKNOWN:
        found = await understood(text, tools)
        if found != (tool, expected):
            missed.append(f"{text} -> {found}")
    assert 1 - len(missed) / len(UNKNOWN) >= ENOUGH, missed
