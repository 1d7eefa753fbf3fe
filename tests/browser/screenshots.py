"""Every state of the page as a picture, for eyes: `python -m tests.browser.screenshots DIRECTORY`.

Both languages, light and dark, phone and desktop. A second word keeps only the pictures whose
name holds it.
"""

import asyncio
import sys
from itertools import product
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests import needs
from tests.adapters.web import site
from tests.browser import scenes

SIZES = {"phone": (360, 740), "desktop": (1280, 800)}
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
SCENES = ("empty", "short", "long", "streaming", "code", "error", "offline")


async def main(folder: Path, only: str) -> None:
    """Take them all."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=needs.chromium())
        for scene, lang, theme, size in product(SCENES, LOCALES, ("light", "dark"), SIZES):
            name = f"{size}-{theme}-{lang}-{scene}"
            if only in name:
                await _take(browser, folder / f"{name}.png", scene, lang, (theme, size))
        await browser.close()


async def _take(browser: Browser, path: Path, scene: str, lang: str, look: tuple[str, str]) -> None:
    width, height = SIZES[look[1]]
    context = await browser.new_context(
        locale=LOCALES[lang],
        color_scheme="dark" if look[0] == "dark" else "light",
        viewport={"width": width, "height": height},
        device_scale_factor=1 if width > 1000 else 2,
        has_touch=width < 1000,
        is_mobile=width < 1000,
    )
    async with site.running(scenes.script, model_configured=scene != "empty", locale=lang) as chat:
        page = await context.new_page()
        await page.goto(chat.url)
        await expect(page.locator("#empty")).to_be_visible()
        await _play(chat, context, page, scene, lang)
        await page.wait_for_timeout(400)
        await page.screenshot(path=path)
    await context.close()


async def _play(
    chat: site.Site, context: BrowserContext, page: Page, scene: str, lang: str
) -> None:
    if scene == "empty":
        return
    if scene in {"long", "offline"}:
        visitor = (await context.cookies())[0].get("value", "").split(".")[0]
        for said, answer in scenes.PAST[lang]:
            chat.engine.remember(chat.address(visitor), said, answer)
        await page.reload()
        await expect(page.locator(".assistant")).to_have_count(len(scenes.PAST[lang]))
    if scene == "offline":
        await context.set_offline(True)
        await expect(page.locator("html[data-banner=lost]")).to_be_attached()
        return
    if scene == "error":
        chat.engine.refusing = True
    said = scenes.SAID["short" if scene == "long" else scene][lang]
    await chat.gate.let(1 if scene == "streaming" else None)
    await page.locator("#field").fill(said)
    await page.keyboard.press("Enter")
    if scene == "error":
        await expect(page.locator(".line[data-state=failed]")).to_be_visible()
    elif scene == "streaming":
        await expect(page.locator(".assistant li")).to_have_count(3)
    else:
        await expect(page.locator(".assistant[data-state=done]").last).to_be_visible()


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("screenshots")
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target, sys.argv[2] if len(sys.argv) > 2 else ""))
