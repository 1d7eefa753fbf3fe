"""Connections break: nothing is lost, nothing comes twice, and the page says so quietly."""

import asyncio
import random

import pytest
from playwright.async_api import Browser, Route, expect

from tests.adapters.web import site
from tests.adapters.web.engine import Answer, Gate, ScriptedEngine
from tests.adapters.web.proxy import Proxy
from tests.adapters.web.wall_clock import WallClock
from tests.browser.looking import PHONE, answers, looking, mine, say
from tests.journeys.program import a_moment

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

CUTS = 50
LONG = Answer(tuple(f"word{n} 字{n}, " for n in range(1600)))
"""Over a minute at the pace of a draft: room for fifty cuts, however long a page takes for one."""


class Pace(WallClock):
    """The pace of drafts, until there is nothing more to be seen of it."""

    hurry = False

    async def sleep(self, seconds: float) -> None:
        """Let others run; no longer than that in a hurry."""
        await super().sleep(0 if self.hurry else seconds)


@pytest.mark.timeout(180)
async def test_fifty_cuts_in_an_answer_leave_no_trace_in_it(browser: Browser) -> None:
    chance = random.Random(7)
    # In the middle of the head, or of one of the first events after it
    cuts = [(chance.choice((0, 1, 1, 2, 2, 3, 4)), chance.randint(1, 60)) for _ in range(CUTS)]
    pace = Pace()
    async with (
        site.running(lambda _: LONG, clock=pace) as chat,
        Proxy(chat.port) as proxy,
        looking(browser, proxy.url, trouble=True) as page,
    ):
        # What the page shows must at every moment be a beginning of the answer
        await page.evaluate(WATCH, LONG.text)
        await say(page, "go")
        await expect(page.locator("[data-state=growing]")).to_be_visible()
        proxy.plan(cuts)
        async with asyncio.timeout(120):
            while proxy.cuts < CUTS:  # a browser comes back in its own time
                await a_moment()
        pace.hurry = True
        await expect(answers(page)).to_have_text(LONG.text.strip())
        assert proxy.cuts == CUTS
        assert await page.evaluate("window.wrong") == []
        await expect(page.locator(".assistant")).to_have_count(1)
        await expect(mine(page)).to_have_count(1)
        await page.reload()
        await expect(answers(page)).to_have_text(LONG.text.strip())


WATCH = """(whole) => {
  window.wrong = [];
  new MutationObserver(() => {
    for (const body of document.querySelectorAll(".assistant .body")) {
      if (!whole.startsWith(body.textContent)) window.wrong.push(body.textContent);
    }
  }).observe(document.querySelector("#lines"), {subtree: true, childList: true});
}"""


async def test_a_failed_send_is_kept_and_tried_again_under_the_same_id(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url, trouble=True) as page:
        chat.engine.refusing = True
        await say(page, "do not lose me")
        failed = page.locator(".user[data-state=failed]")
        await expect(failed.locator(".meta")).to_contain_text("Not sent yet")
        await expect(failed.get_by_role("button", name="Try again")).to_be_visible()
        chat.engine.refusing = False
        # pressed if it is still there: the page tries by itself as soon as its stream is back
        await failed.locator("button").evaluate_all("all => all.forEach((one) => one.click())")
        await expect(answers(page)).to_have_text("do not lose me")
        await expect(mine(page)).to_have_count(1)
        assert len(chat.engine.inbounds) == 1


async def test_what_could_not_be_sent_survives_a_reload_and_goes_out_then(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url, trouble=True) as page:
        chat.engine.refusing = True
        await say(page, "do not lose me")
        await expect(page.locator(".user[data-state=failed]")).to_be_visible()
        chat.engine.refusing = False
        await page.reload()
        await expect(answers(page)).to_have_text("do not lose me")
        await expect(mine(page)).to_have_count(1)
        assert len(chat.engine.inbounds) == 1


async def test_an_acknowledgement_that_was_lost_makes_no_second_message(browser: Browser) -> None:
    async with (
        site.running() as chat,
        Proxy(chat.port, cuts=[(0, 20)], path="POST /in/web/messages") as proxy,
        looking(browser, proxy.url, trouble=True) as page,
    ):
        await say(page, "only once")
        await expect(answers(page)).to_have_text("only once")
        await expect(mine(page)).to_have_count(1)
        await expect(mine(page)).to_have_attribute("data-state", "done")
        assert len(chat.engine.inbounds) == 1


async def test_messages_written_offline_go_out_in_order_when_the_line_is_back(
    browser: Browser,
) -> None:
    async with site.running() as chat, looking(browser, chat.url, trouble=True) as page:
        await expect(page.locator("#empty")).to_be_visible()
        await page.context.set_offline(True)
        for text in ("first", "second", "third"):
            await say(page, text)
        await expect(page.locator(".user[data-state=failed]")).to_have_count(3)
        await expect(page.locator("#banner")).to_be_visible()
        await expect(page.locator("#banner")).to_have_text("Connection lost. Reconnecting…")
        await page.context.set_offline(False)
        await expect(answers(page)).to_have_text(["first", "second", "third"])
        await expect(page.locator("#banner")).to_be_hidden()
        assert [inbound.text for inbound in chat.engine.inbounds] == ["first", "second", "third"]


