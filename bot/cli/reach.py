"""With whom a command speaks: the server that runs on the database, else the database itself."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Protocol, cast

from bot.app import background, control_path, open_store
from bot.app.stores import database_file
from bot.configload import Loaded
from bot.control import Control, reach
from bot.domain.address import Address
from bot.errors import Transient
from bot.modules import import_used
from bot.orders import store_orders

Call = Callable[[str, Mapping[str, object]], AsyncGenerator[Mapping[str, object], None]]


class TerminalModule(Protocol):
    """What `parley chat` needs of the terminal's package."""

    async def talk(self, call: Call, *, chat: str, locale: str | None, recall: Path | None) -> int:
        """Talk until the person leaves; the exit code."""
        ...


async def server_of(loaded: Loaded) -> Control | None:
    """The server that runs on this machine and this database; None when none does."""
    path = control_path(loaded)
    return None if path is None else await reach(path)


@asynccontextmanager
async def orders_to(loaded: Loaded) -> AsyncGenerator[Call, None]:
    """Where orders go: to the running server, else to the database under its own lock.

    Raises:
        ConfigError: the database is held by something that does not listen.
    """
    server = await server_of(loaded)
    if server is not None:
        yield server.call
        return
    async with open_store(loaded, read=False) as store:
        orders = store_orders(store)
        yield lambda command, args: orders[command](args)


async def done(call: Call, command: str, args: Mapping[str, object]) -> bool:
    """Give an order; whether there was something that it could be done to."""
    async with aclosing(call(command, args)) as events:
        told = [event async for event in events]
    return any(event.get("found") for event in told)


async def chat(loaded: Loaded, name: str, locale: str | None) -> int:
    """Talk with the running server, else with an engine of our own; the exit code."""
    terminal = cast(TerminalModule, import_used("adapters.terminal", loaded.folder))
    recall = recall_of(loaded, name)
    if await server_of(loaded) is not None:
        return await terminal.talk(_looking(loaded), chat=name, locale=locale, recall=recall)
    async with background(loaded) as orders:
        return await terminal.talk(
            lambda command, args: orders[command](args), chat=name, locale=locale, recall=recall
        )


def is_new(loaded: Loaded) -> bool:
    """Whether there is no database file yet."""
    file = database_file(loaded.settings.database)
    return file is not None and not file.exists()


def forget_recall(loaded: Loaded, address: Address) -> None:
    """What a person typed at a terminal is kept beside the database, too."""
    recall = recall_of(loaded, address.chat) if address.platform == "terminal" else None
    if recall is not None:
        recall.unlink(missing_ok=True)


def recall_of(loaded: Loaded, name: str) -> Path | None:
    """Where the lines of one person are kept for the arrow key; None where there is no file."""
    file = database_file(loaded.settings.database)
    if file is None:
        return None
    # A name may hold what a file's name may not.
    return file.with_name(f"{file.name}.recall-{sha256(name.encode()).hexdigest()[:12]}")


def _looking(loaded: Loaded) -> Call:
    """Looks for the server at every order: it may have been started again on another port."""

    async def call(
        command: str, args: Mapping[str, object]
    ) -> AsyncGenerator[Mapping[str, object], None]:
        server = await server_of(loaded)
        if server is None:
            raise Transient("no server runs on this database")
        async with aclosing(server.call(command, args)) as events:
            async for event in events:
                yield event

    return call
