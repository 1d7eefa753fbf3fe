"""The page for those who listen, who use keys alone, and who look elsewhere."""

import pytest
from playwright.async_api import Browser, expect

from tests.adapters.web import site
from tests.adapters.web.engine import Answer, Gate
from tests.browser.looking import answers, looking, say, visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_the_conversation_is_a_log_and_the_field_has_a_name(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        log = page.get_by_role("log", name="Conversation")
        await expect(log).to_have_attribute("aria-live", "polite")
        await expect(page.get_by_role("textbox", name="Your message")).to_be_focused()
        for name in ("Send", "Light or dark", "中文"):
            await expect(page.get_by_role("button", name=name)).to_be_attached()


async def test_an_answer_is_read_out_sentence_by_sentence(browser: Browser) -> None:
    gate = Gate(0)
    text = Answer(("It is ", "**late**. And", " dark! 现在", "很晚。 Good", " night"))
    async with (
        site.running(lambda _: text, gate=gate) as chat,
        looking(browser, chat.url) as page,
    ):
        said = page.locator("#said")
        await say(page, "how late is it?")
        await gate.let(1)
        await expect(page.locator("[data-state=growing] .body")).to_have_text("It is")
        await expect(said).to_have_text("")
        for heard in ("It is late.", "It is late. And dark!", "It is late. And dark! 现在很晚。"):
            await gate.let(1)
            await expect(said).to_have_text(heard)
        await gate.let()
        await expect(said).to_have_text("It is late. And dark! 现在很晚。 Good night")
        # What is read out is not read out again where it stands
        await expect(page.locator("#lines")).to_have_attribute("aria-live", "off")


FOCUSED = """() => {
  const at = document.activeElement;
  const ring = at.id === "field" || getComputedStyle(at).outlineStyle !== "none";
  return ring || at === document.body ? at.id || at.className || at.localName : "no ring";
}"""


async def test_everything_can_be_done_by_keyboard(browser: Browser) -> None:
    answer = Answer(
        ("See [this](https://example.org):\n\n```\ncode\n```",), (("now", '{"a": 1}', "noon"),)
    )
    gate = Gate()
    async with (
        site.running(lambda _: answer, gate=gate) as chat,
        looking(browser, chat.url) as page,
    ):
        await page.keyboard.type("hello")
        await page.keyboard.press("Enter")
        await expect(answers(page)).to_contain_text("See this")
        reached: set[str] = set()
        for _ in range(25):
            await page.keyboard.press("Shift+Tab")
            reached.add(await page.evaluate(FOCUSED))
        assert {"field", "theme", "language", "scroller", "summary", "a", "copy", "pre"} <= reached
        assert "no ring" not in reached
        await page.locator("#theme").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.locator("summary").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("noon")).to_be_visible()
        await gate.let(0)
        await page.locator("#field").focus()
        await page.keyboard.type("again")
        await page.keyboard.press("Enter")
        await expect(page.locator("#stop")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#stop")).to_be_hidden()


async def test_what_comes_unseen_is_counted_in_the_title_and_shown_in_the_icon(
    browser: Browser,
) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        await expect(page.locator("#empty")).to_be_visible()
        await page.evaluate(HIDE, True)
        address = chat.address(await visitor(page))
        await chat.engine.push(address, "Are you there?")
        await expect(page).to_have_title("(1) Parley")
        await chat.engine.push(address, "Hello?")
        await expect(page).to_have_title("(2) Parley")
        assert "unread.svg" in (await page.locator("link[rel=icon]").get_attribute("href") or "")
        await page.evaluate(HIDE, False)
        await expect(page).to_have_title("Parley")
        assert "favicon.svg" in (await page.locator("link[rel=icon]").get_attribute("href") or "")


HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_times_are_shown_on_demand_in_the_reader_s_zone(browser: Browser) -> None:
    async with (
        site.running() as chat,
        looking(browser, chat.url, timezone_id="Asia/Tokyo") as page,
    ):
        await say(page, "hello")
        time = page.locator(".assistant time")
        await expect(time).to_have_count(1)
        meta = page.locator(".assistant .meta")
        await expect(meta).to_have_css("opacity", "0")
        await page.locator(".assistant .body").hover()
        await expect(meta).to_have_css("opacity", "1")
        shown = await time.text_content()
        there = await page.evaluate(
            """at => new Date(at).toLocaleTimeString(
              "en", {timeStyle: "short", timeZone: "Asia/Tokyo"})""",
            await time.get_attribute("datetime"),
        )
        assert there in (shown or "")


async def test_code_is_copied_with_one_press(browser: Browser) -> None:
    answer = Answer(("```py\nprint('hi')\n```",))
    async with (
        site.running(lambda _: answer) as chat,
        looking(browser, chat.url, permissions=["clipboard-read", "clipboard-write"]) as page,
    ):
        await say(page, "code, please")
        await page.locator(".code").get_by_role("button", name="Copy").click()
        await expect(page.locator(".copy")).to_have_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == "print('hi')"
