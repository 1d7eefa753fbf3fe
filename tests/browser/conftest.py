"""One Chromium for each module; every page that is looked at must be without an error."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

# Five seconds, the default, are too few for a page on a machine that is busy with other tests
expect.set_options(timeout=30_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A headless browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            # A name that is not loopback, for what browsers do differently there
            args=["--host-resolver-rules=MAP plain.example 127.0.0.1"],
        )
        yield browser
        await browser.close()
