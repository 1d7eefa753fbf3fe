"""What people read: complete in both languages, and every name that the engine uses exists."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from bot.domain.sentences import REPEAT_ROOM, locale_of, names, repeated, sentence

ROOT = Path(__file__).parents[2]
CHINESE = re.compile("[\u4e00-\u9fff]")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("name", sorted(names()))
def test_every_sentence_is_there_in_both_languages_with_the_same_blanks(name: str) -> None:
    class Blank(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return f"<{key}>"

    values = {key: f"<{key}>" for key in ("size", "turns", "input", "output", "tools")}
    values |= {key: f"<{key}>" for key in ("tool", "arguments", "names")}
    english, chinese = sentence(name, "en", **values), sentence(name, "zh", **values)
    assert CHINESE.search(chinese)
    assert not CHINESE.search(english)
    assert set(re.findall("<[a-z]+>", english)) == set(re.findall("<[a-z]+>", chinese))


@pytest.mark.parametrize("name", sorted(names()))
def test_chinese_is_punctuated_as_chinese_is(name: str) -> None:
    values = dict.fromkeys(fields_of_all(), "x")
    assert not re.search("[\u4e00-\u9fff”)）][,:;]", sentence(name, "zh", **values))


def fields_of_all() -> set[str]:
    return {"size", "turns", "input", "output", "tools", "tool", "arguments", "names"}


def test_the_engine_and_the_policies_say_only_sentences_that_exist() -> None:
    used: set[str] = set()
    for path in [*ROOT.glob("bot/engine/*.py"), *ROOT.glob("bot/policy/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # drafting.py has a `_failed` of its own, whose words are for the operator
            if path.name == "drafting.py" or not isinstance(node, ast.Call) or not node.args:
                continue
            called = ast.unparse(node.func).rpartition(".")[2]
            first = node.args[0]
            if (
                called in {"sentence", "_say", "_failed", "_refuse", "Refusal", "NoAnswer"}
                and isinstance(first, ast.Constant)
                and isinstance(first.value, str)
            ):
                used.add(first.value)
    assert used >= {"stopped", "model_unreachable", "too_long"}
    assert used <= names()


@pytest.mark.parametrize(
    ("wanted", "default", "chosen"),
    [
        ("zh-CN", "en", "zh"),
        ("zh_Hant_TW", "en", "zh"),
        ("en-GB", "zh", "en"),
        ("de", "zh", "zh"),
        (None, "zh", "zh"),
        (None, "fr", "en"),
    ],
)
def test_the_sender_s_language_wins_over_the_default(
    wanted: str | None, default: str, chosen: str
) -> None:
    assert locale_of(wanted, default) == chosen


@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.parametrize(
    "text", ["Hello", "# Title", "```py\npass\n```", "- one", "1. one", "| a |"]
)
def test_the_mark_of_a_repeat_breaks_no_markdown_and_has_room(text: str, locale: str) -> None:
    marked = repeated(text, locale)
    mark = marked.removesuffix(text)
    assert mark.strip() == sentence("repeated_mark", locale)
    assert mark.endswith("\n\n") is (text != "Hello")
    assert len(mark.encode()) <= REPEAT_ROOM
