"""`parley check` and `parley serve` on a PostgreSQL that is new, or behind a pooler unsaid."""

from pathlib import Path
from typing import Any

import pytest

from tests.journeys.checking import check
from tests.journeys.program import Program
from tests.peers.model import ModelPeer
from tests.peers.model_answers import echo
from tests.pgbouncer import Pooler
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

SETTING = "`database.pooler: transaction`"


def config_of(url: str, model: ModelPeer, *, locale: str = "en") -> dict[str, Any]:
    """A server with one model, and the terminal alone."""
    return {
        "locale": locale,
        "server": {"port": free_port()},
        "database": {"url": url},
        "models": {"main": {"use": "openai", "base_url": model.base_url, "model": "peer-model"}},
        "adapters": {},
    }


@pytest.mark.parametrize(
    ("locale", "words"), [("en", ("not there yet", "makes them")), ("zh", ("还没有", "创建"))]
)
async def test_of_a_new_database_check_says_that_the_server_makes_the_tables_and_goes_on(
    tmp_path: Path, postgres_url: str, locale: str, words: tuple[str, ...]
) -> None:
    async with ModelPeer(echo()) as model:
        checked = await check(tmp_path, config_of(postgres_url, model, locale=locale))
    assert checked.code == 0, checked.output
    line = checked.well("database")
    assert "`parley serve`" in line
    for word in words:
        assert word in line
    assert "parley migrate" not in line
    assert checked.well("model main")


@pytest.mark.pgbouncer
async def test_a_pooler_that_the_configuration_does_not_name_is_told_by_check_and_at_the_start(
    tmp_path: Path, pooler: Pooler, postgres_url: str
) -> None:
    async with ModelPeer(echo()) as model:
        config = config_of(pooler.url(postgres_url), model)
        checked = await check(tmp_path, config)
        code, output = await Program(tmp_path, config).command("serve")
    assert checked.code == 1
    assert SETTING in checked.wrong("database")
    assert code == 2
    assert SETTING in output
    assert "docs/nodes.md" in output
    assert "Traceback" not in output
