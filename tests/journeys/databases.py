"""An empty database of a journey's own: a file of SQLite, or one on the private PostgreSQL."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


@asynccontextmanager
async def database(request: pytest.FixtureRequest, folder: Path) -> AsyncGenerator[str, None]:
    """The address that `database.url` takes, for a fixture with `KINDS` as its parameters."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/parley.db"
        return
    server = request.getfixturevalue("postgres_server")
    url: str = await server.create()
    try:
        yield url
    finally:
        await server.drop(url)
