"""What is sent: blocks, plain words, pieces that each fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.render import (
    NOTICE_LIMIT,
    TEXT_LIMIT,
    asked_in,
    first_part,
    growing,
    render,
    size,
)
from adapters.slack.split import pieces, split
from adapters.slack.words import harmless
from bot import Activity, ActivityState, Address, Choice, Citation, File, Image, Outbound
from bot.domain.sentences import repeated
from tests.peers.slack_rules import check_blocks

PLACE = Address("slack", "T1", "D1")


def out(text: str, **more: object) -> Outbound:
    return Outbound("7/0", PLACE, text, **more)  # type: ignore[arg-type]  # its fields


@pytest.mark.parametrize(
    ("markdown", "notice"),
    [
        ("**bold** and `code`", "bold and `code`"),
        ("# Title\n\ntext", "Title\n\ntext"),
        ("[a](https://e.example) ![b](<https://e.example>)", "a b"),
        ("```py\nx < 1\n```", "x &lt; 1"),
        ("2 * 3 * 4 & 5", "2 * 3 * 4 &amp; 5"),
        ("~~no~~ __yes__", "no yes"),
    ],
)
def test_a_notification_shows_the_words_without_their_marks(markdown: str, notice: str) -> None:
    rendered = render(markdown)
    assert rendered.notice == notice
    assert rendered.blocks == ({"type": "markdown", "text": markdown},)


def test_a_notification_is_short_however_long_the_text() -> None:
    assert len(render("word " * 2000).notice) <= NOTICE_LIMIT


def test_buttons_are_what_slack_takes() -> None:
    choices = [Choice(f"{'long ' * 30}{n}", "v" * (2100 if n == 0 else 3)) for n in range(30)]
    (actions,) = render("", choices).blocks
    check_blocks([actions])
    first, second = actions["elements"][:2]
    assert "value" not in first
    assert second["value"] == "vvv"
    assert render("", [Choice("", "")]).notice
    assert render("", [Choice("", "x")]).blocks[0]["elements"][0]["text"]["text"] == "x"


def test_a_short_text_is_one_piece_and_nothing_is_none() -> None:
    assert [piece.text for piece in pieces(out("hi"))] == ["hi"]
    assert pieces(out("  \n")) == []
    assert len(pieces(out("", choices=(Choice("a", "b"),)))) == 1


def test_pieces_have_keys_of_their_own_and_the_last_has_the_buttons() -> None:
    made = pieces(out("word " * 6000, choices=(Choice("a", "b"),), reply_to="1.2"))
    assert [piece.key for piece in made] == ["7/0", "7/0/1", "7/0/2"]
    assert [len(piece.choices) for piece in made] == [0, 0, 1]
    assert [piece.reply_to for piece in made] == ["1.2", None, "1.2"]


def test_buttons_know_what_they_answer() -> None:
    yes = [Choice("Yes", "yes")]
    answer = render("Shall I?", yes, asked="1.2").blocks
    assert asked_in(check_blocks(list(answer))) == "1.2"
    assert asked_in(render("Shall I?", yes).blocks) is None
    assert asked_in([{"type": "markdown", "block_id": "asked:1.2"}]) is None


def test_sources_and_attachments_are_links() -> None:
    attached = (Image("https://e.example/a.png", caption="a [cat]"), File("F1", "secret.pdf"))
    cited = (Citation("Page", "https://e.example/p"), Citation("Book"))
    (piece,) = pieces(out("See.", attachments=attached, citations=cited))
    assert piece.text == (
        "See.\n\n1. [Page](<https://e.example/p>)\n2. Book\n\n[a \\[cat\\]](<https://e.example/a.png>)"
    )


def test_a_cut_code_block_is_closed_and_opened_again() -> None:
    text = "Look:\n\n```python\n" + "print('x')\n" * 40 + "```\n\nDone."
    made = split(text, 150)
    for piece in made[:-1]:
        assert piece.count("```") % 2 == 0
    assert all(size(piece) <= 150 for piece in made)
    assert "".join(made).count("print('x')") == 40
    assert made[1].startswith("```python\n")


def test_a_cut_is_made_between_paragraphs_then_sentences_then_words() -> None:
    paragraph = "One sentence here. Another one there. "
    assert split(f"{paragraph * 2}\n\n{paragraph * 2}", 100) == [
        (paragraph * 2).strip(),
        paragraph * 2,
    ]
    assert split("One sentence here. Another one there. And a third.", 45) == [
        "One sentence here. Another one there.",
        "And a third.",
    ]
    assert split("一句话。" * 10, 60)[0].endswith("。")


@given(st.text(alphabet="ab 中。😀👍🏽e\u0301`~#*_<!@\n", max_size=400), st.integers(40, 120))
def test_every_piece_fits_and_no_word_is_lost(text: str, limit: int) -> None:
    made = split(text, limit)
    assert all(size(piece) <= limit for piece in made)
    assert all(piece.strip() for piece in made)
    plain = [c for c in text if c not in "`~ \n"]
    assert [c for c in "".join(made) if c not in "`~ \n"][: len(plain)] or not plain


@given(st.text(alphabet="ab中😀<!@", max_size=300))
def test_a_text_without_code_is_cut_without_a_loss(text: str) -> None:
    assert "".join("".join(split(text, 50)).split()) == "".join(text.split())


def test_an_emoji_of_several_parts_is_not_torn() -> None:
    family = "👨\u200d👩\u200d👧"
    assert all(
        piece.count("\u200d") % 2 == 0 and not piece.startswith("\u200d")
        for piece in split(family * 40, 100)
    )


def test_the_beginning_of_a_long_text_is_a_message() -> None:
    for text in ("short", "字" * 9000, "```\n" + "code\n" * 4000, "<!a " * 4000):
        first = first_part(text)
        check_blocks(list(render(first).blocks))
        assert size(first) <= TEXT_LIMIT


def test_the_largest_message_with_the_most_buttons_is_taken() -> None:
    (piece, *_) = split("字 word\n" * 4000)
    choices = [Choice("l" * 75, "v" * 2000) for _ in range(25)]
    check_blocks(list(render(piece, choices).blocks))


def test_our_commands_are_named_as_slack_lets_people_type_them() -> None:
    (piece,) = pieces(out("I understand:\n\n- /new – a new one\n- /news is none\nor /new"))
    assert piece.text == ("I understand:\n\n- `/parley new` – a new one\n- /news is none\nor /new")


def test_only_tools_at_work_are_shown() -> None:
    done = Activity("calculator", "{}", ActivityState.DONE)
    running = Activity("clock", "{}", ActivityState.RUNNING)
    assert growing("So", [done, running]) == "So\n\n⏳ `clock`"
    assert growing("", [done]) == ""


def test_nobody_is_called() -> None:
    assert harmless("<!channel> <@U1> <#C1> <https://e.example> a<b") == (
        "&lt;!channel> &lt;@U1> &lt;#C1> <https://e.example> a<b"
    )


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_each_piece_but_the_last_has_room_to_say_that_it_is_sent_again(locale: str) -> None:
    *first, _ = split("Words and more words, without an end. " * 900)
    assert first
    assert all(len(split(repeated(text, locale))) == 1 for text in first)
