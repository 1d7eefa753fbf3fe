"""How a server's life begins beside another of its name, and how it ends when its work does."""

import asyncio
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from bot.app.life import _verdict
from bot.errors import ConfigError, Transient
from bot.store.postgres import PostgresStore
from tests.journeys.program import Program


@pytest.mark.slow
@pytest.mark.postgres
async def test_a_second_server_on_the_same_port_ends_and_leaves_the_first_of_its_name_alone(
    postgres_url: str, tmp_path: Path
) -> None:
    lease = timedelta(hours=1)
    store = PostgresStore(postgres_url)
    await store.open()
    try:
        first = await store.join("here", lease)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            server = {"port": taken.getsockname()[1], "node": "here"}
            second = Program(tmp_path, {"server": server, "database": {"url": postgres_url}})
            code, said = await second.attempt()
        assert (code, f"server.port: {server['port']} on 127.0.0.1 is taken" in said) == (2, True)
        assert await store.renew(first, lease)
    finally:
        await store.close()


async def test_a_setting_that_turns_out_wrong_while_running_ends_it_as_at_the_start() -> None:
    async def works() -> None:
        inner = ExceptionGroup("claims", [ConfigError("database: set the pooler")])
        raise ExceptionGroup("work", [Transient("cut off"), inner])

    working = asyncio.create_task(works())
    await asyncio.wait({working})
    with pytest.raises(ConfigError, match="set the pooler"):
        _verdict(working)
