"""Which store a configuration names, and where it and its control note lie."""

from pathlib import Path

from bot.clock import SteadyClock
from bot.config import DatabaseSettings
from bot.configload import Loaded
from bot.ports import Clock, Store
from bot.store.sqlite import SqliteStore


def make_store(loaded: Loaded, clock: Clock, *, read: bool = False) -> Store:
    """The driver that the database's address names; `read` opens a file beside its server."""
    database = loaded.settings.database
    file = database_file(database)
    if file is not None:
        return SqliteStore(file, clock=clock, mode="read" if read else "write")
    # asyncpg is imported only by those who have such a database
    from bot.store.postgres import PostgresStore  # noqa: PLC0415

    return PostgresStore(
        database.url,
        mode="read" if read else "write",
        pooled=database.pooler == "transaction",
        direct_url=database.direct_url,
        follow=clock.follow if isinstance(clock, SteadyClock) else None,
    )


def database_file(database: DatabaseSettings) -> Path | None:
    """SQLite's file; None for PostgreSQL."""
    scheme, _, rest = database.url.partition(":///")
    return Path(rest) if scheme == "sqlite" else None


def control_path(loaded: Loaded) -> Path | None:
    """Where a running server leaves its note; None where the database is no file."""
    file = database_file(loaded.settings.database)
    return None if file is None else file.with_name(f"{file.name}.control")
