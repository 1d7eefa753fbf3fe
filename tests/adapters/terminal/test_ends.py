"""`parley chat` where there is nobody to read from or to write to: it ends with few words."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from adapters.terminal.talk import Talk
from bot import Permanent
from tests.adapters.terminal.room import ListSurface, Room
from tests.engine.house import ScriptedModel
from tests.needs import ROOT

CONFIG = "server: {port: 0}\ndatabase: sqlite:///parley.db\nplugins: []\nadapters: {}\n"


class Closed(ListSurface):
    """Nobody reads what is said here any more."""

    def say(self, text: str, choices: Sequence[str] = ()) -> None:
        raise BrokenPipeError


async def test_an_answer_that_nobody_reads_any_more_ends_it_with_that_error() -> None:
    async with Room(ScriptedModel()).open() as room:
        talk: Talk = room.talk(Closed("hello", "more"))
        with pytest.raises(BrokenPipeError):
            await talk.run()


async def test_an_empty_message_is_refused_in_the_language_of_the_person() -> None:
    async with Room(ScriptedModel()).open() as room:
        with pytest.raises(Permanent, match="没有内容"):
            await room.asked("chat.say", id="m1", text=" ", locale="zh")


async def chat(folder: Path, *, stdin: int, stdout: int) -> tuple[int, str]:
    """Run it on these; its exit code, and what it says beside the answers."""
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    environ: Mapping[str, str] = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "chat", "--name", "ann"),
        cwd=folder,
        env={**environ, "LANG": "en_GB.UTF-8"},
        stdin=stdin,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(stdout)
    os.close(stdin)
    try:
        async with asyncio.timeout(30):
            _, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, err.decode()


@pytest.mark.slow
async def test_through_a_pipe_that_is_closed_it_ends_without_a_word(tmp_path: Path) -> None:
    question, said = os.pipe()
    os.write(said, b"one\ntwo\n")
    os.close(said)
    gone, answers = os.pipe()
    os.close(gone)
    assert await chat(tmp_path, stdin=question, stdout=answers) == (1, "")


@pytest.mark.slow
async def test_what_cannot_be_read_as_standard_input_is_a_sentence(tmp_path: Path) -> None:
    only_written = os.open(tmp_path / "letters", os.O_WRONLY | os.O_CREAT)
    kept, answers = os.pipe()
    code, said = await chat(tmp_path, stdin=only_written, stdout=answers)
    os.close(kept)
    assert (code, said) == (1, "parley: standard input: Bad file descriptor\n")
