"""How things look to a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.terminal.events import Said
from adapters.terminal.render import clean, doings, lines, pieces, said, settled
from bot import (
    Activity,
    ActivityState,
    Address,
    Choice,
    Citation,
    Entry,
    Message,
    Outbound,
    Role,
    Text,
    ToolCall,
    ToolResult,
    TurnId,
)
from tests.fakes import EPOCH

HERE = Address("terminal", "terminal", "ann")


def entry(role: Role, *parts: Text | ToolCall | ToolResult, key: str | None = None) -> Entry:
    return Entry(Message(role, parts, sent_at=EPOCH), HERE, key, TurnId(7))


def test_an_answer_of_any_length_is_one_piece() -> None:
    outbound = Outbound("7", HERE, "x" * 100_000)
    assert pieces(outbound) == (outbound,)


def test_an_answer_carries_its_sources_and_its_choices() -> None:
    piece = Outbound(
        "7/0",
        HERE,
        "text",
        citations=(Citation("Title", "http://x"),),
        choices=(Choice("Yes", "yes"),),
    )
    assert said(piece) == Said("7", "text\n\n- Title http://x", ("yes",))


def test_the_history_holds_what_was_said_and_not_how_it_came_about() -> None:
    found = lines(
        [
            entry(Role.USER, Text("time?"), key="m1"),
            entry(Role.ASSISTANT, Text("let me see"), ToolCall("c", "clock", "{}")),
            entry(Role.TOOL, ToolResult("c", "clock", "noon")),
            entry(Role.ASSISTANT, Text("noon")),
            entry(Role.USER, Text("/stop"), key="stop:m2"),
        ]
    )
    assert [(line.role, line.text, line.id, line.turn) for line in found] == [
        ("user", "time?", "m1", "7"),
        ("assistant", "noon", "", "7"),
    ]


def test_a_tool_call_is_one_short_line() -> None:
    (doing,) = doings([Activity("f", '{\n "a": 1}', ActivityState.DONE, "x" * 500)])
    assert doing.arguments == '{ "a": 1}'
    assert len(doing.result) == 200


def test_nobodys_words_steer_the_terminal() -> None:
    assert clean("a\x1b[2Jb\x9b31mc\r\x07d\te\n中") == "a[2Jb31mcd\te\n中"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", ""),
        ("one", ""),
        ("one\n\n", ""),
        ("one\n\ntwo", "one\n\n"),
        ("- a\n\n  more", ""),
        ("```\na\n\nb", ""),
        ("```\na\n\nb\n```\n\nc", "```\na\n\nb\n```\n\n"),
        ("````\n```\n\n```\n\nb", ""),
        ("~~~\n```\n~~~\n\nc", "~~~\n```\n~~~\n\n"),
        ("one\n\ntwo\n\nthree", "one\n\ntwo\n\n"),
    ],
)
def test_whole_blocks_are_those_that_will_not_change(text: str, whole: str) -> None:
    assert text[: settled(text)] == whole


@given(st.text(alphabet="ab`~-\n ", max_size=60), st.text(alphabet="ab`~-\n ", max_size=20))
def test_what_is_settled_stays_settled_when_the_text_grows(text: str, more: str) -> None:
    assert settled(text) <= settled(text + more)
