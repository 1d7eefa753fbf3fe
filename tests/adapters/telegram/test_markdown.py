"""CommonMark as Telegram shows it: nothing that can be read is lost, nothing is torn."""

import gc
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.marks import Mark, Rendered, clipped
from adapters.telegram.render import (
    TEXT_LIMIT,
    first_part,
    growing,
    keyboard,
    last_part,
    render,
)
from bot import Activity, ActivityState, Choice


def shown(markdown: str) -> list[tuple[str, str]]:
    """Each mark with the text under it."""
    rendered = render(markdown)
    data = rendered.text.encode("utf-16-le")
    return [
        (mark.type, data[2 * mark.offset : 2 * (mark.offset + mark.length)].decode("utf-16-le"))
        for mark in rendered.entities
    ]


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("plain words", "plain words"),
        ("one\ntwo", "one\ntwo"),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
        ("- a\n- b\n  - c\n\nend", "• a\n• b\n  • c\n\nend"),
        ("3. c\n4. d", "3. c\n4. d"),
        ("- [x] done\n- [ ] open", "☑ done\n☐ open"),
        ("1. run\n   ```sh\n   ls -l\n     x\n   ```\n2. look", "1. run\nls -l\n  x\n2. look"),
        ("a\n\n---\n\nb", "a\n\n————————\n\nb"),
        ("List<String> and <b>bold</b>", "List<String> and <b>bold</b>"),
        ("<div>\nkept\n</div>", "<div>\nkept\n</div>"),
        ("<!-- kept -->", "<!-- kept -->"),
        ("one<br>two", "one\ntwo"),
        ("a || b || c", "a || b || c"),
        ("~5 to ~6, ~~old~~", "~5 to ~6, old"),
        ("it costs $5 or $6 (~$7.20)", "it costs $5 or $6 (~$7.20)"),
        (r"\(\frac{a}{b}\) and \[\sum_i x\]", "a/b and ∑ᵢ x"),
        (r"`\(\frac{a}{b}\)`", r"\(\frac{a}{b}\)"),
        ("[guide](docs/guide.md)", "guide (docs/guide.md)"),
        ("![](https://e.example/p.png)", "🖼 https://e.example/p.png"),
        ("<https://e.example>", "https://e.example"),
        ("**half", "**half"),
        ("```py\nhalf", "half"),
        ("x\x00y\x07z", "xyz"),
        ("\ud83d", "?"),
        ("[only]: https://e.example", "[only]: https://e.example"),
    ],
)
def test_it_reads_as_it_was_meant(markdown: str, text: str) -> None:
    assert render(markdown).text == text


@pytest.mark.parametrize(
    ("markdown", "marks"),
    [
        ("# Head\n\nbody", [("bold", "Head")]),
        ("😀 **b *i* b** `c`", [("bold", "b i b"), ("italic", "i"), ("code", "c")]),
        ("~~gone~~", [("strikethrough", "gone")]),
        ("[a](https://e.example)", [("text_link", "a")]),
        ("```python\nx = 1\n\ny\n```", [("pre", "x = 1\n\ny")]),
        ("> a\n> > b\n\nc", [("blockquote", "a\n\nb")]),
        ("| a | b |\n|---|---|\n| 中 | c |", [("pre", "a  | b\n---+--\n中 | c")]),
        ("[x](javascript:alert)", []),
        ("**bold**\n\n", [("bold", "bold")]),
    ],
)
def test_markup_becomes_marks(markdown: str, marks: list[tuple[str, str]]) -> None:
    assert shown(markdown) == marks


@pytest.mark.parametrize(
    ("markdown", "text", "marks"),
    [
        ("**粗体。**后面", "粗体。后面", [("bold", "粗体。")]),
        ("**注意：**请先备份", "注意：请先备份", [("bold", "注意：")]),
        ("他说**“好”**吧", "他说“好”吧", [("bold", "“好”")]),
        ("先看，**重点**，再看", "先看，重点，再看", [("bold", "重点")]),
        ("“**一**”和“**二**”", "“一”和“二”", [("bold", "一"), ("bold", "二")]),
        ("共**50%**的人", "共50%的人", [("bold", "50%")]),
        ("***全部！***开始", "全部！开始", [("italic", "全部！"), ("bold", "全部！")]),
        ("~~旧价：~~新价", "旧价：新价", [("strikethrough", "旧价：")]),
        ("- **甲：**乙\n- **丙：**丁", "• 甲：乙\n• 丙：丁", [("bold", "甲："), ("bold", "丙：")]),
        ("数量*（1+税率）*单价", "数量*（1+税率）*单价", []),
        ("`甲：**乙`和**丙：**丁", "甲：**乙和丙：丁", [("code", "甲：**乙"), ("bold", "丙：")]),
        ("```\n甲：**乙\n```", "甲：**乙", [("pre", "甲：**乙")]),
        (r"甲：\**乙", "甲：**乙", []),
        ("⸒ **甲：**乙", "⸒ **甲：**乙", []),
        ("⸒ **甲**乙", "⸒ 甲乙", [("bold", "甲")]),
    ],
)
def test_marks_beside_chinese_punctuation_are_marks_and_its_own_signs_are_never_seen(
    markdown: str, text: str, marks: list[tuple[str, str]]
) -> None:
    assert render(markdown).text == text
    assert sorted(shown(markdown)) == sorted(marks)


