"""One world for each kind of store: every test of the contract runs on all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.worlds import World, kinds, memory_world, sqlite_world

MARKS = {
    "postgres": [pytest.mark.postgres],
    # The same again, through a pooler in transaction mode.
    "pooled": [pytest.mark.postgres, pytest.mark.pgbouncer, pytest.mark.slow],
}


@pytest.fixture(
    params=[pytest.param(kind, marks=MARKS.get(kind, [])) for kind in [*kinds(), "pooled"]]
)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param in {"postgres", "pooled"}:
        from tests.contracts.postgres_world import postgres_world  # noqa: PLC0415

        server = request.getfixturevalue("postgres_server")
        pooler = request.getfixturevalue("pooler") if request.param == "pooled" else None
        async with postgres_world(server, pooler) as found:
            yield found
        return
    make = {"memory": memory_world, "sqlite": sqlite_world}[request.param]
    async with make(tmp_path) as found:
        yield found