async def test_what_is_written_behind_one_that_failed_goes_out_behind_it(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url, trouble=True) as page:
        chat.engine.refusing = True
        await say(page, "first")
        await expect(page.locator(".user[data-state=failed]")).to_be_visible()
        chat.engine.refusing = False
        await say(page, "second")
        await expect(answers(page)).to_have_text(["first", "second"])
        assert [inbound.text for inbound in chat.engine.inbounds] == ["first", "second"]


async def test_the_page_of_a_sign_in_is_no_acknowledgement(browser: Browser) -> None:
    async def sign_in(route: Route) -> None:
        if route.request.method == "POST":
            await route.fulfill(status=200, content_type="text/html", body="Who are you?")
        else:
            await route.continue_()

    async with site.running() as chat, looking(browser, chat.url, trouble=True) as page:
        await page.route("**/messages", sign_in)
        await say(page, "do not lose me")
        await expect(page.locator(".user[data-state=failed]")).to_be_visible()
        await page.unroute("**/messages")
        await page.reload()
        await expect(answers(page)).to_have_text("do not lose me")
        assert len(chat.engine.inbounds) == 1


async def test_a_line_that_is_dead_without_a_word_is_replaced(browser: Browser) -> None:
    async with (
        site.running() as chat,
        Proxy(chat.port) as proxy,
        looking(browser, proxy.url, trouble=True, clock=True) as page,
    ):
        await say(page, "hello")
        await expect(answers(page)).to_have_text("hello")
        proxy.stall()
        await page.clock.run_for(60_000)
        await say(page, "again")
        await expect(answers(page)).to_have_text(["hello", "again"])


async def test_pages_that_are_zoomed_into_stay_whole(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url, **PHONE) as page:
        height = await page.evaluate("document.body.clientHeight")
        session = await page.context.new_cdp_session(page)
        await session.send("Emulation.setPageScaleFactor", {"pageScaleFactor": 2})
        await page.wait_for_function("visualViewport.scale > 1.5")
        assert abs(await page.evaluate("document.body.clientHeight") - height) <= 1


async def test_what_is_typed_survives_a_reload(browser: Browser) -> None:
    async with site.running() as chat, looking(browser, chat.url) as page:
        await page.locator("#field").press_sequentially("half a thou")
        await page.reload()
        await expect(page.locator("#field")).to_have_value("half a thou")
        await expect(page.locator("#send")).to_be_enabled()


async def test_an_answer_completes_after_a_restart_of_the_server(browser: Browser) -> None:
    gate = Gate(0)
    engine = ScriptedEngine(WallClock(), site.echo, gate)
    async with (
        site.running(engine=engine, gate=gate) as chat,
        Proxy(chat.port) as proxy,
        looking(browser, proxy.url, trouble=True) as page,
    ):
        await say(page, "one two three four")
        await gate.let(2)
        await expect(page.locator("[data-state=growing] .body")).to_have_text("one two")
        proxy.refusing = True
        proxy.cut()
        await expect(page.locator("#banner")).to_be_visible()
        # The new server runs the turn again, and its words differ
        again = ScriptedEngine(WallClock(), lambda _: Answer(("ein ", "zwei ", "drei")), gate)
        async with site.running(engine=again, gate=gate) as restarted:
            again.take_over(engine)
            proxy.target = restarted.port
            proxy.refusing = False
            await gate.let()
            await expect(answers(page)).to_have_text("ein zwei drei")
            await expect(page.locator(".assistant")).to_have_count(1)
            await expect(page.locator("#banner")).to_be_hidden()


async def test_an_answer_that_will_not_come_is_said_to_be_interrupted(browser: Browser) -> None:
    gate = Gate(0)
    async with (
        site.running(gate=gate) as chat,
        Proxy(chat.port) as proxy,
        looking(browser, proxy.url, trouble=True) as page,
    ):
        await say(page, "one two three four")
        await gate.let(2)
        await expect(page.locator("[data-state=growing] .body")).to_have_text("one two")
        async with site.running() as empty:
            # A server that knows nothing of this turn
            proxy.target = empty.port
            proxy.cut()
            interrupted = page.locator(".assistant[data-state=interrupted]")
            await expect(interrupted.locator(".meta")).to_have_text("This answer was interrupted.")
            await expect(interrupted.locator(".body")).to_have_text("one two")
            await expect(page.locator("#stop")).to_be_hidden()


async def test_a_message_that_is_too_long_goes_back_to_be_shortened(browser: Browser) -> None:
    settings = {"max_length": 20}
    async with (
        site.running(settings=settings) as chat,
        looking(browser, chat.url, trouble=True) as page,
    ):
        await say(page, "this is certainly too long to be sent")
        await expect(mine(page).locator(".meta")).to_contain_text("too long")
        await page.get_by_role("button", name="Edit").click()
        await expect(mine(page)).to_have_count(0)
        await expect(page.locator("#field")).to_have_value("this is certainly too long to be sent")
        await say(page, "this is short")
        await expect(answers(page)).to_have_text("this is short")


async def test_a_browser_that_keeps_no_cookies_is_told(browser: Browser) -> None:
    async with (
        site.running(loopback=False, settings={"public": True}) as chat,
        looking(browser, chat.url.replace("127.0.0.1", "plain.example"), trouble=True) as page,
    ):
        await expect(page.locator("#banner")).to_contain_text("cookie")
