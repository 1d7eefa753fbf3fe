"""A conversation on the page: say, watch, stop, come back."""

import asyncio

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from bot import Choice, Kind
from tests.adapters.web import site
from tests.adapters.web.engine import Answer, Gate
from tests.browser.looking import answers, looking, mine, say, visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TIME = Answer(("It is 15:42.",), (("time_now", '{"place": "Tokyo"}', "15:42 JST"),))


async def test_what_is_said_stands_there_at_once_and_the_answer_grows(browser: Browser) -> None:
    gate = Gate(0)
    async with site.running(gate=gate) as chat, looking(browser, chat.url) as page:
        await expect(page.locator("#field")).to_be_focused()
        await say(page, "one two three")
        await expect(mine(page).locator(".body")).to_have_text("one two three")
        await expect(page.locator("#field")).to_have_value("")
        await expect(page.locator(".user[data-state=stored] .meta")).to_have_text("Received")
        await expect(page.locator(".thinking")).to_be_visible()
        await gate.let(1)
        growing = page.locator(".assistant[data-state=growing] .body")
        await expect(growing).to_have_text("one")
        await expect(page.locator(".thinking")).to_have_count(0)
        await gate.let(1)
        await expect(growing).to_have_text("one two")
        await gate.let()
        await expect(answers(page)).to_have_text("one two three")
        await expect(page.locator(".user")).to_have_attribute("data-state", "done")


async def test_a_reload_keeps_the_history_and_takes_up_what_grows(browser: Browser) -> None:
    gate = Gate()
    async with site.running(gate=gate) as chat, looking(browser, chat.url) as page:
        await say(page, "first thing")
        await expect(answers(page)).to_have_text("first thing")
        await gate.let(2)
        await say(page, "second one two three")
        await expect(page.locator("[data-state=growing] .body")).to_have_text("second one")
        await page.reload()
        await expect(page.locator("[data-state=growing] .body")).to_have_text("second one")
        await expect(answers(page)).to_have_text("first thing")
        await gate.let()
        await expect(answers(page)).to_have_text(["first thing", "second one two three"])
        await page.reload()
        await expect(answers(page)).to_have_text(["first thing", "second one two three"])
        await expect(mine(page)).to_have_count(2)


async def test_an_answer_can_be_stopped_while_it_grows(browser: Browser) -> None:
    gate = Gate(0)
    async with site.running(gate=gate) as chat, looking(browser, chat.url) as page:
        await expect(page.locator("#stop")).to_be_hidden()
        await say(page, "one two three")
        await gate.let(2)
        await expect(page.locator("[data-state=growing] .body")).to_have_text("one two")
        await page.get_by_role("button", name="Stop the answer").click()
        await expect(answers(page)).to_have_text("one two …")
        await expect(page.locator("#stop")).to_be_hidden()
        await expect(mine(page)).to_have_count(1)


async def test_an_answer_that_ended_before_its_stop_arrived_leaves_the_next_one_its_button(
    browser: Browser,
) -> None:
    gate = Gate(1)
    async with site.running(gate=gate) as chat, looking(browser, chat.url) as page:
        held: asyncio.Queue[Route] = asyncio.Queue()
        await page.route("**/stop", held.put_nowait)
        await say(page, "one two")
        await expect(page.locator("[data-state=growing] .body")).to_have_text("one")
        await page.locator("#stop").click()
        await expect(page.locator("#stop")).to_be_disabled()
        stop = await held.get()
        await gate.let(1)
        await expect(answers(page)).to_have_text("one two")
        async with page.expect_response("**/stop"):
            await stop.continue_()
        await gate.let(1)
        await say(page, "three four")
        await expect(page.locator("[data-state=growing] .body")).to_have_text("three")
        await expect(page.locator("#stop")).to_be_enabled()
        await gate.let()


async def test_a_tool_call_is_a_small_line_that_opens(browser: Browser) -> None:
    async with site.running(lambda _: TIME) as chat, looking(browser, chat.url) as page:
        await say(page, "What time is it in Tokyo?")
        await expect(answers(page)).to_have_text("It is 15:42.")
        line = page.locator("summary")
        await expect(line).to_have_text("Used time nowTokyo")
        await expect(page.get_by_text("15:42 JST")).to_be_hidden()
        await line.click()
        await expect(page.get_by_text("15:42 JST")).to_be_visible()
        await page.reload()
        await expect(line).to_have_text("Used time nowTokyo")


async def height(field: Locator) -> float:
    box = await field.bounding_box()
    assert box is not None
    return box["height"]


