"""`config.example.yaml` starts as it stands, and every block of it works when it is uncommented."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from pydantic import BaseModel

from bot.config import MODELS, AudienceSettings, OperatorSettings
from bot.configload import Loaded, load
from bot.engine.tools import Tool
from tests.needs import ROOT

TEXT = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
LINES = TEXT.splitlines()
# `#key:` and the lines below it are settings that wait; `# words` is prose.
WAITING = re.compile(r"(\s*)#(?=[\w-]|  )(.*)")
KEY = re.compile(r"\s*#?\s*(?:- )?(\w+):(.*)")
ENVIRON = {
    "SLACK_APP_TOKEN": "xapp-1-A0EXAMPLE-1234567890-abcdef",
    "SLACK_BOT_TOKEN": "xoxb-1234567890-1234567890-abcdef",
    "TELEGRAM_TOKEN": "123456789:AAabcdefghijklmnopqrstuvwxyz_-12345",
    "WECHAT_AES_KEY": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "WECHAT_TOKEN": "exampletoken",
}


def blocks() -> list[range]:
    """The lines of each block that is commented out."""
    found: list[range] = []
    start = None
    for number, line in enumerate([*LINES, ""]):
        waits = WAITING.match(line) is not None
        if waits and start is None:
            start = number
        elif not waits and start is not None:
            found.append(range(start, number))
            start = None
    return found


def uncommented(block: range) -> str:
    """The example with one block in force; a lone line replaces the same key above it."""
    lines = list(LINES)
    for number in block:
        lines[number] = WAITING.sub(r"\1\2", LINES[number])
    if len(block) == 1:
        twin = next(
            (
                n
                for n in reversed(range(block.start))
                if key_of(LINES[n]) == key_of(lines[block.start])
            ),
            None,
        )
        if twin is not None:
            lines[twin] = ""
    return "\n".join(lines)


def every_version(folder: Path) -> Iterator[Loaded]:
    """The example as it stands, and with each of its blocks in force."""
    yield loaded(folder, TEXT)
    for block in blocks():
        yield loaded(folder, uncommented(block))


def key_of(line: str) -> str | None:
    """The key that a line sets, with its indentation."""
    match = re.match(r"\s*\w+:", line)
    return match[0] if match else None


def environ() -> dict[str, str]:
    """A value for every `${NAME}` of the example."""
    return {name: ENVIRON.get(name, "x") for name in re.findall(r"\$\{(\w+)\}", TEXT)} | ENVIRON


def loaded(folder: Path, text: str) -> Loaded:
    """Load a text as somebody's config.yaml."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ(), folder)


def test_its_uncommented_part_equals_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT, encoding="utf-8")
    assert load(path, {}, tmp_path).settings == load(None, {}, tmp_path).settings


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"line {block.start + 1}")
def test_each_block_loads_when_it_is_uncommented(tmp_path: Path, block: range) -> None:
    found = loaded(tmp_path, uncommented(block))
    line = re.compile(rf"config.yaml line {block.start + 1}( with \w+)?")
    assert any(line.fullmatch(source) for source in found.source_of.values())


def test_every_key_of_every_settings_class_is_shown(tmp_path: Path) -> None:
    shown: dict[type[BaseModel], set[str]] = {}
    for found in every_version(tmp_path):
        for place, group in _groups(found.settings, ""):
            keys = {key for key in type(group).model_fields if f"{place}{key}" in found.source_of}
            shown.setdefault(type(group), set()).update(keys)
    assert {AudienceSettings, OperatorSettings, *MODELS.values()} <= shown.keys()
    lacking = {group: group.model_fields.keys() - keys for group, keys in shown.items()}
    assert {group.__qualname__: keys for group, keys in lacking.items() if keys} == {}


def test_every_built_in_adapter_and_plugin_is_shown(tmp_path: Path) -> None:
    versions = [found.settings for found in every_version(tmp_path)]
    adapters = {entry.use for settings in versions for entry in settings.adapters.values()}
    plugins = {entry.use for settings in versions for entry in settings.plugins}
    there_are = [f"plugins.{found.name}" for found in iter_modules([ROOT / "plugins"])]
    # The terminal is part of every server and has nothing to configure.
    assert adapters | {"adapters.terminal"} == {
        f"adapters.{found.name}" for found in iter_modules([ROOT / "adapters"])
    }
    assert plugins == {name for name in there_are if _has_tools(name)}


def test_where_a_setting_has_a_default_it_is_the_one_that_is_shown(tmp_path: Path) -> None:
    for settings in (found.settings for found in every_version(tmp_path)):
        for entry in settings.adapters.values():
            defaults = {
                name: field.get_default()
                for name, field in type(entry).model_fields.items()
                if not field.is_required()
            }
            assert {name: getattr(entry, name) for name in defaults} == defaults


def test_an_operator_of_the_example_is_somebody_who_can_write(tmp_path: Path) -> None:
    named = {one.adapter for found in every_version(tmp_path) for one in found.settings.operators}
    # The id of a visitor of the page is made up when they come.
    assert named
    assert "web" not in named


def test_every_setting_has_a_sentence() -> None:
    settings = [number for number, line in enumerate(LINES) if _is_setting(line)]
    silent = [LINES[number] for number in settings if not _sentence(number)]
    assert silent == []


def _has_tools(name: str) -> bool:
    values = vars(import_module(name))
    return "build" in values or any(isinstance(value, Tool) for value in values.values())


def _is_setting(line: str) -> bool:
    match = KEY.match(line)
    waits_or_not = not line.lstrip().startswith("#") or WAITING.match(line) is not None
    return match is not None and waits_or_not and bool(match[2].split("#")[0].strip())


def _sentence(number: int) -> str:
    _, _, own = LINES[number].lstrip(" #").partition("# ")
    above = LINES[number - 1].strip()
    return own or (above if above.startswith("# ") else "")


def _groups(value: object, place: str) -> Iterator[tuple[str, BaseModel]]:
    if isinstance(value, BaseModel):
        yield place, value
        for key in type(value).model_fields:
            yield from _groups(getattr(value, key), f"{place}{key}.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _groups(inner, f"{place}{key}.")
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from _groups(inner, f"{place}{number}.")
