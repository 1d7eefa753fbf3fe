"""What is served means what was written."""

from pathlib import Path

import pytest

import adapters.web
from adapters.web import squeeze

FOLDER = Path(adapters.web.__file__).parent / "page"


@pytest.mark.parametrize(
    ("written", "served"),
    [
        ("// a comment\nconst a = 1; // and one more\n", "let a=1;"),
        ("/* long\n * comment */\nlet b;", "let b;"),
        ("say(\"a  //  b\" + 'c  /* d */');", "say(\"a  //  b\"+'c  /* d */');"),
        ("const c = `x  ${y}\n  z`;", "let c=`x  ${y}\n  z`;"),
        ("if (/[/\"'] {2}/.test(d)) e();", "if(/[/\"'] {2}/.test(d))e();"),
        ("const f = g / h / i;", "let f=g / h / i;"),
        ("j = k + +l - -m;", "j=k + +l - -m;"),
        ("function n() {\n  return o;\n}\np();", "function n(){return o}\np();"),
        ("q = { r: 1,\n  s: 2 };\n", "q={r:1,s:2};"),
        ("t(\n  u,\n  v,\n);", "t(u,v,);"),
        ("const w = () => x\ny();", "let w=()=>x\ny();"),
        ("const { z } = d; const constant = 'const';", "let{z}=d;let constant='const';"),
        ('replace(/"/g, "\\"")', 'replace(/"/g,"\\"")'),
    ],
)
def test_a_script_loses_space_and_comments_and_nothing_else(written: str, served: str) -> None:
    assert squeeze.script(written) == served


def test_a_style_loses_space_and_comments_and_nothing_else() -> None:
    written = '/* why */\na > b , c:hover {\n  content: "x  ;  y";\n  margin: calc(1px + 2px);\n}\n'
    assert squeeze.style(written) == 'a > b,c:hover{content:"x  ;  y";margin:calc(1px + 2px)}'


def test_every_text_that_people_read_is_served_as_written() -> None:
    written = (FOLDER / "sentences.js").read_text()
    served = squeeze.script(written)
    for line in written.splitlines():
        for text in line.split('"')[1::2]:
            assert text in served


def test_a_page_keeps_its_text() -> None:
    assert squeeze.page("<p>a\nb</p>\n<p>c</p>") == "<p>a\nb</p><p>c</p>"
