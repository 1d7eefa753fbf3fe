"""One world for each kind of store: every test of the contract runs on all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.worlds import World, kinds, memory_world, sqlite_world

MARKS = {"postgres": [pytest.mark.postgres]}


@pytest.fixture(params=[pytest.param(kind, marks=MARKS.get(kind, [])) for kind in kinds()])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "postgres":
        from tests.contracts.postgres_world import postgres_world  # noqa: PLC0415

        server = request.getfixturevalue("postgres_server")
        async with postgres_world(server) as found:
            yield found
        return
    make = {"memory": memory_world, "sqlite": sqlite_world}[request.param]
    async with make(tmp_path) as found:
        yield found
