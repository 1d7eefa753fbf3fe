"""With whom a command speaks: the server that runs on the database, else the database itself."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Protocol, cast

import msgspec

from bot.app import background, control_path, open_store, probe
from bot.app.stores import database_file
from bot.cli.words import locale, words
from bot.configload import Loaded
from bot.control import Control, reach
from bot.domain.address import Address
from bot.engine.runner import LeaseLost
from bot.errors import ParleyError, Permanent, Transient
from bot.modules import import_used
from bot.orders import store_orders
from bot.ports import Health
from bot.redaction import name_of, trace

Call = Callable[[str, Mapping[str, object]], AsyncGenerator[Mapping[str, object], None]]


class TerminalModule(Protocol):
    """What `parley chat` needs of the terminal's package."""

    async def talk(self, call: Call, *, chat: str, locale: str | None, recall: Path | None) -> int:
        """Talk until the person leaves; the exit code."""
        ...


async def server_of(loaded: Loaded) -> Control | None:
    """The server that runs on this machine and this database; None when none does."""
    path = control_path(loaded)
    return None if path is None else await reach(path, locale())


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


async def checked(loaded: Loaded) -> tuple[Sequence[Health], Sequence[Health]]:
    """What a look from here finds, and what the running server does, if one runs.

    Looked from here first: the server remembers what came meanwhile.
    """
    return await probe(loaded), await _found_by_server(loaded)


async def _found_by_server(loaded: Loaded) -> list[Health]:
    server = await server_of(loaded)
    if server is None:
        return []
    try:
        async with aclosing(server.call("probe", {})) as events:
            return [msgspec.convert(event, _Finding).health() async for event in events]
    except (Transient, Permanent, msgspec.ValidationError):
        return []  # it is stopping, or of another version


class _Finding(msgspec.Struct):
    name: str
    ok: bool
    detail: str

    def health(self) -> Health:
        return Health(self.name, ok=self.ok, detail=self.detail)


async def chat(loaded: Loaded, name: str, locale: str | None) -> int:
    """Talk with the running server, else with an engine of our own; the exit code."""
    terminal = cast(TerminalModule, import_used("adapters.terminal", loaded.folder))
    recall = recall_of(loaded, name)
    if await server_of(loaded) is not None:
        return await terminal.talk(_looking(loaded), chat=name, locale=locale, recall=recall)
    async with background(loaded, name) as alone:
        talking = terminal.talk(
            lambda command, args: alone.orders[command](args),
            chat=name,
            locale=locale,
            recall=recall,
        )
        return await while_it_works(alone.working, talking)


async def while_it_works(working: "asyncio.Task[None]", talking: Coroutine[None, None, int]) -> int:
    """Talk as long as there is an engine to talk with; the exit code.

    Raises:
        Permanent: the engine has come to its end, and why.
    """
    talk = asyncio.create_task(talking)
    try:
        await asyncio.wait({talk, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not talk.done():
            talk.cancel()
            await asyncio.wait({talk})
    if not talk.cancelled():
        return talk.result()
    raise Permanent(words("engine_ended", why=_reason(working.exception())))


def _reason(error: BaseException | None) -> str:
    """For an operator: the sentence of an error that we know, the place of any other."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is None or isinstance(error, (LeaseLost, ParleyError)):
        return str(error or words("none"))
    return ", ".join((name_of(error), *trace(error)[1:][-1:]))


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
