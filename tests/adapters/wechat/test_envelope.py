"""XML from outside: bounded, without entities, as plain fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wechat.envelope import Unreadable, encrypted_in, fields_of, without_controls


def test_fields_are_what_stands_right_under_the_root() -> None:
    text = "<xml><A> 1 </A><B><![CDATA[<x>&y;]]></B><C><D>2</D></C><E/></xml>"
    assert fields_of(text) == {"A": "1", "B": "<x>&y;", "C": "", "E": ""}


@pytest.mark.parametrize("typed", ["a\x1db", "a&#29;b", "a&#x1D;b", "a\x00b", "a\ufffeb", "a&#0;b"])
def test_what_xml_cannot_carry_is_left_out(typed: str) -> None:
    assert fields_of(f"<xml><Content>{typed}</Content></xml>") == {"Content": "ab"}


@pytest.mark.parametrize("typed", ["a&#10;b", "a&#x9;b", "a&#38;b", "a&#x1F600;b"])
def test_what_it_can_carry_stays(typed: str) -> None:
    assert len(fields_of(f"<xml><Content>{typed}</Content></xml>")["Content"]) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "<xml>",
        "<xml></xml><xml></xml>",
        "<xml><A>1</A><A>2</A></xml>",
        "<!DOCTYPE x><xml/>",
        '<!DOCTYPE x [<!ENTITY a "1">]><xml>&a;</xml>',
        "<xml>&a;</xml>",
        "<xml>" + "<a>" * 8 + "</a>" * 8 + "</xml>",
        "<xml>" + "<a/>" * 400 + "</xml>",
    ],
)
def test_anything_else_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        fields_of(text)


@given(st.text(max_size=200))
def test_no_text_does_worse_than_being_unreadable(text: str) -> None:
    try:
        fields_of(f"<xml><Content>{text}</Content></xml>")
        fields_of(text)
    except Unreadable:
        pass


def test_the_sealed_part_is_found_as_cdata_or_plain_and_nothing_else_is() -> None:
    for body in (
        b"<xml><Encrypt><![CDATA[QUJD+/=]]></Encrypt></xml>",
        b"<xml><Encrypt>QUJD+/=</Encrypt></xml>",
        b"<xml>\n<Encrypt>\n<![CDATA[QUJD+/=]]>\n</Encrypt></xml>",
    ):
        assert encrypted_in(body) == "QUJD+/="
    for body in (b"", b"<xml><Encrypt></Encrypt></xml>", b"<xml><Encrypt>a<b</Encrypt></xml>"):
        assert encrypted_in(body) is None


def test_surrogates_are_no_text() -> None:
    assert without_controls("a\ud83db").encode() == b"ab"
