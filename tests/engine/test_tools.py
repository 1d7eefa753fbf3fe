"""How a typed function becomes something that a model can call."""

import asyncio
import contextvars
import itertools
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, assert_type

import pytest
from pydantic import BaseModel, Field, SecretStr

from bot.domain.model import Effect
from bot.domain.tool import ToolContext
from bot.engine.arguments import Used
from bot.engine.tools import Tool, tool
from bot.errors import PluginError, ToolFailed, ToolRetry
from tests.tool_context import tool_context

CTX = tool_context()


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Line(BaseModel):
    article: str
    count: int = 1


@dataclass(frozen=True)
class Parcel:
    id: str
    sent_on: date


@tool
async def greet(ctx: ToolContext, name: str, times: int = 1) -> str:  # noqa: D417  # ctx is ours
    """Greet somebody.

    Politely, and as often as wished.

    Args:
        name: Who is greeted,
            as they want to be called.
        times: How often.

    Returns:
        The greeting.
    """
    return " ".join([f"Hello {name} from {ctx.audience}."] * times)


def test_name_annotations_and_docstring_become_the_schema() -> None:
    assert greet.spec.name == "greet"
    assert greet.spec.description == "Greet somebody.\n\nPolitely, and as often as wished."
    assert greet.spec.parameters == {
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "description": "Who is greeted, as they want to be called.",
            },
            "times": {"type": "integer", "description": "How often.", "default": 1},
        },
        "required": ["name"],
        "additionalProperties": False,
    }


async def test_a_tool_stays_the_plain_function_with_its_types() -> None:
    @tool(effect="once", examples=["double three"])
    def double(number: int) -> int:
        """Double a number.

        Args:
            number: Any.
        """
        return number * 2

    assert_type(await greet(CTX, "Bo", times=2), str)
    assert_type(double(3), int)
    assert_type(double(number=3), int)
    assert await greet(CTX, "Bo", times=2) == "Hello Bo from everyone. Hello Bo from everyone."
    assert double(3) == 6
    assert greet.__doc__ is not None


def test_a_tool_is_read_only_and_open_unless_its_author_says_otherwise() -> None:
    assert greet.spec.effect is Effect.READ
    assert not greet.spec.needs_approval
    assert not greet.spec.private
    assert greet.spec.roles == frozenset()
    assert greet.timeout is None
    assert greet.lookup is None


async def test_what_the_author_says_reaches_the_engine() -> None:
    async def refunded(key: str) -> str | None:
        return f"{key} was paid back"

    @tool(
        effect="once",
        needs_approval=True,
        roles={"operator"},
        timeout=timedelta(seconds=90),
        private=True,
        examples=["pay 4711 back", "退款 4711"],
        lookup=refunded,
    )
    async def refund(order: str) -> None:
        """Pay an order back.

        Args:
            order: Its number.
        """

    spec = refund.spec
    assert spec.effect is Effect.ONCE
    assert (spec.needs_approval, spec.private, [*spec.roles]) == (True, True, ["operator"])
    assert spec.examples == ("pay 4711 back", "退款 4711")
    assert refund.timeout == 90.0
    assert refund.lookup is not None
    assert await refund.lookup("k1") == "k1 was paid back"
    assert await refund.call(CTX, '{"order": "4711"}') == "done"


async def test_rich_types_are_described_without_titles_and_references() -> None:
    @tool
    async def order(  # noqa: D417  # the title carries its own description
        *,
        size: Size,
        lines: list[Line],
        title: Annotated[str, Field(description="On the box.", examples=["Birthday"])],
        kind: Literal["gift", "own"] = "own",
        until: date | None = None,
        schema: Annotated[str, Field(pattern="^[a-z]+$")] = "none",
    ) -> dict[str, Any]:
        """Order cakes.

        Args:
            size: Of the box.
            lines: What is in it.
            kind: For whom.
            until: The last day.
            schema: A word that pydantic's own models use.
        """
        return {"size": size, "lines": lines, "title": title, "until": until, "k": kind + schema}

    properties = order.spec.parameters["properties"]
    assert "$defs" not in order.spec.parameters
    assert list(properties) == ["size", "lines", "title", "kind", "until", "schema"]
    assert properties["size"] == {
        "description": "Of the box.", "enum": ["small", "large"], "type": "string"
    }  # fmt: skip
    assert properties["lines"]["items"]["properties"]["count"] == {"default": 1, "type": "integer"}
    assert properties["title"]["examples"] == ["Birthday"]
    assert "title" not in json.dumps({**properties, "title": {}}).replace('"title": {}', "")
    result = await order.call(
        CTX,
        '{"size":"large","lines":[{"article":"tart","count":"2"}],"title":"x","until":"2026-02-03"}',
    )
    assert json.loads(result) == {
        "size": "large",
        "lines": [{"article": "tart", "count": 2}],
        "title": "x",
        "until": "2026-02-03",
        "k": "ownnone",
    }


