"""Long answers in pieces: none too long, nothing lost, cut where sentences end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wechat.render import TEXT_LIMIT, render
from adapters.wechat.split import CUT_MARK, pieces, size, split
from bot import Address, Audio, Choice, Citation, File, Image, Outbound
from bot.domain.sentences import repeated
from tests.peers.wechat import ANN, APP_ID

WORDS = [
    "你好",
    "。",
    "word",
    ". ",
    "\n",
    "\n\n",
    "**",
    "`",
    "```",
    "- ",
    "# ",
    "😀",
    "|",
    "a" * 90,
]


def out(text: str, **more: object) -> Outbound:
    return Outbound("1", Address("wechat", APP_ID, ANN), text, **more)  # type: ignore[arg-type]


def fitted(text: str, most: int = 3, **more: object) -> list[Outbound]:
    return list(pieces(out(text, **more), most=most, language="zh"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=900))
def test_no_piece_is_longer_than_a_message_and_none_is_empty(words: list[str]) -> None:
    text = "".join(words) * 3
    found = split(text)
    assert all(0 < size(piece) <= TEXT_LIMIT for piece in found)
    assert bool(found) == bool(text.strip())


def test_chinese_is_cut_at_the_ends_of_sentences_and_nothing_is_lost() -> None:
    text = "".join(f"这是第{number}句。" for number in range(600))
    found = split(text)
    assert "".join(found) == text
    assert all(piece.endswith("。") for piece in found)
    assert len(found) == -(-len(text.encode()) // TEXT_LIMIT)


def test_a_word_without_end_is_cut_between_characters() -> None:
    assert "".join(split("字" * 3000)) == "字" * 3000
    assert "".join(split("👩‍👩‍👧‍👦" * 300)) == "👩‍👩‍👧‍👦" * 300
    assert all(piece.startswith("👩") for piece in split("👩‍👩‍👧‍👦" * 300))


def test_a_code_block_goes_on_as_code() -> None:
    code = "\n".join(f"value_{number} = a ** {number}  # note" for number in range(200))
    found = split(f"look:\n\n```python\n{code}\n```\n\ndone")
    assert len(found) > 2
    assert "\n".join(render(piece) for piece in found) == f"look:\n\n{code}\n\ndone"


def test_an_answer_that_does_not_fit_says_so_at_its_end() -> None:
    long = "很长的一句话。" * 2000
    for most in (1, 2, 3):
        found = fitted(long, most)
        assert len(found) == most
        assert found[-1].text.endswith(CUT_MARK["zh"])
        assert all(size(piece.text) <= TEXT_LIMIT for piece in found)
    assert not fitted("kurz")[0].text.endswith(CUT_MARK["zh"])


def test_sources_choices_and_media_are_in_the_pieces() -> None:
    (text, picture, sound) = fitted(
        "look",
        citations=(Citation("Price list", "https://a.example/p"), Citation("A note")),
        choices=(Choice("Yes", "是"), Choice("No", "否")),
        attachments=(Image("m1"), File("m2"), Audio("m3")),
    )
    assert render(text.text).splitlines() == [
        *("look", "", "1. Price list https://a.example/p", "2. A note", ""),
        "请回复：是 / 否",
    ]
    assert [piece.attachments for piece in (picture, sound)] == [(Image("m1"),), (Audio("m3"),)]
    assert [piece.key for piece in (text, picture, sound)] == ["1", "1/1", "1/2"]


def test_nothing_to_say_is_no_piece() -> None:
    assert fitted("  \n ") == []


def test_there_are_never_more_pieces_than_may_be_sent() -> None:
    found = fitted("很长。" * 3000, 2, attachments=(Image("m1"), Image("m2"), Image("m3")))
    assert len(found) <= 3


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_each_piece_of_several_has_room_to_say_that_it_is_sent_again(locale: str) -> None:
    made = fitted("一句很长的话，没有尽头。" * 400)
    assert len(made) == 3
    assert all(len(split(repeated(piece.text, locale))) == 1 for piece in made)
