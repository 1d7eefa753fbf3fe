"""What commands need without a server: the tools, the store alone, and a look at everything."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.app.reporting import reporting
from bot.app.stores import control_path, database_file, make_store
from bot.app.toolset import Toolset, make_tools
from bot.app.whole import built
from bot.clock import SystemClock
from bot.configload import Loaded
from bot.domain.sentences import Said
from bot.errors import ConfigError
from bot.ports import Health, Store
from bot.store.memory import MemoryStore
from bot.store.migrate import NoTables

_READABLE = Said("it can be read", "可以读取")
_NOT_YET = Said("it is made at the first start", "首次启动时创建")
_NO_TABLES = Said(
    "its tables are not there yet; `parley serve` makes them",
    "还没有数据表，首次运行 `parley serve` 时创建",
)

__all__ = ["control_path", "open_store", "open_tools", "probe"]


def open_tools(loaded: Loaded) -> Toolset:
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
    clock, locale = SystemClock(), loaded.settings.locale
    async with AsyncExitStack() as stack:
        told = await stack.enter_async_context(reporting(loaded, clock, quiet=True))
        database = Health("database", ok=True, detail=_READABLE.to(locale))
        store: Store
        file = database_file(loaded.settings.database)
        if file is not None and not file.exists():
            database = Health("database", ok=True, detail=_NOT_YET.to(locale))
            store = MemoryStore(clock)
        else:
            try:
                store = await stack.enter_async_context(open_store(loaded, read=True))
            except NoTables:
                database = Health("database", ok=True, detail=_NO_TABLES.to(locale))
                store = MemoryStore(clock)
            except ConfigError as error:
                return [Health("database", ok=False, detail=str(error))]
        app = await stack.enter_async_context(built(loaded, store, told, clock))
        for client in app.models.clients.values():
            stack.push_async_callback(client.close)
        absent = [Health(f"plugin {one.use}", ok=False, detail=one.why) for one in app.absent]
        return [database, *absent, *await app.probing.run()]