class Node(BaseModel):
    word: str
    below: "list[Node]" = []


def test_only_a_type_that_holds_itself_keeps_its_definitions() -> None:
    @tool
    async def walk(tree: Node) -> int:
        """Count words.

        Args:
            tree: Where to begin.
        """
        return 1 + len(tree.below)

    assert list(walk.spec.parameters["$defs"]) == ["Node"]


@pytest.mark.parametrize("arguments", ["", "  ", "null", "{}", '"{}"', '""'])
async def test_nothing_in_any_form_means_no_arguments(arguments: str) -> None:
    @tool
    async def ping() -> str:
        """Answer."""
        return "pong"

    assert await ping.call(CTX, arguments) == "pong"
    assert ping.spec.parameters == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


async def test_arguments_written_twice_as_json_are_understood() -> None:
    assert await greet.call(CTX, json.dumps('{"name": "Bo"}')) == "Hello Bo from everyone."


async def test_a_null_for_a_parameter_with_a_default_means_not_given() -> None:
    assert await greet.call(CTX, '{"name": "Bo", "times": null}') == "Hello Bo from everyone."


async def test_a_number_for_a_text_is_taken_as_it_is_written() -> None:
    assert await greet.call(CTX, '{"name": 7}') == "Hello 7 from everyone."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("{", "the arguments are not JSON; write one JSON object"),
        ("[1]", "the arguments must be one JSON object"),
        ("{}", "name: is required"),
        ('{"name": "Bo", "times": "often"}', "times: Input should be a valid integer"),
        ('{"name": "Bo", "who": 1}', "who: no such argument; it takes name, times"),
        ('{"name": null}', "name: Input should be a valid string"),
    ],
)
async def test_wrong_arguments_go_back_to_the_model_by_name(arguments: str, told: str) -> None:
    with pytest.raises(ToolRetry) as caught:
        await greet.call(CTX, arguments)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    "arguments",
    [
        json.dumps({"name": ["canary" * 500]}),
        json.dumps({"canary" * 500: 1}),
        json.dumps({f"canary{n}": n for n in range(500)}),
        "canary" * 20_000,
        '{"name": "' + "canary" * 20_000 + '"}',
    ],
)
async def test_a_complaint_stays_short_however_long_the_input(arguments: str) -> None:
    with pytest.raises(ToolRetry) as caught:
        await greet.call(CTX, arguments)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("arguments", "used"),
    [
        ('{"name": "Bo"}', '{"name":"Bo","times":1}'),
        ('{"times": "2", "name": 7}', '{"name":"7","times":2}'),
        ('{"name": "Bo", "times": null}', '{"name":"Bo","times":1}'),
        (json.dumps('{"name": "Bo"}'), '{"name":"Bo","times":1}'),
    ],
)
def test_arguments_can_be_shown_as_the_function_is_given_them(arguments: str, used: str) -> None:
    assert greet.as_used(arguments) == Used(used, used)
    assert greet.offered_by("hotel").as_used(arguments) == Used(used, used)
    with pytest.raises(ToolRetry, match="times: Input should be a valid integer"):
        greet.as_used('{"name": "Bo", "times": "often"}')


async def test_what_is_shown_of_arguments_is_read_again_as_the_same() -> None:
    taken: list[object] = []

    @tool
    async def order(
        lines: list[Line], price: Decimal, until: date | None = None, size: Size = Size.SMALL
    ) -> str:
        """Order cakes.

        Args:
            lines: What is in it.
            price: Of it all.
            until: The last day.
            size: Of the box.
        """
        taken.append((lines, price, until, size))
        return "ordered"

    written = '{"lines": [{"article": "tart"}], "price": 0.10, "until": "2026-02-03"}'
    used = order.as_used(written)
    assert json.loads(used.shown) == {
        "lines": [{"article": "tart", "count": 1}],
        "price": "0.1",
        "until": "2026-02-03",
        "size": "small",
    }
    for arguments in (written, used.shown, used.run):
        await order.call(CTX, arguments)
    first, second, third = taken
    assert first == second == third


