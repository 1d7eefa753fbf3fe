"""What commands need without a server: the tools, the store alone, and a look at everything."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from bot.app.construction import make_tools
from bot.app.reporting import reporting
from bot.app.stores import control_path, database_file, make_store
from bot.app.whole import built
from bot.clock import SystemClock
from bot.configload import Loaded
from bot.engine.tools import Tool
from bot.errors import ConfigError
from bot.ports import Health, Store
from bot.store.memory import MemoryStore

__all__ = ["control_path", "open_store", "open_tools", "probe"]


def open_tools(loaded: Loaded) -> Mapping[str, Tool]:
    """The configured tools, for `parley plugin list`."""
    return make_tools(loaded)


@asynccontextmanager
async def open_store(loaded: Loaded, *, read: bool) -> AsyncGenerator[Store, None]:
    """The store alone: to read beside a running server, or with its lock to write."""
    store = make_store(loaded, SystemClock(), read=read)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def probe(loaded: Loaded) -> list[Health]:
    """Ask the database, the models and the adapters how they are, for `parley check`."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        told = await stack.enter_async_context(reporting(loaded, clock, quiet=True))
        database = Health("database", ok=True, detail="it can be read")
        store: Store
        file = database_file(loaded.settings.database)
        if file is not None and not file.exists():
            database = Health("database", ok=True, detail="it is made at the first start")
            store = MemoryStore(clock)
        else:
            try:
                store = await stack.enter_async_context(open_store(loaded, read=True))
            except ConfigError as error:
                return [Health("database", ok=False, detail=str(error))]
        app = await stack.enter_async_context(built(loaded, store, told, clock))
        for client in app.models.clients.values():
            stack.push_async_callback(client.close)
        return [database, *await app.probing.run()]