def test_an_address_has_nothing_of_our_own_in_it() -> None:
    rendered = render("[价格](https://e.example/甲：**乙)和<https://e.example/丙：**丁>")
    assert [mark.url for mark in rendered.entities] == ["https://e.example/甲：**乙"]
    assert rendered.text == "价格和https://e.example/丙：**丁"


def test_code_keeps_its_language_and_links_their_address() -> None:
    assert render("```c++ title=x\na\n```").entities[0].language == "c++"
    assert render("[a](https://e.example/?q=1)").entities[0].url == "https://e.example/?q=1"


SIGNS = (
    "** * _ ` ``` ```py ~~ ~ [ ] ( ) ](x) ](https://e.example) | |-|-| # > - 1. $ $$ \\( \\) "
    "\\ < > <b> <!-- --> & &amp; ! ![ 😀 中文 é --- + : \u200d \U0001f468"
)
MARKUP = st.lists(
    st.sampled_from([*SIGNS.split(), "\n", "\n\n", " ", "    ", "  \n", "\t"])
    | st.from_regex(r"w[a-z]{1,6}", fullmatch=True),
    max_size=40,
).map("".join)


@given(MARKUP)
def test_any_markup_gives_marks_within_the_text(markdown: str) -> None:
    rendered = render(markdown)
    data = rendered.text.encode("utf-16-le")
    assert rendered.text == rendered.text.rstrip()
    assert bool(rendered.text) == bool(markdown.strip())
    for mark in rendered.entities:
        assert mark.offset >= 0
        assert mark.length > 0
        assert 2 * (mark.offset + mark.length) <= len(data)
        data[2 * mark.offset : 2 * (mark.offset + mark.length)].decode("utf-16-le")


@given(st.text(max_size=80))
def test_any_text_can_be_rendered(text: str) -> None:
    render(text).text.encode()


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["", "**", "*", "`", "~~", "# ", "- ", "> ", "1. ", "<i>", "| "]),
        st.from_regex(r"w[a-z]{2,5}[0-9]", fullmatch=True),
        st.sampled_from(["", "**", "*", "`", "~~", "</i>", " |"]),
        st.sampled_from([" ", "\n", "\n\n", ", "]),
    ),
    min_size=1,
    max_size=25,
)


@given(WORDS)
def test_no_word_is_lost(words: list[tuple[str, str, str, str]]) -> None:
    markdown = "".join("".join(parts) for parts in words)
    text = render(markdown).text
    for _, word, _, _ in words:
        assert word in text


def test_a_draft_that_is_too_long_shows_its_end_or_its_beginning() -> None:
    long = Rendered("😀" * 3000, (Mark("bold", 0, 6000),))
    head, tail = first_part(long), last_part(long)
    assert head.units <= TEXT_LIMIT
    assert tail.units <= TEXT_LIMIT
    assert head.text.endswith(" …")
    assert tail.text.startswith("… ")
    assert "\ufffd" not in head.text + tail.text
    for part in (head, tail):
        mark = part.entities[0]
        assert mark.offset + mark.length <= part.units
    assert first_part(Rendered("short")) == last_part(Rendered("short")) == Rendered("short")


def test_marks_are_cut_with_the_text() -> None:
    marks = (Mark("bold", 0, 10), Mark("code", 12, 4))
    assert clipped(marks, 5, 14) == (Mark("bold", 0, 5), Mark("code", 7, 2))


def test_a_draft_names_the_tools_that_are_at_work() -> None:
    running = Activity("clock_now", "{}", ActivityState.RUNNING)
    done = Activity("old", "{}", ActivityState.DONE, "12")
    assert growing("so far", [running, done]) == "so far\n\n⏳ `clock_now`"
    assert growing("", [running]) == "⏳ `clock_now`"
    assert growing("", []) == ""


def test_short_labels_share_a_row_and_long_values_go_by_their_number() -> None:
    rows = keyboard(
        [
            Choice("Yes", "yes"),
            Choice("No", "no"),
            Choice("Tell me more about it", "m" * 65),
            Choice("Odd", "=1"),
        ]
    )
    assert rows == [
        [("Yes", "yes"), ("No", "no")],
        [("Tell me more about it", "=2")],
        [("Odd", "=3")],
    ]
    assert all(re.fullmatch(r".{1,64}", data) for row in rows for _, data in row)


def test_what_is_rendered_leaves_nothing_for_the_collector() -> None:
    """It is rendered with each step of its growth: rings of it were a tenth of our objects."""
    gc.collect()
    gc.disable()
    try:
        render("# Title\n\n**b** _i_ ~~s~~ `c`\n\n- one\n- [two](https://example.com)\n\n> said")
        assert gc.collect() == 0
    finally:
        gc.enable()
