"""A plugin that misbehaves: the turn goes on, and the operator sees the file and the line."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.errors import ConfigError
from tests.journeys.inside import inside
from tests.journeys.program import Program, running
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Call, echo, tool_then_answer

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
async def imports_late() -> str:
    """Need what is not installed."""
    import nowhere_to_be_found

    return str(nowhere_to_be_found)


@tool
async def leaves() -> str:
    """End the program."""
    raise SystemExit(3)


@tool
def leaves_in_a_thread() -> str:
    """End the program."""
    raise SystemExit(3)


@tool
async def interrupts() -> str:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


class Odd(BaseException):
    """Passes every guard."""


@tool
async def is_odd() -> str:
    """Be odd."""
    raise Odd
'''
LINES = PLUGIN.splitlines()
FAILING = [
    ("raises", "ValueError", LINES.index('    raise ValueError("said in confidence")') + 1),
    ("imports_late", "ModuleNotFoundError", LINES.index("    import nowhere_to_be_found") + 1),
]


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


@pytest.mark.parametrize(("name", "error", "number"), FAILING)
async def test_one_that_raises_is_told_with_file_and_line_to_the_operator_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, error: str, number: int
) -> None:
    said = await told(tmp_path, name)
    assert said == f"I was told: {name} failed; go on without it."
    written = capsys.readouterr().err
    (line,) = (line for line in written.splitlines() if '"failed"' in line and error in line)
    assert any(f"odd.py:{number} {name}" in place for place in json.loads(line)["trace"])
    assert "confidence" not in written


@pytest.mark.parametrize("name", ["leaves", "leaves_in_a_thread", "interrupts", "is_odd"])
async def test_one_that_would_end_the_program_is_told_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    await told(tmp_path, name)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (failed,) = (line for line in lines if line["event"] == "failed")
    assert failed["place"] == f"tool {name}"
    assert any("odd.py:" in place and place.endswith(name) for place in failed["trace"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hangs", "gave no answer within"),
        ("floods", "more characters"),
        ("leaves", "leaves tried to end the program"),
        ("leaves_in_a_thread", "leaves_in_a_thread tried to end the program"),
        ("interrupts", "interrupts tried to end the program"),
        ("is_odd", "is_odd tried to end the program"),
    ],
)
async def test_one_that_hangs_leaves_or_says_too_much_does_not_hold_up_the_turn(
    tmp_path: Path, name: str, words: str
) -> None:
    said = await told(tmp_path, name)
    assert words in said
    assert len(said) < 100_000


UNTYPED = '''"""Untyped."""

from bot import tool


@tool
async def shout(word) -> str:
    """Shout.

    Args:
        word: What.
    """
    return word
'''
UNTOLD = UNTYPED.replace("word) ->", "word: str) ->").replace('"""Shout.', '"""')
WELL = UNTYPED.replace("word) ->", "word: str) ->")
TWICE = WELL + "\n\nvalue = 1\n\n\ndef build(settings):\n    return [value]\n"
BROKEN: list[Any] = [
    ('"""It cannot be read."""\n\ndef broken(:\n', "no valid Python", "broken.py line 3"),
    ('"""It fails."""\n\nimport nowhere_to_be_found\n', "not installed", "broken.py line 3"),
    ('"""It fails."""\n\nfrom bot import nowhere\n', "ImportError", "broken.py line 3"),
    ('"""It fails."""\n\n1 / 0\n', "ZeroDivisionError", "broken.py line 3"),
    (UNTYPED, "word", "broken.py:6 shout"),
    (UNTOLD, "docstring", "broken.py:6 shout"),
    (TWICE, "build must return a list of tools", "broken.py"),
    ('"""Nothing."""\n', "offers no tool", "broken.py"),
]
OPTIONAL = {"use": "./broken.py", "optional": True}


@pytest.mark.parametrize(("text", "why", "place"), BROKEN)
async def test_one_that_cannot_be_loaded_stops_the_start_with_a_sentence_and_a_way_out(
    tmp_path: Path, text: str, why: str, place: str
) -> None:
    (tmp_path / "broken.py").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        async with inside(tmp_path, plugins=[{"use": "./broken.py"}]):
            pass
    (problem,) = found.value.problems
    assert problem.startswith("plugins.0")
    assert why in problem
    assert place in problem
    assert problem.endswith("write `optional: true` in it to start without it")


@pytest.mark.parametrize(("text", "why", "place"), BROKEN)
async def test_an_optional_one_is_left_out_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str, place: str
) -> None:
    (tmp_path / "broken.py").write_text(text, encoding="utf-8")
    plugins = [OPTIONAL, {"use": "plugins.calculator"}]
    log = {"format": "json", "level": "warning"}
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, plugins=plugins, log=log, quiet=False) as house,
    ):
        assert (await house.ask("hello")).startswith("You said: hello")
        (asked,) = model.asked
        assert asked.tools == ["calculate"]
        (absent,) = house.app.absent
    (line,) = capsys.readouterr().err.splitlines()
    written = json.loads(line)
    assert (written["level"], written["event"]) == ("warning", "plugin.absent")
    assert (written["place"], written["use"]) == ("plugins.0", "./broken.py")
    for shown in (written["why"], absent.why):
        assert why in shown
        assert place in shown


async def test_an_audience_may_list_what_an_absent_plugin_would_offer(tmp_path: Path) -> None:
    plugins = [{**OPTIONAL, "token": "${NEVER_SET}"}, {"use": "plugins.calculator"}]
    answer = {"tools": ["shout", "calculator"]}
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, plugins=plugins, answer=answer) as house,
    ):
        await house.ask("hello")
        assert model.asked[0].tools == ["calculate"]
    (tmp_path / "broken.py").write_text(WELL, encoding="utf-8")
    plugins = [OPTIONAL, {"use": "plugins.calculator"}]
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, plugins=plugins, answer=answer) as house,
    ):
        await house.ask("hello")
        assert model.asked[0].tools == ["shout", "calculate"]
        assert not house.app.absent


@pytest.mark.slow
async def test_the_operator_sees_at_the_start_and_later_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN[0][0], encoding="utf-8")
    config: dict[str, Any] = {
        "server": {"port": 0},
        "database": {"url": f"sqlite:///{tmp_path}/parley.db"},
        "plugins": [{"use": "./broken.py"}, {"use": "plugins.clock"}],
    }
    code, said = await Program(tmp_path, config).attempt()
    assert code == 2
    assert "broken.py line 3" in said
    assert "Traceback" not in said
    config["plugins"][0] = OPTIONAL
    async with running(tmp_path, config) as program:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{program.url}/status") as response,
        ):
            (absent,) = (await response.json())["plugins_not_loaded"]
        assert absent["use"] == "./broken.py"
        assert "broken.py line 3" in absent["why"]
        warning = [line for line in program.output.splitlines() if "plugin.absent" in line]
        assert len(warning) == 1
        code, listed = await program.command("plugin", "list")
        assert code == 0
        assert "./broken.py: NOT LOADED" in listed
        assert "now(" in listed
