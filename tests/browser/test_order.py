"""What stands on the page stays where it was said, whatever the history knows of it."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.adapters.web import site
from tests.adapters.web.engine import Answer, Gate
from tests.adapters.web.proxy import Proxy
from tests.browser.looking import answers, looking, say, visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

# Every line whose place in the list is no longer after those that stood before it
WATCH = """() => {
  window.moved = [];
  const stood = [];
  new MutationObserver(() => {
    const lines = [...document.querySelectorAll("#lines .line")];
    const places = stood.map((line) => lines.indexOf(line));
    places.forEach((place, n) => {
      if (n && place < places[n - 1]) window.moved.push(stood[n].textContent);
    });
    stood.splice(0, stood.length, ...lines);
  }).observe(document.querySelector("#lines"), {childList: true});
}"""


def answered(said: str) -> Answer:
    """An answer that is seen to belong to what was said."""
    return Answer((f"re {said}",))


async def stands(page: Page, *texts: str) -> None:
    """These lines, in this order, and nothing else."""
    await expect(page.locator("#lines .line .body")).to_have_text(list(texts))


async def settled(page: Page) -> None:
    """The page has read the history after the last answer: it says when each message was said."""
    await expect(page.locator(".user[data-state=done] time").last).to_be_attached()
    await expect(page.locator(".user:not([data-state=done])")).to_have_count(0)


async def ask(page: Page, text: str) -> None:
    """Say it and wait until it is answered and the history was read."""
    await say(page, text)
    await expect(answers(page).last).to_have_text(f"re {text}")
    await settled(page)


async def test_a_command_stays_where_it_was_said_and_so_does_its_answer(browser: Browser) -> None:
    async with site.running(answered) as chat, looking(browser, chat.url) as page:
        await page.evaluate(WATCH)
        for text in ("2+2", "/help", "3+3"):
            await ask(page, text)
        await stands(page, "2+2", "re 2+2", "/help", "re /help", "3+3", "re 3+3")
        assert await page.evaluate("window.moved") == []
        # What a command was answered with is in no history, and not yet forgotten
        await page.reload()
        await stands(page, "2+2", "re 2+2", "re /help", "3+3", "re 3+3")


async def test_a_conversation_that_begins_with_a_command_keeps_it_on_top(browser: Browser) -> None:
    async with site.running(answered) as chat, looking(browser, chat.url) as page:
        for text in ("/help", "2+2"):
            await ask(page, text)
        await stands(page, "/help", "re /help", "2+2", "re 2+2")


async def test_nothing_moves_when_the_line_breaks_and_is_mended(browser: Browser) -> None:
    async with (
        site.running(answered) as chat,
        Proxy(chat.port) as proxy,
        looking(browser, proxy.url, trouble=True) as page,
    ):
        await page.evaluate(WATCH)
        for text in ("2+2", "/help", "3+3"):
            await ask(page, text)
            async with page.expect_response(lambda answer: answer.url.endswith("/messages")):
                proxy.cut()
        await ask(page, "4+4")
        said = ("2+2", "/help", "3+3", "4+4")
        await stands(page, *(line for text in said for line in (text, f"re {text}")))
        assert await page.evaluate("window.moved") == []


async def test_what_was_said_while_the_line_was_broken_comes_after_the_commands_before_it(
    browser: Browser,
) -> None:
    async with (
        site.running(answered) as chat,
        Proxy(chat.port) as proxy,
        looking(browser, proxy.url, trouble=True) as page,
    ):
        await page.evaluate(WATCH)
        for text in ("2+2", "/help"):
            await ask(page, text)
        proxy.refusing = True
        proxy.cut()
        await say(page, "5+5")
        await expect(page.locator(".user[data-state=failed]")).to_have_count(1)
        address = chat.address(await visitor(page))
        for text in ("3+3", "4+4"):
            chat.engine.remember(address, text, answered(text))
        proxy.refusing = False
        await expect(answers(page).last).to_have_text("re 5+5", timeout=30_000)
        said = ("2+2", "/help", "3+3", "4+4", "5+5")
        await stands(page, *(line for text in said for line in (text, f"re {text}")))
        assert await page.evaluate("window.moved") == []


async def test_what_is_said_while_an_answer_grows_stays_before_it(browser: Browser) -> None:
    gate = Gate(0)
    async with site.running(answered, gate=gate) as chat, looking(browser, chat.url) as page:
        await page.evaluate(WATCH)
        for n, text in enumerate(("2+2", "/help", "3+3")):
            await say(page, text)
            await expect(page.locator(".user[data-state=stored]")).to_have_count(n + 1)
        for text in ("2+2", "/help", "3+3"):
            await gate.let(1)
            await expect(answers(page).last).to_have_text(f"re {text}")
        await settled(page)
        await stands(page, "2+2", "/help", "3+3", "re 2+2", "re /help", "re 3+3")
        assert await page.evaluate("window.moved") == []


async def test_a_question_that_is_heard_of_after_its_answer_is_put_before_it(
    browser: Browser,
) -> None:
    async with site.running(answered) as chat, looking(browser, chat.url) as page:
        await ask(page, "/help")
        address = chat.address(await visitor(page))
        chat.engine.remember(address, "2+2", answered("2+2"))
        turn = chat.engine.last_turn
        await chat.engine.push(address, "re 2+2", turn)
        await settled(page)
        await stands(page, "/help", "re /help", "2+2", "re 2+2")