async def test_enter_sends_and_shift_enter_breaks_the_line(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        field = page.locator("#field")
        small = await height(field)
        await field.press_sequentially("one")
        await field.press("Shift+Enter")
        await field.press_sequentially("two")
        await expect(mine(page)).to_have_count(0)
        assert await height(field) > small
        for _ in range(20):
            await field.press("Shift+Enter")
        tall = await height(field)
        assert tall <= 6 * 24 + 20
        await field.press("Enter")
        await expect(mine(page).locator(".body")).to_have_text("one\ntwo")
        assert await height(field) == small


async def test_an_enter_that_ends_a_composition_never_sends(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        await page.locator("#field").focus()
        keyboard = await page.context.new_cdp_session(page)
        await keyboard.send(
            "Input.imeSetComposition", {"text": "nihao", "selectionStart": 5, "selectionEnd": 5}
        )
        enter = {"type": "rawKeyDown", "key": "Enter", "code": "Enter"}
        await keyboard.send("Input.dispatchKeyEvent", {**enter, "windowsVirtualKeyCode": 229})
        await keyboard.send("Input.insertText", {"text": "你好"})
        await expect(page.locator("#field")).to_have_value("你好")
        await expect(mine(page)).to_have_count(0)
        await page.locator("#field").press("Enter")
        await expect(mine(page).locator(".body")).to_have_text("你好")


async def test_up_in_an_empty_field_recalls_what_was_said(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        for text in ("first", "second"):
            await say(page, text)
            await expect(answers(page).last).to_have_text(text)
        field = page.locator("#field")
        for key, value in (
            ("ArrowUp", "second"),
            ("ArrowUp", "first"),
            ("ArrowUp", "first"),
            ("ArrowDown", "second"),
            ("ArrowDown", ""),
        ):
            await field.press(key)
            await expect(field).to_have_value(value)


async def test_an_empty_page_greets_and_offers_what_works_here(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        await expect(page.get_by_role("heading", level=2)).to_have_text(
            "Hello! What can I do for you?"
        )
        await expect(page.locator("#examples button")).to_have_text(list(site.EXAMPLES["en"]))
        await page.locator("#examples button").first.click()
        await expect(answers(page)).to_have_text(site.EXAMPLES["en"][0])
        await expect(page.locator("#empty")).to_be_hidden()


async def test_without_a_model_one_line_says_so_and_how_to_add_one(browser: Browser) -> None:
    async with (
        site.running(model_configured=False) as chat,
        looking(browser, chat.url) as page,
    ):
        note = page.get_by_text("No language model is connected")
        await expect(note).to_be_visible()
        await expect(note).to_contain_text("OPENAI_API_KEY")
    async with site.running() as chat, looking(browser, chat.url) as page:
        await expect(page.locator("#note")).to_be_hidden()


async def test_a_question_offers_its_choices_as_buttons(browser: Browser) -> None:
    def script(said: str) -> Answer:
        if said == "yes":
            return Answer(("Done.",))
        return Answer(("Shall I?",), choices=(Choice("Yes, please", "yes"), Choice("No", "no")))

    async with site.running(script) as chat, looking(browser, chat.url) as page:
        await say(page, "order it")
        await page.get_by_role("button", name="Yes, please").click()
        await expect(answers(page)).to_have_text(["Shall I?", "Done."])
        await expect(page.locator(".choices button")).to_have_count(0)
        asking, pressed = chat.engine.inbounds
        assert (asking.kind, asking.reply_to) == (Kind.MESSAGE, None)
        assert (pressed.kind, pressed.text) == (Kind.BUTTON, "yes")
        assert pressed.reply_to == "101/0"


async def test_long_histories_come_page_by_page_without_a_jump(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        address = chat.address(await visitor(page))
        for n in range(60):
            chat.engine.remember(address, f"question {n}", Answer((f"answer {n}",)))
        await page.reload()
        await expect(answers(page).last).to_have_text("answer 59")
        await expect(answers(page).last).to_be_in_viewport()
        await expect(answers(page)).to_have_count(25)
        await page.locator("#scroller").evaluate("box => { box.scrollTop = 0; }")
        await expect(answers(page)).to_have_count(50)
        await expect(page.get_by_text("question 35", exact=True)).to_be_in_viewport()
        # Not by the mouse: on its way up the page would load them by itself.
        button = page.get_by_role("button", name="Show earlier messages")
        await button.evaluate("one => one.click()")
        texts = [f"answer {n}" for n in range(60)]
        await expect(answers(page)).to_have_text(texts)
        await expect(page.locator("#earlier")).to_be_hidden()


def paragraph(page: Page, n: int) -> Locator:
    return page.locator(".body").get_by_text(f"paragraph {n}", exact=True)


async def test_the_page_follows_only_a_reader_at_the_bottom(browser: Browser) -> None:
    gate = Gate(0)
    long = Answer(tuple(f"paragraph {n}\n\n" for n in range(80)))
    async with (
        site.running(lambda _: long, gate=gate) as chat,
        looking(browser, chat.url) as page,
    ):
        await say(page, "go")
        await gate.let(40)
        await expect(paragraph(page, 39)).to_be_in_viewport()
        await page.mouse.move(400, 300)
        await page.mouse.wheel(0, -600)
        await expect(paragraph(page, 39)).not_to_be_in_viewport()
        await gate.let(20)
        new = page.get_by_role("button", name="New")
        await expect(new).to_be_visible()
        await expect(paragraph(page, 59)).not_to_be_in_viewport()
        await new.click()
        await expect(paragraph(page, 59)).to_be_in_viewport()
        await expect(new).to_be_hidden()
        await gate.let()
        await expect(paragraph(page, 79)).to_be_in_viewport()


async def test_two_pages_of_one_visitor_show_the_same(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        other = await page.context.new_page()
        await other.goto(chat.url)
        await expect(other.locator("#empty")).to_be_visible()
        await say(page, "to both")
        await expect(answers(other)).to_have_text("to both")
        await expect(mine(other).locator(".body")).to_have_text("to both")
        await expect(mine(page)).to_have_count(1)
