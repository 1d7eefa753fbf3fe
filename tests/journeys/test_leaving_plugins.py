"""What would end the server, raised where a plugin's own code is run beside its functions."""

import json
from pathlib import Path

import pytest

from tests.journeys.inside import inside
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Call, tool_then_answer

PLUGIN = '''"""Functions whose arguments, or whose results, would end the server."""

from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

from bot import tool


def leave(value: object) -> object:
    raise SystemExit(3)


@tool
async def checks(word: Annotated[str, AfterValidator(leave)]) -> str:
    """Check a word.

    Args:
        word: Any.
    """
    return word


@tool
async def tells() -> Annotated[int, PlainSerializer(leave)]:
    """Tell a number."""
    return 1


@tool
async def ends_itself() -> str:
    """Raise what ends a generator."""
    raise GeneratorExit
'''
LEAVES = "tried to end the program"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Call("checks", {"word": "x"}), f"checks {LEAVES}"),
        (Call("tells"), "tells failed"),
        (Call("ends_itself"), "ends_itself was cancelled"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_it_is_a_failure_of_the_call_and_nobody_elses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], call: Call, words: str
) -> None:
    (tmp_path / "leaving.py").write_text(PLUGIN, encoding="utf-8")
    script = tool_then_answer(call, say=lambda found: f"I was told: {found[0]}")
    plugins, log = [{"use": "./leaving.py"}], {"format": "json", "level": "error"}
    async with (
        ModelPeer(script) as model,
        inside(tmp_path, model, plugins=plugins, log=log, quiet=False) as house,
    ):
        said = await house.ask("do it")
    assert words in said
    failed = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(failed) == (call.name != "ends_itself")
    if LEAVES in words:
        assert any("leaving.py:11 leave" in place for place in failed[0]["trace"])
