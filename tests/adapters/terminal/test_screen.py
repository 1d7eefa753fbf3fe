"""What is drawn on a screen while an answer grows, and when it is finished."""

import io
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from adapters.terminal.events import Doing, Line
from adapters.terminal.leaving import Left
from adapters.terminal.screen import Screen
from adapters.terminal.words import Words
from tests.fakes import EPOCH

_ERASED = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Drawn:
    """A screen and what is on it."""

    def __init__(self, locale: str = "en") -> None:
        self._file = io.StringIO()
        console = Console(file=self._file, force_terminal=True, width=60, height=12)
        self.screen = Screen(Words(locale), None, console)

    @property
    def text(self) -> str:
        return _ERASED.sub("", self._file.getvalue())

    @property
    def raw(self) -> str:
        return self._file.getvalue()


@pytest.fixture
def drawn() -> Iterator[Drawn]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield Drawn()


def test_a_finished_block_is_drawn_once_however_much_grows_after_it(drawn: Drawn) -> None:
    whole = "# Title\n\n" + " ".join(f"w{n}" for n in range(30))
    for end in range(1, len(whole), 7):
        drawn.screen.grow(whole[:end], ())
    drawn.screen.say(whole)
    tail = drawn.text[drawn.text.rindex("Title") :]
    assert tail.count("w29") == 1
    assert drawn.text.rstrip().endswith("w29")


def test_an_answer_that_did_not_grow_is_drawn_whole(drawn: Drawn) -> None:
    drawn.screen.say("**bold** and `code`\n\n- one\n- two")
    assert "bold and code" in drawn.text
    assert "• one" in drawn.text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**粗体。**后面", "粗体。后面"),
        ("**注意：**请先备份", "注意：请先备份"),
        ("他说**“好”**吧", "他说“好”吧"),
        ("- ~~旧价：~~新价", "旧价：新价"),
        ("数量*（1+税率）*单价", "数量*（1+税率）*单价"),
        ("`甲：**乙`", "甲：**乙"),
        ("```\n甲：**乙\n```", "甲：**乙"),
        ("[价格](https://e.example/甲：**乙)", "E4%B9%99"),
        ("⸒ **甲：**乙", "⸒ **甲：**乙"),
    ],
)
def test_marks_beside_chinese_punctuation_are_marks(drawn: Drawn, markdown: str, text: str) -> None:
    drawn.screen.say(markdown)
    assert text in drawn.text
    assert ("⸒" in drawn.text) == ("⸒" in markdown)
    assert quote("⸒") not in drawn.text


def test_a_text_that_is_replaced_is_drawn_again(drawn: Drawn) -> None:
    drawn.screen.grow("one\n\ntwo", ())
    drawn.screen.say("three")
    assert drawn.text.rstrip().endswith("three")


def test_a_tool_is_shown_running_and_told_when_it_is_done(drawn: Drawn) -> None:
    drawn.screen.grow("", [Doing("clock", '{"place": "Tokyo"}', "running")])
    drawn.screen.grow("", [Doing("clock", '{"place": "Tokyo"}', "done", "noon")])
    drawn.screen.say("It is noon.")
    assert '… clock {"place": "Tokyo"}' in drawn.text
    assert drawn.text.count('✓ clock {"place": "Tokyo"} → noon') == 1


def test_what_others_wrote_cannot_steer_the_terminal(drawn: Drawn) -> None:
    drawn.screen.welcome("ann\x1b[2J", [Line("user", "a\x1b]0;t\x07b", EPOCH)], model=True)
    drawn.screen.grow("x\x1b[2Jy", ())
    drawn.screen.say("x\x1b[2Jy", ["ye\x1bs"])
    drawn.screen.notice("\x9b31m")
    assert "\x1b[2J" not in drawn.raw
    assert "\x1b]0" not in drawn.raw
    assert "\x9b" not in drawn.raw
    assert "[yes]" in drawn.text


def test_it_says_who_one_is_what_was_said_and_that_there_is_no_model() -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        drawn = Drawn("zh")
    drawn.screen.welcome("ann", [Line("assistant", "noon", EPOCH)], model=False)
    assert "noon" in drawn.text
    assert "ann" in drawn.text
    assert "尚未配置语言模型" in drawn.text


def test_an_interrupt_that_comes_as_a_signal_says_how_to_leave_and_the_next_one_leaves(
    drawn: Drawn,
) -> None:
    assert not drawn.screen.interrupted()
    assert "Press Ctrl-C again to leave" in drawn.text
    assert drawn.screen.interrupted()


async def test_two_interrupts_at_the_prompt_are_a_way_out_of_their_own() -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        screen = Drawn().screen
        keys.send_text("never said\x03\x03")
        with pytest.raises(Left):
            await anext(screen.lines())
        keys.send_text("\x04")
        assert [line async for line in screen.lines()] == []
