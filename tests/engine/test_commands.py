"""What counts as a command, and what as a yes."""

import pytest

from bot import Address, Inbound, Kind, Message, Role, Sender, Text
from bot.engine.commands import Command, command_of, is_yes
from tests.fakes import EPOCH


def inbound(text: str, kind: Kind = Kind.MESSAGE) -> Inbound:
    message = Message(Role.USER, (Text(text),), EPOCH)
    return Inbound("e", Address("list", "me", "room"), Sender("a"), message, kind)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/new", Command.NEW),
        (" /STOP now please ", Command.STOP),
        ("新对话", Command.NEW),
        ("停止", Command.STOP),
        ("帮助", Command.HELP),
        ("用量", Command.USAGE),
        ("忘记我", Command.FORGET),
        ("/start payload", Command.START),
        ("请停止", None),
        ("/newsletter", None),
        ("what does /stop do?", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_command_is_a_word_of_ours_and_nothing_like_it(
    text: str, command: Command | None
) -> None:
    assert command_of(inbound(text)) is command


def test_a_button_may_carry_a_command_but_no_bare_word() -> None:
    assert command_of(inbound("/help", Kind.BUTTON)) is Command.HELP
    assert command_of(inbound("停止", Kind.BUTTON)) is None


@pytest.mark.parametrize("kind", [Kind.EDITED, Kind.RECALLED, Kind.FEEDBACK, Kind.JOINED])
def test_nothing_else_is_ever_a_command(kind: Kind) -> None:
    assert command_of(inbound("/stop", kind)) is None


@pytest.mark.parametrize("text", ["yes", " Yes ", "OK", "是", "好", "确认", "同意"])
def test_a_yes_is_one_of_a_few_words(text: str) -> None:
    assert is_yes(inbound(text))


@pytest.mark.parametrize("text", ["", "yes please", "no", "y", "不是", "yes, but only 5", "好的吧"])
def test_anything_else_is_no_yes(text: str) -> None:
    assert not is_yes(inbound(text))
