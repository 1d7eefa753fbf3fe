"""The store has threads of its own: what others do with the loop's is not its business."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.contracts.worlds import sqlite_world


async def test_a_pool_of_the_loop_that_is_full_for_good_holds_up_neither_scans_nor_the_end(
    tmp_path: Path,
) -> None:
    let_go = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    stuck = loop.run_in_executor(None, let_go.wait)
    try:
        async with asyncio.timeout(10), sqlite_world(tmp_path) as world:
            await world.accept(world.inbound("hello"))
            assert (await world.store.health()).waiting == 1
    finally:
        let_go.set()
        await stuck
