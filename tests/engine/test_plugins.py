"""How the plugins that a configuration names become tools."""

import json
from pathlib import Path

import pytest

from bot.configfile import Value
from bot.engine.plugins import listed_tools, load
from bot.errors import ConfigError, PluginError
from tests.tool_context import tool_context

GREETER = '''
from bot import tool

@tool
async def {name}(name: str) -> str:
    """Greet somebody.

    Args:
        name: Who.
    """
    return f"Hello {{name}}"
'''

SHOUTER = '''
from pydantic import Field
from bot import PluginSettings, ConfigError, Tool, tool

class Settings(PluginSettings):
    """What the shouter takes."""

    marks: int = Field(default=1, ge=1, description="How many exclamation marks.")

def build(settings):
    if settings.marks > 9:
        raise ConfigError("marks: that is too loud")

    @tool
    async def shout(words: str) -> str:
        """Shout.

        Args:
            words: What.
        """
        return words.upper() + "!" * settings.marks

    return [shout]
'''


def write(folder: Path, text: str, name: str = "mine.py") -> dict[str, Value]:
    (folder / name).write_text(text, encoding="utf-8")
    return {"use": f"./{name}"}


def problems_of(entry: dict[str, Value], base: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(entry, base, place="plugins.0")
    assert all(problem.startswith("plugins.0") for problem in caught.value.problems)
    return "\n".join(caught.value.problems)


async def test_a_file_beside_the_configuration_is_a_plugin(tmp_path: Path) -> None:
    (greet,) = load(write(tmp_path, GREETER.format(name="greet")), tmp_path)
    assert (greet.name, greet.plugin) == ("greet", "mine")
    assert await greet.call(tool_context(), '{"name": "Bo"}') == "Hello Bo"


def test_a_dotted_module_is_a_plugin() -> None:
    assert [tool.plugin for tool in load({"use": "plugins.calculator"}, Path())] == ["calculator"]


async def test_a_plugin_builds_its_tools_from_its_settings(tmp_path: Path) -> None:
    (shout,) = load({**write(tmp_path, SHOUTER), "marks": 3}, tmp_path)
    assert await shout.call(tool_context(), json.dumps({"words": "ho"})) == "HO!!!"


def test_a_wrong_setting_is_named_with_its_place(tmp_path: Path) -> None:
    entry = write(tmp_path, SHOUTER)
    assert "plugins.0.marks is 0" in problems_of({**entry, "marks": 0}, tmp_path)
    assert "did you mean plugins.0.marks?" in problems_of({**entry, "mark": 2}, tmp_path)
    assert problems_of({**entry, "marks": 10}, tmp_path) == "plugins.0: marks: that is too loud"


def test_a_plugin_without_settings_takes_none(tmp_path: Path) -> None:
    entry = write(tmp_path, GREETER.format(name="greet"))
    assert "plugins.0.volume" in problems_of({**entry, "volume": 3}, tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ny = 1 / 0\n", "mine.py line 2"),
        ("def (:\n", "mine.py line 1"),
        ("import nowhere_to_be_found\n", "nowhere_to_be_found"),
        ("raise SystemExit(2)\n", "mine.py line 1"),
        ("class Odd(Exception): pass\nraise Odd('so')\n", "mine.py line 2"),
        ("x = 1\n", "offers no tool"),
        ("def build(settings):\n    return 3\n", "build must return a list of tools"),
        ("build = 3\n", "build must be a function"),
        ("class Settings: pass\n", "inherits bot.PluginSettings"),
        (
            "from bot import tool\n\n@tool\ndef bare() -> str:\n    return ''\n",
            "mine.py:3 bare(): a tool needs a docstring",
        ),
    ],
)
def test_a_plugin_that_cannot_be_used_is_told_with_file_and_line(
    tmp_path: Path, text: str, told: str
) -> None:
    said = problems_of(write(tmp_path, text), tmp_path)
    assert told in said
    assert "Traceback" not in said


def test_a_misspelt_module_is_told_the_nearest_one(tmp_path: Path) -> None:
    assert "did you mean plugins.clock?" in problems_of({"use": "plugins.clok"}, tmp_path)
    assert "there is no file" in problems_of({"use": "./gone.py"}, tmp_path)


def test_a_tool_that_a_plugin_imports_from_another_is_not_offered_twice(tmp_path: Path) -> None:
    text = "from plugins.calculator import calculate\n" + GREETER.format(name="greet")
    assert [tool.name for tool in load(write(tmp_path, text), tmp_path)] == ["greet"]


def test_two_tools_of_one_name_in_a_plugin_are_told_with_both_places(tmp_path: Path) -> None:
    text = GREETER.format(name="greet") + "first = greet\n" + GREETER.format(name="greet")
    told = problems_of(write(tmp_path, text), tmp_path)
    assert told.startswith("plugins.0: two tools are called greet: ")
    assert told.count("mine.py:") == 2


def test_an_audience_lists_tools_or_whole_plugins() -> None:
    tools = [*load({"use": "plugins.clock"}, Path()), *load({"use": "plugins.calculator"}, Path())]
    assert listed_tools(["clock"], tools) == {"now", "convert"}
    assert listed_tools(["now", "calculator"], tools) == {"now", "calculate"}
    assert listed_tools([], tools) == frozenset()
    with pytest.raises(ConfigError, match="there is no tool or plugin clok; did you mean clock"):
        listed_tools(["clok"], tools, place="audiences.customers.tools")


def test_a_mistake_in_a_tool_is_a_plugin_error(tmp_path: Path) -> None:
    text = "from bot import tool\n\n@tool\ndef bare() -> str:\n    return ''\n"
    with pytest.raises(PluginError):
        load(write(tmp_path, text), tmp_path)
