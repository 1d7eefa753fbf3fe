"""Where a PostgreSQL keeps the tables of one database: a disk of their own, its log elsewhere."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests import postgres

PATIENCE = 60


@asynccontextmanager
async def placed(server: postgres.Server, url: str, folder: Path) -> AsyncGenerator[None, None]:
    """The tables of this database stand in that folder until it is dropped."""
    name = urlsplit(url).path.removeprefix("/")
    await run(server, f"CREATE TABLESPACE \"space_{name}\" LOCATION '{folder}'")
    await run(server, f'ALTER DATABASE "{name}" SET TABLESPACE "space_{name}"')
    try:
        yield
    finally:
        await run(server, f'DROP TABLESPACE "space_{name}"')


async def folder_of(server: postgres.Server) -> Path:
    """A folder of the server's own, beside its data."""
    return Path(str(await run(server, "SHOW data_directory"))).parent


async def run(server: postgres.Server, statement: str) -> object:
    """One statement, not of any database of ours."""
    connection = await asyncpg.connect(server.url("postgres"), ssl=False, timeout=PATIENCE)
    try:
        return await connection.fetchval(statement, timeout=PATIENCE)
    finally:
        await connection.close(timeout=10)
