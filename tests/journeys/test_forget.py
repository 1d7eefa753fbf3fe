"""What was forgotten or erased is in no file any more, byte for byte."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.program import Program, telegram_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Asked, Call
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import GROUP

pytestmark = pytest.mark.slow

Json = dict[str, Any]
MARKERS = {
    "Ann": "kingfisher-翠鸟",
    "Bo": "woodpecker-啄木鸟",
    "Cy": "goldfinch-金翅雀",
    "Di": "wren-鹪鹩",
}


def person(number: int, name: str) -> Json:
    """Somebody who says their marker."""
    return {"id": number, "is_bot": False, "first_name": name, "language_code": "en"}


ANN, BO, CY, DI = (person(3001 + n, name) for n, name in enumerate(MARKERS))


def script(asked: Asked) -> Answer:
    """Hands what was said to a tool, thinks about it and says it back."""
    if asked.results:
        return Answer(text=f"You said: {asked.last_user}", reasoning=f"think {asked.last_user}")
    return Answer(calls=[Call("calculate", {"expression": asked.last_user})])


@asynccontextmanager
async def world(folder: Path) -> AsyncGenerator[tuple[TelegramPeer, Program], None]:
    """A program on SQLite with growing answers, so that drafts and steps are kept too."""
    async with TelegramPeer() as telegram, ModelPeer(script) as model:
        url = f"sqlite:///{folder}/data/parley.db"
        bot = {"stream": "draft", "chat_per_second": 0, "group_per_minute": 0}
        program = Program(folder, telegram_config(telegram, model, database=url, bot=bot))
        await program.start()
        try:
            yield telegram, program
        finally:
            await program.kill()


def found(folder: Path, name: str) -> set[str]:
    """The files that hold a person's marker, or a part of it that says as much."""
    hits = set()
    for file in (folder / "data").iterdir():
        content = file.read_bytes()
        for word in (MARKERS[name], *MARKERS[name].split("-")):
            forms = {word.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")}
            # As JSON writes it that keeps to ASCII.
            forms.add(word.encode("ascii", "backslashreplace"))
            if any(form in content for form in forms):
                hits.add(file.name)
    return hits


async def say(telegram: TelegramPeer, who: Json, text: str, *, group: bool = False) -> None:
    """Say it and wait for what comes back."""
    chat = GROUP if group else who
    before = len(telegram.texts(chat))
    update = telegram.updates.mention(text, who) if group else telegram.updates.text(text, who)
    telegram.push(update)
    await telegram.wait_for(
        lambda: len(telegram.texts(chat)) > before and not telegram.texts(chat)[-1].startswith("…"),
        30.0,
    )


async def test_after_forget_and_erase_no_file_holds_a_trace(tmp_path: Path) -> None:
    async with world(tmp_path) as (telegram, program):
        for who in (ANN, BO, CY, DI):
            await say(telegram, who, f"my secret is {MARKERS[who['first_name']]}")
        for name in MARKERS:
            assert found(tmp_path, name)

        await say(telegram, ANN, "/forget")
        assert telegram.texts(ANN)[-1].startswith("Done")
        assert not found(tmp_path, "Ann")

        account = telegram.token.partition(":")[0]
        code, said = await program.command("erase", f"telegram:{account}:{BO['id']}", "--yes")
        assert code == 0, said
        assert not found(tmp_path, "Bo")

        await say(telegram, ANN, "what was it?")
        assert MARKERS["Ann"] not in telegram.texts(ANN)[-1]

        assert await program.stop() == 0
        code, said = await program.command("erase", f"telegram:{account}:{CY['id']}", "--yes")
        assert code == 0, said
        assert not found(tmp_path, "Cy")
        # What the others said is where it was: the search can find something.
        assert found(tmp_path, "Di")


async def test_in_a_group_forget_takes_ones_own_lines_and_their_answers_out_of_the_files(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as (telegram, _):
        await say(telegram, ANN, f"mine is {MARKERS['Ann']}", group=True)
        await say(telegram, BO, f"mine is {MARKERS['Bo']}", group=True)
        telegram.push(telegram.updates.own_command("/forget", ANN))
        await telegram.wait_for(lambda: telegram.texts(GROUP)[-1].startswith("Done"), 30.0)
        assert not found(tmp_path, "Ann")
        assert found(tmp_path, "Bo")
