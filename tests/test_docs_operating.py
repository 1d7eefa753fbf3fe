"""What the operators' page tells them to look for and to type is there, and does what it says."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.main import get_command

from bot.cli.commands import app
from bot.metrics import Metrics
from tests.contracts.worlds import CHAT, sqlite_world

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
COPY = re.compile(r'sqlite3 data/parley\.db "(VACUUM INTO \'copy\.db\')"')


def test_every_metric_that_is_worth_an_alarm_is_there() -> None:
    named = set(re.findall(r"parley_\w+", PAGE))
    there = Metrics(version="1", node="one").text().decode()
    assert len(named) > 6
    assert [name for name in sorted(named) if f"# TYPE {name} " not in there] == []


@pytest.mark.parametrize("said", sorted(set(re.findall(r"`parley ([a-z ]+[a-z])", PAGE))))
def test_every_command_is_there(said: str) -> None:
    command = get_command(app)
    for word in said.split():
        command = command.commands[word]  # type: ignore[attr-defined]  # a group has some


async def test_a_copy_made_beside_a_server_can_be_gone_back_to(tmp_path: Path) -> None:
    found = COPY.search(PAGE)
    assert found is not None
    assert COPY.search((ROOT / "README.md").read_text(encoding="utf-8")) is not None
    async with sqlite_world(tmp_path) as world:
        await world.answered(await world.claimed(), "before")
        with closing(sqlite3.connect(tmp_path / "parley.db")) as db:
            db.execute(found[1].replace("copy.db", str(tmp_path / "copy.db")))
        await world.accept(world.inbound("after"))
    for left in ("parley.db-wal", "parley.db-shm"):
        (tmp_path / left).unlink(missing_ok=True)
    (tmp_path / "copy.db").replace(tmp_path / "parley.db")
    async with sqlite_world(tmp_path) as world:
        page = await world.store.page("default", CHAT, before=None, limit=10)
        assert [entry.message.text for entry in page] == ["hello", "before"]
        assert (await world.accept(world.inbound("again", key="since then"))).new
