"""How a server's life ends when its work does."""

import asyncio

import pytest

from bot.app.life import _verdict
from bot.errors import ConfigError, Transient


async def test_a_setting_that_turns_out_wrong_while_running_ends_it_as_at_the_start() -> None:
    async def works() -> None:
        inner = ExceptionGroup("claims", [ConfigError("database: set the pooler")])
        raise ExceptionGroup("work", [Transient("cut off"), inner])

    working = asyncio.create_task(works())
    await asyncio.wait({working})
    with pytest.raises(ConfigError, match="set the pooler"):
        _verdict(working)
