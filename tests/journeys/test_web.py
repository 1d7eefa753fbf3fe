"""The page of a program without any configuration: streamed answers, tools, history, restart."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.journeys.program import Program
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.browser]

# Five seconds, the default, are too few for a page on a machine that is busy with other tests
expect.set_options(timeout=30_000)

ASKED = {
    "what is 19.99 * 3 - 15%?": "50.97",
    "what time is it in Tokyo?": "Asia/Tokyo",
    "现在东京几点?": "东京",
}


def settings(folder: Path) -> dict[str, Any]:
    """The defaults, but for the port and the place of the file."""
    port = free_port()
    return {"server": {"port": port}, "database": {"url": f"sqlite:///{folder}/parley.db"}}


async def ask(page: Page, text: str) -> None:
    """Type it and send it as a person would."""
    field = page.get_by_role("textbox")
    await field.fill(text)
    await field.press("Enter")


async def test_the_page_of_a_fresh_start_answers_with_tools_and_keeps_its_history(
    tmp_path: Path, chromium: str
) -> None:
    program = Program(tmp_path, settings(tmp_path))
    await program.start()
    complaints: list[str] = []
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium)
            page = await browser.new_page(locale="en-GB")
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(program.url)
            await expect(page.locator("#note")).to_contain_text("model")
            for question, part in ASKED.items():
                await ask(page, question)
                await expect(page.locator("#lines")).to_contain_text(part)
            await page.reload()
            for question in ASKED:
                await expect(page.locator("#lines")).to_contain_text(question)
            assert await program.stop() == 0
            await program.start()
            await page.reload()
            for part in ASKED.values():
                await expect(page.locator("#lines")).to_contain_text(part)
            await ask(page, "2+2")
            await expect(page.locator("#lines")).to_contain_text("= 4")
            await browser.close()
    finally:
        await program.kill()
    assert complaints == []
    assert "No language model is configured" in program.output


async def test_a_second_server_on_the_same_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    first = Program(tmp_path, settings(tmp_path))
    await first.start()
    try:
        second = Program(tmp_path, first.config | {"server": {"port": free_port()}})
        code, output = await second.attempt()
        assert code == 2
        assert "Traceback" not in output
        assert "parley" in output.lower()
        assert os.fspath(tmp_path / "parley.db") in output
    finally:
        await first.kill()
