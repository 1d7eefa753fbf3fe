"""Nothing that is said can do anything: text stays text, links go where they say, nothing else."""

import pytest
from playwright.async_api import Browser, expect

from tests.adapters.web import site
from tests.adapters.web.engine import Answer
from tests.browser.looking import answers, looking, mine, say

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ATTACKS = (
    "<script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 1'>",
    "<svg onload='window.hurt = 1'></svg>",
    "<iframe srcdoc='<script>parent.hurt = 1</script>'></iframe>",
    "&lt;script&gt;window.hurt = 1&lt;/script&gt;",
)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_markup_is_shown_as_text(browser: Browser, attack: str) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        await say(page, attack)
        await expect(mine(page).locator(".body")).to_have_text(attack)
        await expect(answers(page)).to_have_text(attack)
        await page.reload()
        await expect(answers(page)).to_have_text(attack)
        assert await page.evaluate("window.hurt") is None
        assert (
            await page.locator("#lines :is(script, img, iframe, [onerror], [onload])").count() == 0
        )


@pytest.mark.parametrize(
    "target",
    [
        "javascript:window.hurt=1",
        "JaVaScRiPt:window.hurt=1",
        "java\tscript:window.hurt=1",
        "\x01javascript:window.hurt=1",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "/relative",
    ],
)
async def test_a_link_to_anything_but_the_web_or_mail_is_text(
    browser: Browser, target: str
) -> None:
    texts = (f"[click me]({target})", f"<{target}>", f"![click me]({target})")
    async with (
        site.running(lambda _: Answer(("\n\n".join(texts),))) as chat,
        looking(browser, chat.url) as page,
    ):
        await say(page, "links, please")
        await expect(answers(page)).to_contain_text("click me")
        assert await page.locator("#lines a").count() == 0


async def test_links_open_elsewhere_and_tell_nothing_of_here(browser: Browser) -> None:
    text = (
        "[one](https://a.example/x_(y)) <mailto:b@c.example> https://d.example/e。 [f](http://g.h)"
    )
    async with (
        site.running(lambda _: Answer((text,))) as chat,
        looking(browser, chat.url) as page,
    ):
        await say(page, "links, please")
        links = page.locator("#lines a")
        await expect(links).to_have_count(4)
        hrefs = await links.evaluate_all("all => all.map(each => each.href)")
        assert hrefs == [
            "https://a.example/x_(y)",
            "mailto:b@c.example",
            "https://d.example/e",
            "http://g.h/",
        ]
        for attribute, value in (("rel", "noopener noreferrer"), ("target", "_blank")):
            values = await links.evaluate_all(f"all => all.map(each => each.{attribute})")
            assert set(values) == {value}


async def test_a_rogue_script_or_style_is_stopped_by_the_policy(browser: Browser) -> None:
    async with site.running() as chat:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(chat.url)
        blocked = await page.evaluate(
            """async () => {
              const seen = [];
              const note = (event) => seen.push(event.effectiveDirective);
              document.addEventListener("securitypolicyviolation", note);
              const script = document.createElement("script");
              script.textContent = "window.hurt = 1";
              document.body.append(script);
              const style = document.createElement("style");
              style.textContent = "body { color: red }";
              document.body.append(style);
              await fetch("https://elsewhere.example/").catch(() => {});
              await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
              return seen;
            }"""
        )
        assert set(blocked) == {"script-src-elem", "style-src-elem", "connect-src"}
        assert await page.evaluate("window.hurt") is None
        await context.close()
