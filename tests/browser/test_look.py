"""How it looks: on a phone, in Chinese, in the dark, at once and without a jump."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

import adapters.web
from tests.adapters.web import site
from tests.adapters.web.engine import Answer
from tests.browser import scenes
from tests.browser.looking import PHONE, answers, looking, say

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FOLDER = Path(adapters.web.__file__).parent / "page"

NOT_SIDEWAYS = """() => ["html", "body", "#scroller"].map((each) => document.querySelector(each))
  .every((each) => each.scrollWidth <= each.clientWidth)"""

TOO_SMALL = """() => [...document.querySelectorAll("button, summary, textarea, a.button")]
  .filter((each) => each.checkVisibility({opacityProperty: true, visibilityProperty: true}))
  .map((each) => {
    const {width, height} = each.getBoundingClientRect();
    const more = getComputedStyle(each, "::after");
    const over = more.position === "absolute";
    const grown = (plain, size) => Math.max(plain, over ? parseFloat(size) : 0);
    return [each.id || each.textContent, grown(width, more.width), grown(height, more.height)];
  })
  .filter(([, width, height]) => width < 44 || height < 44)"""


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_nothing_scrolls_sideways_on_a_phone_but_code_and_tables(
    browser: Browser, lang: str
) -> None:
    async with (
        site.running(scenes.script) as chat,
        looking(browser, chat.url, **PHONE) as page,
    ):
        await expect(page.locator("#empty")).to_be_visible()
        assert await page.evaluate(NOT_SIDEWAYS)
        for said in (
            "w" * 300,
            "https://example.org/" + "very/long/" * 30,
            scenes.SAID["code"][lang],
        ):
            await say(page, said)
            await expect(page.locator(".user[data-state=done]").last).to_contain_text(said[:20])
        assert await page.evaluate(NOT_SIDEWAYS)
        for box in ("pre", ".scroll"):
            inner = page.locator(f".assistant {box}").last
            assert await inner.evaluate("each => each.scrollWidth > each.clientWidth")


async def test_everything_that_is_touched_is_large_enough(browser: Browser) -> None:
    async with (
        site.running(scenes.script) as chat,
        looking(browser, chat.url, trouble=True, **PHONE) as page,
    ):
        await expect(page.locator("#empty")).to_be_visible()
        assert await page.evaluate(TOO_SMALL) == []
        for said in (scenes.SAID["short"]["en"], scenes.SAID["code"]["en"]):
            await say(page, said)
            await expect(page.locator(".user[data-state=done]").last).to_contain_text(said[:20])
        chat.engine.refusing = True
        await say(page, "this fails")
        await expect(page.locator(".user[data-state=failed]")).to_be_visible()
        assert await page.evaluate(TOO_SMALL) == []


async def test_the_field_stays_above_the_keyboard(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url, **PHONE) as page:
        await page.set_viewport_size({"width": 360, "height": 360})
        await expect(page.locator("#composer")).to_be_in_viewport(ratio=1)
        await expect(page.locator("header")).to_be_in_viewport(ratio=1)


async def test_a_chinese_browser_sees_chinese_and_the_choice_is_remembered(
    browser: Browser,
) -> None:
    async with site.running() as chat, looking(browser, chat.url, locale="zh-CN") as page:
        await expect(page.locator("html")).to_have_attribute("lang", "zh")
        await expect(page.locator("#greeting")).to_have_text("您好！有什么可以帮您？")
        await expect(page.locator("#field")).to_have_attribute("placeholder", "输入消息")
        await expect(page.locator("#examples button").first).to_have_text("现在东京几点？")
        await say(page, "你好")
        await expect(answers(page)).to_have_text("你好")
        assert chat.engine.inbounds[0].sender.locale == "zh"
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("#field")).to_have_attribute("placeholder", "Write a message")
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await say(page, "hello")
        await expect(answers(page)).to_have_text(["你好", "hello"])
        assert chat.engine.inbounds[1].sender.locale == "en"


async def test_both_languages_say_the_same_things(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        names = await page.evaluate(
            """async () => {
              const { ALL } = await import("/static/x/sentences.js");
              const inside = (value) => typeof value === "object" ? Object.keys(value) : [];
              return [ALL.en, ALL.zh].map((all) => Object.entries(all).map(
                ([name, value]) => [name, typeof value, inside(value)]));
            }"""
        )
        assert names[0] == names[1]
        text = "".join(path.read_text() for path in FOLDER.glob("*.[hj]*"))
        used = {a or b for a, b in re.findall(r'say\("(\w+)"\)|data-say="(\w+)"', text)}
        assert used <= {name for name, *_ in names[0]}


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_light_and_dark_follow_the_system_until_chosen(browser: Browser, theme: Any) -> None:
    other = {"light": "dark", "dark": "light"}[theme]
    async with site.running() as chat, looking(browser, chat.url, color_scheme=theme) as page:
        root = page.locator("html")
        await expect(root).to_have_attribute("data-theme", theme)
        await page.emulate_media(color_scheme="dark" if theme == "light" else "light")
        await expect(root).to_have_attribute("data-theme", other)
        await page.emulate_media(color_scheme=theme)
        await page.get_by_role("button", name="Light or dark").click()
        await expect(root).to_have_attribute("data-theme", other)
        await page.reload()
        await expect(root).to_have_attribute("data-theme", other)


CONTRAST = """() => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue("--" + name).trim().slice(1);
    const full = hex.length === 3 ? [...hex].map((each) => each + each).join("") : hex;
    const [r, g, b] = [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16) / 255)
      .map((each) => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (...both) => {
    const [a, b] = both.map(light).sort((one, other) => other - one);
    return (a + 0.05) / (b + 0.05);
  };
  return [["text", "surface"], ["text", "sunken"], ["text", "tint"], ["muted", "surface"],
    ["muted", "sunken"], ["accent", "surface"], ["accent", "tint"], ["danger", "surface"],
    ["on-accent", "accent"], ["surface", "text"]]
    .map(([a, b]) => [a, b, ratio(a, b)]).filter(([, , each]) => each < 4.5);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_everything_can_be_read(browser: Browser, theme: Any) -> None:
    async with site.running() as chat, looking(browser, chat.url, color_scheme=theme) as page:
        assert await page.evaluate(CONTRAST) == []


async def test_the_page_is_light_stands_still_and_asks_nobody_else(browser: Browser) -> None:
    async with (
        site.running(model_configured=False) as chat,
        looking(browser, chat.url, **PHONE) as page,
    ):
        await expect(page.locator("#empty")).to_be_visible()
        figures = await page.evaluate(FIGURES)
        assert figures["shift"] < 0.01
        assert figures["weight"] < 40_000
        assert figures["hosts"] == [f"127.0.0.1:{chat.port}"]


FIGURES = """async () => {
  const seen = (type) => new Promise((done) => {
    new PerformanceObserver((list, it) => { it.disconnect(); done(list.getEntries()); })
      .observe({type, buffered: true});
    setTimeout(() => done([]), 300);
  });
  const files = performance.getEntriesByType("resource")
    .filter((each) => each.name.includes("/static/"));
  const all = [...files, ...performance.getEntriesByType("navigation")];
  return {
    shift: (await seen("layout-shift")).reduce((sum, each) => sum + each.value, 0),
    weight: all.reduce((sum, each) => sum + each.decodedBodySize, 0),
    hosts: [...new Set(all.map((each) => new URL(each.name).host))],
  };
}"""


ARABIC = "> مرحبا\n\nالسلام عليكم\n\n- واحد\n- اثنان\n\n```py\nx = 1\n```\n\nEnglish"


async def test_what_is_written_from_right_to_left_stands_on_the_right(browser: Browser) -> None:
    async with (
        site.running(lambda _: Answer((ARABIC,))) as chat,
        looking(browser, chat.url) as page,
    ):
        field = page.locator("#field")
        await expect(field).to_have_css("direction", "ltr")
        await field.fill("السلام عليكم")
        await expect(field).to_have_css("direction", "rtl")
        await field.press("Enter")
        await expect(page.locator(".user .body")).to_have_css("direction", "rtl")
        body = answers(page)
        for element, name, value in (
            ("blockquote", "border-right-width", "3px"),
            ("blockquote", "border-left-width", "0px"),
            ("ul", "padding-right", "24px"),
            (":scope > p >> nth=0", "direction", "rtl"),
            (":scope > p >> nth=1", "direction", "ltr"),
            ("pre", "direction", "ltr"),
        ):
            await expect(body.locator(element)).to_have_css(name, value)
        await expect(page.locator(".line.assistant")).to_have_css("direction", "ltr")


async def test_movement_stops_for_those_who_want_none(browser: Browser) -> None:
    async with (
        site.running() as chat,
        looking(browser, chat.url, reduced_motion="reduce") as page,
    ):
        await expect(page.locator("#empty")).to_be_visible()
        assert await page.evaluate("document.getAnimations().length") == 0
