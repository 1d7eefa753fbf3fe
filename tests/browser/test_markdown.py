"""Markdown as models write it becomes the nodes that it means, growing or whole."""

import asyncio

import pytest
from playwright.async_api import Browser

from tests.adapters.web import site
from tests.browser.looking import looking
from tests.browser.scenes import CODE, LEASE, PAST

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

RENDER = """async (texts) => {
  const { render } = await import("/static/x/markdown.js");
  return texts.map((text) => {
    const box = document.createElement("div");
    render(box, text);
    const written = box.innerHTML.replaceAll(/<button.*?<\\/button>/g, "");
    return written.replaceAll(/ tabindex="0"| dir="auto"/g, "");
  });
}"""

CASES = {
    "plain": "<p>plain</p>",
    "two\nlines": "<p>two<br>lines</p>",
    "one\n\ntwo": "<p>one</p><p>two</p>",
    "**bold** and *soft* and ***both***": (
        "<p><strong>bold</strong> and <em>soft</em> and <strong><em>both</em></strong></p>"
    ),
    "__bold__ _soft_ snake_case_name": (
        "<p><strong>bold</strong> <em>soft</em> snake_case_name</p>"
    ),
    "**粗体。**后面": "<p><strong>粗体。</strong>后面</p>",
    "**a *b* c**": "<p><strong>a <em>b</em> c</strong></p>",
    "2 * 3 * 4 and **": "<p>2 * 3 * 4 and **</p>",
    "2 * 3 is *six*, __init__ is **bold** and a**b**c": (
        "<p>2 * 3 is <em>six</em>, <strong>init</strong> is <strong>bold</strong> and a"
        "<strong>b</strong>c</p>"
    ),
    "*a* **b *c* **d**": ("<p><em>a</em> <strong>b <em>c</em> **d</strong></p>"),
    "one\\\ntwo": "<p>one<br>two</p>",
    "~~gone~~ a ~ b": "<p><del>gone</del> a ~ b</p>",
    "`a *b*` and ``c ` d``": "<p><code>a *b*</code> and <code>c ` d</code></p>",
    "a ` b": "<p>a ` b</p>",
    r"\*not\* \<b\>": "<p>*not* &lt;b&gt;</p>",
    "# One\n## Two ##\n#not": "<h3>One</h3><h4>Two</h4><p>#not</p>",
    "a\n\n---\nb": "<p>a</p><hr><p>b</p>",
    "- a\n- b": "<ul><li>a</li><li>b</li></ul>",
    "3. a\n4. b": '<ol start="3"><li>a</li><li>b</li></ol>',
    "- a\n  - b\n    - c\n- d": (
        "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ul>"
    ),
    "1. a\n   - b\n2. c": "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>",
    "1. a\n\n   more\n\n2. c": "<ol><li>a<p>more</p></li><li>c</li></ol>",
    "1. a\n\n```\nx\n```\n\n2. b": (
        '<ol><li>a</li></ol><figure class="code"><figcaption><span>Code</span></figcaption>'
        '<pre><code>x</code></pre></figure><ol start="2"><li>b</li></ol>'
    ),
    "text:\n- a\n- b\n\nafter": "<p>text:</p><ul><li>a</li><li>b</li></ul><p>after</p>",
    "- **a**: b\n- c": "<ul><li><strong>a</strong>: b</li><li>c</li></ul>",
    "> a\n> b\n\nc": "<blockquote><p>a<br>b</p></blockquote><p>c</p>",
    "```py\nx = 1\n\ny = '<b>'\n```": (
        '<figure class="code"><figcaption><span>py</span></figcaption>'
        "<pre><code>x = 1\n\ny = '&lt;b&gt;'</code></pre></figure>"
    ),
    "```\nstill open": (
        '<figure class="code"><figcaption><span>Code</span></figcaption>'
        "<pre><code>still open</code></pre></figure>"
    ),
    "| a | b |\n|:-:|--:|\n| 1 | `x\\|y` |\n| 3 |": (
        '<div class="scroll"><table><thead><tr><th class="center">a</th>'
        '<th class="right">b</th></tr></thead><tbody><tr><td class="center">1</td>'
        '<td class="right"><code>x|y</code></td></tr><tr><td class="center">3</td>'
        '<td class="right"></td></tr></tbody></table></div>'
    ),
    "a | b": "<p>a | b</p>",
}


async def test_what_is_written_is_what_is_meant(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        rendered = await page.evaluate(RENDER, list(CASES))
        for (text, wanted), got in zip(CASES.items(), rendered, strict=True):
            assert got.replace(' class=""', "") == wanted, text


GROW = """async (texts) => {
  const { render } = await import("/static/x/markdown.js");
  const wrong = [];
  for (const text of texts) {
    const grown = document.createElement("div");
    for (let end = 0; end <= text.length; end += 3) render(grown, text.slice(0, end));
    render(grown, text);
    const whole = document.createElement("div");
    render(whole, text);
    if (grown.innerHTML !== whole.innerHTML) wrong.push(text);
  }
  return wrong;
}"""


async def test_a_text_that_grew_looks_like_one_that_came_whole(browser: Browser) -> None:
    texts = [*CASES, CODE["en"].text, CODE["zh"].text, LEASE["zh"].text]
    texts += [answer.text for _, answer in PAST["en"]]
    async with site.running() as chat, looking(browser, chat.url) as page:
        assert await page.evaluate(GROW, texts) == []


async def test_texts_that_are_made_to_take_long_do_not(browser: Browser) -> None:
    texts = [
        each * 8000 for each in ("*", "_ ", "[", "`a", "**a ", "> ", "- ", "~~a", "|-", "](", "<h")
    ]
    async with site.running() as chat, looking(browser, chat.url) as page:
        # A renderer that goes back over the rest each time would take minutes
        async with asyncio.timeout(60):
            lengths = await page.evaluate(
                """async (texts) => {
                  const { render } = await import("/static/x/markdown.js");
                  return texts.map((text) => {
                    const box = document.createElement("div");
                    render(box, text);
                    return box.textContent.length;
                  });
                }""",
                texts,
            )
        assert len(lengths) == len(texts)
