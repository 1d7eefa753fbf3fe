"""`parley chat` as a person uses it: at a terminal, through a pipe, beside a real server."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.adapters.terminal.pseudo import CTRL_C, CTRL_D, ENTER, UP, Pseudo, running
from tests.needs import ROOT
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, by_words, echo

pytestmark = pytest.mark.slow

PROMPT = "\n>"
SLOW = Answer(text="and so on " * 400, chunks=400, pace=0.05)


def environ(**more: str) -> dict[str, str]:
    """Nothing that is not ours."""
    return {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "LANG": "en_GB.UTF-8", **more}


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """A configuration whose model answers slowly when it is asked for a story."""
    async with ModelPeer(by_words({"story": SLOW}, echo())) as model:
        write(tmp_path, model.base_url)
        yield tmp_path


def files(folder: Path) -> list[Path]:
    return list(folder.glob("parley.db*"))


def write(folder: Path, base_url: str) -> None:
    (folder / "config.yaml").write_text(
        f"server: {{port: 0}}\ndatabase: sqlite:///parley.db\nplugins: []\nadapters: {{}}\n"
        f"models: {{main: {{use: openai, base_url: '{base_url}'}}}}\n",
        encoding="utf-8",
    )


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`parley serve`, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "serve"),
        cwd=folder,
        env=environ(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert b"listening" in await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(60):
                await process.wait()


def chat(folder: Path, **more: str) -> AbstractAsyncContextManager[Pseudo]:
    """`parley chat` on a pseudo-terminal."""
    return running(("-m", "bot", "chat", "--name", "ann"), folder=folder, environ=environ(**more))


async def piped(folder: Path, lines: str, *, code: int = 0) -> str:
    """What is printed for lines that come through a pipe."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "chat", "--name", "ann"),
        cwd=folder,
        env=environ(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(lines.encode())
    assert process.returncode == code, err.decode()
    return out.decode()


async def history_of_ann(folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "history", "terminal:terminal:ann"),
        cwd=folder,
        env=environ(),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    return out.decode()


async def test_lines_through_a_pipe_are_answered_in_their_order(folder: Path) -> None:
    async with server(folder):
        out = await piped(folder, "one\n\ntwo\r\nthree")
    assert [line.partition(" [")[0] for line in out.splitlines()] == [
        "You said: one",
        "You said: two",
        "You said: three",
    ]


async def test_a_chat_needs_no_server(folder: Path) -> None:
    assert "You said: one" in await piped(folder, "one\n")
    async with server(folder):
        assert "You said: two" in await piped(folder, "two\n")
    assert not any(path.suffix == ".control" for path in files(folder))


async def test_ctrl_c_stops_the_answer_and_not_the_program(folder: Path) -> None:
    async with server(folder), chat(folder) as terminal:
        await terminal.shows(PROMPT)
        terminal.type("tell me a story" + ENTER)
        await terminal.shows("and so on")
        terminal.type(CTRL_C)
        await terminal.shows("(stopped)")
        await terminal.shows(PROMPT)
        terminal.type("hello" + ENTER)
        await terminal.shows("You said: hello")
        await terminal.shows(PROMPT)
        terminal.type(CTRL_D)
        assert await terminal.ended() == 0


async def test_ctrl_c_at_the_prompt_clears_the_line_and_twice_leaves(folder: Path) -> None:
    async with server(folder), chat(folder) as terminal:
        await terminal.shows(PROMPT)
        terminal.type("never said" + CTRL_C)
        await terminal.shows("Press Ctrl-C again to leave")
        terminal.type("hello" + ENTER)
        await terminal.shows("You said: hello")
        await terminal.shows(PROMPT)
        terminal.type(CTRL_C)
        await terminal.shows("Press Ctrl-C again to leave")
        terminal.type(CTRL_C)
        assert await terminal.ended() == 130
    assert "never said" not in await history_of_ann(folder)


async def test_a_chat_goes_on_where_it_ended_and_recalls_lines(folder: Path) -> None:
    async with server(folder):
        async with chat(folder, NO_COLOR="1") as terminal:
            await terminal.shows(PROMPT)
            terminal.type("first words" + ENTER)
            await terminal.shows("You said: first words")
            await terminal.shows(PROMPT)
            terminal.type("/quit" + ENTER)
            assert await terminal.ended() == 0
            assert not re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.raw)
        async with chat(folder, LANG="zh_CN.UTF-8") as terminal:
            await terminal.shows("您: first words")
            await terminal.shows("您是 ann")
            await terminal.shows(PROMPT)
            terminal.type(UP + UP + ENTER)
            await terminal.shows("You said: first words")


async def test_a_chat_outlives_its_server(folder: Path) -> None:
    async with server(folder) as first, chat(folder) as terminal:
        await terminal.shows(PROMPT)
        first.terminate()
        await first.wait()
        await terminal.shows("The server is gone")
        async with server(folder):
            await terminal.shows("The server is back.")
            terminal.type("still here?" + ENTER)
            await terminal.shows("You said: still here?")


async def test_what_is_forgotten_through_a_pipe_is_not_recalled_either(folder: Path) -> None:
    async with server(folder):
        async with chat(folder) as terminal:
            await terminal.shows(PROMPT)
            terminal.type("a secret word" + ENTER)
            await terminal.shows("You said: a secret word")
        assert [path for path in files(folder) if ".recall-" in path.name]
        assert "is deleted" in await piped(folder, "/Forget me\n")
        assert not [path for path in files(folder) if ".recall-" in path.name]


async def test_what_is_forgotten_is_not_recalled(folder: Path) -> None:
    async with server(folder), chat(folder) as terminal:
        await terminal.shows(PROMPT)
        terminal.type("a secret word" + ENTER)
        await terminal.shows("You said: a secret word")
        await terminal.shows(PROMPT)
        terminal.type("/forget" + ENTER)
        await terminal.shows("is deleted")
        await terminal.shows(PROMPT)
        assert not [path for path in files(folder) if b"a secret word" in path.read_bytes()]
