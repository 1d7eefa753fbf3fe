"""What the walks through Slack and WeChat claim is run."""

import ast
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from adapters.slack import manifest
from adapters.slack.manifest import WORDS
from bot.cli.commands import main
from bot.configload import Loaded, load

ROOT = Path(__file__).parents[1]
PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("slack", "wechat")
}
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENVIRON = {
    "SLACK_BOT_TOKEN": "xoxb-1234567890-1234567890-abcdef",
    "SLACK_APP_TOKEN": "xapp-1-A0EXAMPLE-1234567890-abcdef",
    "SLACK_SIGNING_SECRET": "0123456789abcdef0123456789abcdef",
    "WECHAT_APP_SECRET": "0123456789abcdef0123456789abcdef",
    "WECHAT_TOKEN": "exampletoken",
    "WECHAT_AES_KEY": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, without the indentation of the list that they are in."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def loaded(text: str, folder: Path) -> Loaded:
    """The block as a configuration file."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, ENVIRON, ROOT)


def whole(text: str) -> list[str]:
    """The blocks that set up a platform."""
    return [block for block in blocks(text, "yaml") if "adapters" in yaml.safe_load(block)]


@pytest.mark.parametrize(
    ("page", "number", "mode"),
    [
        ("slack", 0, {"mode": "socket", "stream": "edit"}),
        ("slack", 1, {"mode": "http", "app_token": None}),
        ("wechat", 0, {"allow_plaintext": False, "audience": "customers"}),
        ("wechat", 1, {"allow_plaintext": True, "aes_key": None}),
    ],
)
def test_every_configuration_of_the_pages_loads(
    page: str, number: int, mode: dict[str, object], tmp_path: Path
) -> None:
    found = whole(PAGES[page])
    assert len(found) == 2
    entry = loaded(found[number], tmp_path).settings.adapters[page]
    assert {key: getattr(entry, key) for key in mode} == mode


def test_slacks_block_of_the_readme_is_the_one_of_its_page(tmp_path: Path) -> None:
    (block,) = [block for block in whole(README) if "adapters.slack" in block]
    assert yaml.safe_load(block) == yaml.safe_load(whole(PAGES["slack"])[0])
    loaded(block, tmp_path)


def commands(page: str) -> list[list[str]]:
    """The commands of ours that a page lets people type in blocks."""
    lines = [line for block in blocks(PAGES[page], "sh") for line in block.splitlines()]
    return [line.split()[1:] for line in lines if line.startswith(".venv/bin/parley ")]


def test_the_manifests_of_the_page_are_what_the_code_asks_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = []
    for command in commands("slack"):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 0
        printed.append(json.loads(capsys.readouterr().out))
    address = "https://bot.example.com/in/slack"
    assert printed == [manifest(), manifest("http", address)]


def test_the_slash_commands_of_the_page_are_the_codes() -> None:
    for word in WORDS:
        assert f"`{word}`" in PAGES["slack"]


def sentences(package: str) -> Iterator[str]:
    """Every text that stands in a package."""
    for path in sorted((ROOT / package).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_says_that_check_says_is_said(page: str) -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \|", PAGES[page].partition("## When something is wrong")[2], re.MULTILINE
    )
    assert len(rows) >= 12
    said = "\n".join([*sentences(f"adapters/{page}"), *sentences("bot/app")])
    for row in rows:
        assert row.removeprefix("this is ") in said, row


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_a_page_names_is_one(page: str) -> None:
    fields = import_module(f"adapters.{page}").Settings.model_fields
    text = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)(?:: [^`]+)?`", text))
    others = {"account_inactive", "parley_rejected_total", "parley_probe_ok"}
    assert named - others <= set(fields)
