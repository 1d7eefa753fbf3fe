"""What the README promises is run."""

import re
from pathlib import Path

import yaml

from bot.engine.plugins import load
from tests.tool_context import tool_context

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The fenced block of that language that has these words in it."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (only,) = [text for text in found if containing in text]
    return only


async def test_the_plugin_of_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    source = block("python", "days_until_release")
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    (tmp_path / "release.py").write_text(source, encoding="utf-8")
    (tool,) = load({"use": "./release.py"}, tmp_path)
    assert await tool.call(tool_context(), '{"product": "ours"}') == "ours: 12 days"


def test_the_configuration_of_the_readme_is_yaml_with_known_keys() -> None:
    plugins = yaml.safe_load(block("yaml", "my_plugins/release.py"))
    assert [entry["use"] for entry in plugins["plugins"]][-1] == "./my_plugins/release.py"
    adapters = yaml.safe_load(block("yaml", "TELEGRAM_TOKEN"))["adapters"]
    assert set(adapters) == {"web", "telegram"}


def test_every_file_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"\]\(([a-zA-Z./_-]+)\)", README):
        assert (ROOT / name).exists(), name
