"""Somebody who looks at the page, and at everything that the browser complains about."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page

# An answer that is cut off within its head has no type
EXPECTED = re.compile("Failed to load resource|EventSource's response has a MIME type")
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}


@asynccontextmanager
async def looking(
    browser: Browser, url: str, *, trouble: bool = False, clock: bool = False, **options: Any
) -> AsyncIterator[Page]:
    """A fresh browser profile on the page; with `trouble` failed requests are no complaint.

    With `clock` a test may make the page's time go by.
    """
    context = await browser.new_context(**{"locale": "en-GB", **options})
    context.set_default_timeout(30_000)
    complaints: list[str] = []
    page = await context.new_page()
    if clock:
        await page.clock.install()
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # Who writes before the page listens sees nothing grow.
    async with page.expect_response(lambda response: "/events" in response.url):
        await page.goto(url)
    await page.wait_for_function("document.querySelector('#field').placeholder !== ''")
    yield page
    await context.close()
    left = [each for each in complaints if not (trouble and EXPECTED.search(each))]
    assert not left, left


async def say(page: Page, text: str) -> None:
    """Write something and press Enter."""
    await page.locator("#field").fill(text)
    await page.locator("#field").press("Enter")


def answers(page: Page) -> Locator:
    """The finished answers."""
    return page.locator(".assistant[data-state=done] .body")


def mine(page: Page) -> Locator:
    """What the person said."""
    return page.locator(".user")


async def visitor(page: Page) -> str:
    """The id in the page's cookie."""
    (cookie,) = await page.context.cookies()
    return cookie.get("value", "").partition(".")[0]