NUMBERS = itertools.count()


class Patch(BaseModel):
    price: int | None = None
    note: str = ""
    id: str = Field(default_factory=lambda: f"id{next(NUMBERS)}")


async def test_what_is_run_is_what_was_shown_where_a_default_is_another_one_every_time() -> None:
    @tool
    async def change(order: str, patch: Patch) -> str:
        """Change an order.

        Args:
            order: Which one.
            patch: What is new.
        """
        return patch.id

    used = change.as_used('{"order": "7", "patch": {"note": "soon"}}')
    assert await change.call(CTX, used.run) == json.loads(used.shown)["patch"]["id"]


def test_arguments_whose_type_is_not_written_as_it_is_read_are_shown_as_they_came() -> None:
    @tool
    async def sign_in(word: SecretStr, times: int = 1) -> str:
        """Sign in.

        Args:
            word: The password.
            times: How often.
        """
        return word.get_secret_value() * times

    written = '{"word": "sesame"}'
    assert sign_in.as_used(written) == Used(written, written)


async def test_a_text_is_given_as_it_is_and_everything_else_as_compact_json() -> None:
    @tool
    async def parcel(id: str) -> Parcel:
        """Find a parcel.

        Args:
            id: Its number.
        """
        return Parcel(id, date(2026, 1, 5))

    @tool
    async def price() -> Decimal:
        """Name the price."""
        return Decimal("0.10")

    assert await parcel.call(CTX, '{"id": "包裹"}') == '{"id":"包裹","sent_on":"2026-01-05"}'
    assert await price.call(CTX, "") == '"0.10"'


async def test_a_plain_function_runs_in_a_thread_and_keeps_the_context() -> None:
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark")
    mark.set("kept")

    @tool
    def where() -> str:
        """Say which thread."""
        return f"{threading.current_thread() is threading.main_thread()} {mark.get()}"

    assert where.is_threaded
    assert await where.call(CTX, "") == "False kept"


async def test_what_a_thread_raises_arrives_where_it_is_awaited() -> None:
    @tool
    def fails() -> str:
        """Fail."""
        raise ToolFailed("the lift is broken")

    with pytest.raises(ToolFailed, match="the lift is broken"):
        await fails.call(CTX, "")


async def test_a_thread_that_was_given_up_reports_when_it_comes_back() -> None:
    gate, came_back, begun = threading.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    @tool
    def hangs() -> str:
        """Hang."""
        loop.call_soon_threadsafe(begun.set)
        gate.wait()
        return "late"

    running = asyncio.ensure_future(hangs.call(CTX, "", late=came_back.set))
    async with asyncio.timeout(5):
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not came_back.is_set()
        gate.set()
        await came_back.wait()


async def test_a_tool_that_exits_fails_instead_of_ending_the_server() -> None:
    @tool
    async def leave() -> str:
        """Leave."""
        sys.exit(3)

    @tool
    def leave_from_a_thread() -> str:
        """Leave."""
        sys.exit(3)

    for one in (leave, leave_from_a_thread):
        with pytest.raises(ToolFailed, match="tried to end the program"):
            await one.call(CTX, "")


def untold(city: str) -> str:
    """Say the weather."""
    return city


def untyped(city) -> str:  # type: ignore[no-untyped-def]  # the mistake under test
    """Say the weather.

    Args:
        city: Where.
    """
    return str(city)


def undocumented(city: str) -> str:
    return city


def returns_something(city: str):  # type: ignore[no-untyped-def]  # the mistake under test
    """Say the weather.

    Args:
        city: Where.
    """
    return city


def many(*cities: str) -> str:
    """Say the weather.

    Args:
        cities: Where.
    """
    return " ".join(cities)


def anything(**places: str) -> str:
    """Say the weather.

    Args:
        places: Where.
    """
    return " ".join(places)


def by_position(city: str, /) -> str:
    """Say the weather.

    Args:
        city: Where.
    """
    return city


