"""A plugin that misbehaves: the turn goes on, and the operator sees the file and the line."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ConfigError
from tests.journeys.inside import inside
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Call, tool_then_answer

PLUGIN = '''"""Functions that misbehave."""

import asyncio

from bot import tool


@tool
async def raises() -> str:
    """Fail."""
    raise ValueError("said in confidence")


@tool(timeout=0.1)
async def hangs() -> str:
    """Wait for ever."""
    await asyncio.Event().wait()
    return "never"


@tool
def floods() -> str:
    """Say too much."""
    return "x" * 1_000_000


@tool
async def leaves() -> str:
    """End the program."""
    raise SystemExit(3)


@tool
def leaves_in_a_thread() -> str:
    """End the program."""
    raise SystemExit(3)
'''
RAISING_LINE = PLUGIN.splitlines().index('    raise ValueError("said in confidence")') + 1


async def told(folder: Path, name: str) -> str:
    """What the model is told when it calls this function, as the person gets to read it."""
    (folder / "odd.py").write_text(PLUGIN, encoding="utf-8")
    script = tool_then_answer(Call(name), say=lambda found: f"I was told: {found[0]}")
    plugins = [{"use": "./odd.py"}]
    log = {"format": "json", "level": "debug"}
    async with (
        ModelPeer(script) as model,
        inside(folder, model, plugins=plugins, log=log, quiet=False) as house,
    ):
        return await house.ask("do it")


async def test_one_that_raises_is_told_with_file_and_line_to_the_operator_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = await told(tmp_path, "raises")
    assert said == "I was told: raises failed; go on without it."
    written = capsys.readouterr().err
    (line,) = (line for line in written.splitlines() if '"failed"' in line and "ValueError" in line)
    assert any(f"odd.py:{RAISING_LINE} raises" in place for place in json.loads(line)["trace"])
    assert "confidence" not in written


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hangs", "gave no answer within"),
        ("floods", "more characters"),
        ("leaves", "leaves tried to end the program"),
        ("leaves_in_a_thread", "leaves_in_a_thread tried to end the program"),
    ],
)
async def test_one_that_hangs_leaves_or_says_too_much_does_not_hold_up_the_turn(
    tmp_path: Path, name: str, words: str
) -> None:
    said = await told(tmp_path, name)
    assert words in said
    assert len(said) < 100_000


BROKEN: list[Any] = [
    ('"""It cannot be read."""\n\ndef broken(:\n', "broken.py line 3"),
    ('"""It fails."""\n\nimport nowhere_to_be_found\n', "nowhere_to_be_found"),
    ('"""It fails."""\n\n1 / 0\n', "broken.py line 3"),
    (
        '"""Untyped."""\n\nfrom bot import tool\n\n\n@tool\nasync def shout(word) -> str:\n'
        '    """Shout.\n\n    Args:\n        word: What.\n    """\n    return word\n',
        "shout",
    ),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
async def test_one_that_cannot_be_loaded_is_a_sentence_at_the_start(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "broken.py").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        async with inside(tmp_path, plugins=[{"use": "./broken.py"}]):
            pass
    (problem,) = found.value.problems
    assert problem.startswith("plugins.0")
    assert words in problem
