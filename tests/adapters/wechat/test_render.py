"""CommonMark as a person reads it in WeChat, and the replies that carry it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.replies import deserialize_reply

from adapters.wechat.render import TEXT_LIMIT, clipped, message, render, reply, text_reply
from bot import Address, Audio, Image, Outbound
from tests.peers.wechat import ANN, APP_ID, ORIGINAL_ID
from tests.peers.wechat_replies import read_reply


def out(text: str, **more: object) -> Outbound:
    return Outbound("1/0", Address("wechat", APP_ID, ANN), text, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("# 标题", "【标题】"),
        ("**粗** *斜* ~~删~~ __粗__ _斜_", "粗 斜 删 粗 斜"),
        ("***both***", "both"),
        ("`code **stays**` here", "code **stays** here"),
        ("```python\nx = a ** b\n# no title\n```", "x = a ** b\n# no title"),
        ("~~~\n- no bullet\n~~~", "- no bullet"),
        ("[网站](https://a.example/b_c_d)", "网站 (https://a.example/b_c_d)"),
        ("[https://a.example](https://a.example)", "https://a.example"),
        ("<https://a.example>", "https://a.example"),
        ("![图](https://a.example/p.png)", "图 https://a.example/p.png"),
        ("- one\n* two\n+ three\n1. four", "• one\n• two\n• three\n1. four"),
        ("- [ ] open\n- [x] done", "☐ open\n☑ done"),
        ("  - inner", "  • inner"),
        ("> quoted **words**\n>> twice", "quoted words\ntwice"),
        ("| a | b |\n|---|:-:|\n| 1 | **2** |", "a  b\n1  2"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("---", "————"),
        (r"\*not\* \# this", "*not* # this"),
        ("2 * 3 * 4 = 24, snake_case_name, a*b*c", "2 * 3 * 4 = 24, snake_case_name, a*b*c"),
        ("5 < 6 & 7 > 2", "5 < 6 & 7 > 2"),
        ("a\x00b\x1dc", "abc"),
    ],
)
def test_marks_go_and_words_stay(markdown: str, shown: str) -> None:
    assert render(markdown) == shown


@given(st.text(alphabet="*_`~[]()<>#|\\\n -a字!", max_size=60))
def test_nothing_that_a_model_writes_becomes_nothing(markdown: str) -> None:
    assert bool(render(markdown).strip()) == bool(markdown.strip())


@given(st.text(max_size=300))
def test_every_text_is_one_reply_that_the_platform_takes(text: str) -> None:
    shown = render(text)
    xml = text_reply(shown, account=ORIGINAL_ID, openid=ANN, at=1790000000)
    if not shown:
        return
    said = read_reply(xml, openid=ANN, account=ORIGINAL_ID).text
    assert said.split() == shown.split()
    assert len(said.encode()) <= TEXT_LIMIT


def test_the_library_reads_our_reply_as_its_own() -> None:
    read = deserialize_reply(text_reply("你好", account=ORIGINAL_ID, openid=ANN, at=1790000000))
    assert (read.type, read.content, read.target, read.source) == ("text", "你好", ANN, ORIGINAL_ID)


def test_media_are_replies_and_messages_by_their_ids() -> None:
    for part, kind in ((Image("m1"), "image"), (Audio("m1"), "voice")):
        piece = out("", attachments=(part,))
        xml = reply(piece, "", account=ORIGINAL_ID, openid=ANN, at=1790000000)
        assert read_reply(xml, openid=ANN, account=ORIGINAL_ID).media == "m1"
        assert message(piece) == {"msgtype": kind, kind: {"media_id": "m1"}}


def test_a_text_is_cut_between_characters() -> None:
    assert clipped("字" * 683).encode().decode() == "字" * 681 + "…"
    assert len(clipped("😀" * 600).encode()) <= TEXT_LIMIT
    assert clipped("short") == "short"