def context_by_position(ctx: ToolContext, /, city: str) -> str:
    """Say the weather.

    Args:
        ctx: Who asks.
        city: Where.
    """
    return ctx.locale + city


def contexts(*ctx: ToolContext) -> str:
    """Say the weather."""
    return ctx[0].locale


def 天气(city: str) -> str:  # noqa: N802, PLC2401  # the mistake under test
    """Say the weather.

    Args:
        city: Where.
    """
    return city


def misdescribed(city: str) -> str:
    """Say the weather.

    Args:
        city: Where.
        day: When.
    """
    return city


def undescribable(thread: threading.Thread) -> str:
    """Say the weather.

    Args:
        thread: Which.
    """
    return thread.name


def unreadable(city: "Citty") -> str:  # type: ignore[name-defined]  # noqa: F821  # the mistake
    """Say the weather.

    Args:
        city: Where.
    """
    return str(city)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (untold, "'city' needs a line under Args: in the docstring"),
        (untyped, "'city' needs a type"),
        (undocumented, "a tool needs a docstring; the model reads it"),
        (returns_something, "say what it returns, for example -> str"),
        (many, "*cities cannot be offered to a model; name each parameter"),
        (anything, "**places cannot be offered to a model; name each parameter"),
        (by_position, "'city' is positional-only; a model gives arguments by name"),
        (context_by_position, "'ctx' is filled by name; leave out the / behind it"),
        (contexts, "'ctx' is filled by name; leave out the / behind it or the * before it"),
        (天气, "a tool's name has 1 to 64 of a-z A-Z 0-9 _ -; '天气' has not"),
        (misdescribed, "the docstring describes 'day', which is not a parameter"),
        (undescribable, "a type cannot be described to a model: Unable to generate"),
        (unreadable, "an annotation cannot be read: name 'Citty' is not defined"),
    ],
)
def test_a_function_that_a_model_could_not_use_stops_the_start_with_its_place(
    function: Callable[..., str], told: str
) -> None:
    with pytest.raises(PluginError) as caught:
        tool(function)
    line = function.__code__.co_firstlineno
    expected = f"tests/engine/test_tools.py:{line} {function.__name__}(): {told}"
    assert any(problem.startswith(expected) for problem in caught.value.problems)


def test_all_mistakes_of_a_function_are_told_at_once() -> None:
    def wrong(a: str, b):  # type: ignore[no-untyped-def]  # the mistake under test
        return a, b

    with pytest.raises(PluginError) as caught:
        tool(wrong)
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"effect": "twice"}, "effect is one of read, idempotent, once"),
        ({"roles": "operator"}, "roles and examples are collections"),
        ({"timeout": 0}, "timeout must be more than nothing"),
    ],
)
def test_a_wrong_option_stops_the_start(options: dict[str, Any], told: str) -> None:
    async def ping() -> str:
        """Answer."""
        return "pong"

    with pytest.raises(PluginError, match=told):
        tool(**options)(ping)


class Place(BaseModel):
    shelf: int = Field(ge=1, description="Which shelf.")


async def test_a_plugin_builds_a_tool_from_its_configuration() -> None:
    async def find(ctx: ToolContext, place: Place) -> str:
        return f"{ctx.tenant}: shelf {place.shelf}"

    built = Tool.build(
        name="find_book",
        description="Find a book.",
        parameters=Place,
        function=find,
        private=True,
        timeout=2.5,
        examples=["where is the book"],
    )
    assert (built.spec.name, built.spec.private, built.timeout) == ("find_book", True, 2.5)
    assert built.spec.parameters["properties"]["shelf"]["minimum"] == 1
    assert await built.call(CTX, '{"shelf": "3"}') == "default: shelf 3"
    with pytest.raises(ToolRetry, match="shelf: Input should be greater than or equal to 1"):
        await built.call(CTX, '{"shelf": 0}')
    for name, description in (("find a book", "Find a book."), ("find_book", " ")):
        with pytest.raises(PluginError):
            Tool.build(name=name, description=description, parameters=Place, function=find)


def test_a_tool_says_where_it_comes_from_in_one_line() -> None:
    assert greet.signature == "greet(name: string, times: integer = 1)"
    assert greet.source.startswith("tests/engine/test_tools.py:")
    assert greet.plugin == "test_tools"
    assert greet.offered_by("hotel").plugin == "hotel"
    assert repr(greet) == f"<Tool greet from {greet.source}>"
