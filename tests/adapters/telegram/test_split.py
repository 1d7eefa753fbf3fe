"""Long answers in pieces that each fit and read well alone."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram.render import TEXT_LIMIT, render
from adapters.telegram.split import pieces, split
from bot import Address, Choice, Citation, File, Image, Outbound
from bot.domain.sentences import repeated

GROUP = Address("telegram", "1", "-5")
OUT = Outbound("turn/answer", GROUP, "")


def bare(text: str) -> str:
    return "".join(text.split())


def all_fit(parts: list[str], limit: int = TEXT_LIMIT) -> bool:
    return all(0 < render(part).units <= limit for part in parts)


def test_what_fits_stays_whole() -> None:
    assert split("# Hi\n\n**short**") == ["# Hi\n\n**short**"]


def test_it_is_cut_between_paragraphs_before_anything_else() -> None:
    paragraph = "One sentence here. Another one there. " * 30
    text = "\n\n".join([paragraph.strip()] * 8)
    parts = split(text)
    assert all_fit(parts)
    assert all(part.startswith("One sentence") for part in parts)
    assert all(part.endswith("there.") for part in parts)
    assert bare("".join(parts)) == bare(text)


@pytest.mark.parametrize(
    ("sentence", "end"),
    [("This is said, and then that is said! ", "!"), ("今天天气很好，我们去公园吧。", "。")],
)
def test_one_long_paragraph_is_cut_at_sentence_ends(sentence: str, end: str) -> None:
    text = (sentence * (12_000 // len(sentence))).strip()
    parts = split(text)
    assert len(parts) > 1
    assert all_fit(parts)
    assert all(part.endswith(end) for part in parts)
    assert bare("".join(parts)) == bare(text)


def test_without_sentences_it_is_cut_between_words() -> None:
    parts = split("word " * 3000)
    assert all_fit(parts)
    assert all(part.strip().endswith("word") for part in parts)


def test_a_code_fence_is_closed_and_opened_again_with_its_language() -> None:
    code = "\n".join(f"print({number})  # a line of code" for number in range(500))
    parts = split(f"Here it is:\n\n```python\n{code}\n```\n\nThat is all.")
    assert len(parts) > 2
    assert all_fit(parts)
    for part in parts:
        marks = [mark for mark in render(part).entities if mark.type == "pre"]
        assert [mark.language for mark in marks] == ["python"]
    lines = [line for part in parts for line in part.splitlines() if line.startswith("print")]
    assert "\n".join(lines) == code


def test_a_fence_in_a_list_goes_on_at_the_margin() -> None:
    code = "\n".join(f"   x = {number}" for number in range(900))
    parts = split(f"1. do this\n\n   ```py\n{code}\n   ```\n2. done")
    assert all_fit(parts)
    for part in parts:
        assert [mark.language for mark in render(part).entities if mark.type == "pre"] == ["py"]
    assert "   x = " not in "".join(render(part).text for part in parts)


def test_a_table_takes_its_head_along() -> None:
    rows = "\n".join(f"| {number} | some words | 中文 |" for number in range(400))
    parts = split(f"| n | what | zh |\n|---|---|---|\n{rows}")
    assert len(parts) > 1
    assert all_fit(parts)
    for part in parts:
        assert [mark.type for mark in render(part).entities] == ["pre"]
        assert render(part).text.startswith("n ")


def test_emoji_and_flags_are_not_torn() -> None:
    family, flag = "👨‍👩‍👧‍👦", "🇩🇪"
    for sign in (family, flag, "é", "👍🏽"):
        parts = split(sign * 4000)
        assert all_fit(parts)
        assert all(part == sign * (len(part) // len(sign)) for part in parts)


def test_markup_is_not_torn_where_it_can_be_helped() -> None:
    text = "Read **these bold words** and `that code` in [the guide](https://e.example/x). " * 150
    parts = split(text)
    assert all_fit(parts)
    assert bare(render(text).text) == bare("".join(render(part).text for part in parts))


LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "", "- ", "  - ", "> ", "1. ", "# ", "```py\n", "```\n", "| ", "\n"]),
        st.lists(
            st.tuples(
                st.sampled_from(["", "", "**", "`", "[", "~~", "<i>", "😀"]),
                st.from_regex(r"w[a-z]{2,7}[0-9]", fullmatch=True),
                st.sampled_from(["", "", "**", "`", "](https://e.example/y)", "~~", ". ", "。"]),
            ).map("".join),
            min_size=1,
            max_size=12,
        ).map(" ".join),
    ).map("".join),
    min_size=1,
    max_size=25,
).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(text=LINES, limit=st.integers(60, 400))
def test_any_markdown_comes_out_in_pieces_that_fit_and_loses_no_word(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all_fit(parts, limit)
    whole = bare("".join(render(part).text for part in parts))
    for word in text.split():
        plain = "".join(character for character in word if character.isalnum())
        if plain.startswith("w") and plain.isascii() and plain.isalnum() and plain == word:
            assert word in whole


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=400), st.integers(10, 60))
def test_any_text_comes_out_in_pieces_that_fit(text: str, limit: int) -> None:
    assert all(render(part).units <= limit for part in split(text, limit))


def test_buttons_stand_under_the_last_piece_which_is_a_reply_like_the_first() -> None:
    out = replace(
        OUT, text="word " * 2000, reply_to="7", choices=(Choice("Yes", "yes"),), citations=()
    )
    parts = pieces(out)
    assert len(parts) == 3
    assert [part.reply_to for part in parts] == ["7", None, "7"]
    assert [len(part.choices) for part in parts] == [0, 0, 1]
    assert len({part.key for part in parts}) == 3
    assert parts[0].key == "turn/answer"


def test_nothing_to_say_is_no_piece() -> None:
    assert pieces(OUT) == []
    assert pieces(replace(OUT, text=" \n ")) == []


def test_one_attachment_takes_a_short_text_as_its_caption() -> None:
    picture = Image("https://e.example/p.png")
    (one,) = pieces(replace(OUT, text="a picture", attachments=(picture,)))
    assert (one.text, one.attachments) == ("a picture", (picture,))


def test_several_attachments_are_a_call_each() -> None:
    files = (File("a"), File("b"))
    parts = pieces(replace(OUT, text="two files", attachments=files))
    assert [(part.text, part.attachments) for part in parts] == [
        ("two files", ()),
        ("", files[:1]),
        ("", files[1:]),
    ]


def test_sources_are_listed_under_the_answer() -> None:
    cited = (Citation("Guide [1]", "https://e.example/g"), Citation("Talk"))
    (one,) = pieces(replace(OUT, text="So it is.", citations=cited))
    rendered = render(one.text)
    assert rendered.text == "So it is.\n\n1. Guide [1]\n2. Talk"
    assert [mark.url for mark in rendered.entities] == ["https://e.example/g"]


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_each_piece_but_the_last_has_room_to_say_that_it_is_sent_again(locale: str) -> None:
    *first, _ = split("Words and more words, without an end. " * 400)
    assert first
    assert all(len(split(repeated(text, locale))) == 1 for text in first)
