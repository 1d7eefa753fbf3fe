"""Somebody else at PostgreSQL: an administrator's sessions, settings and locks, and its own log.

What Parley sets itself for each of its sessions is stronger than any setting of a database, so
settings that are to hold in its sessions are made there: by a trigger on the tables it writes.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests import postgres
from tests.faults.placing import folder_of, run

NAME = "administrator"
PATIENCE = 30.0
WRITTEN = ("node", "lane", "inbox", "outbox")
"""Tables that carry the trigger: one of them is written by nearly every statement."""
TABLES = ("conversation", "alias", "session", "message", "turn", "step", "slot", "usage", "signal")
"""The others that people's messages go through."""

RAN_OUT = ("55P03", "57014", "25P03", "25P04")
"""A lock was not there in time; a statement was cancelled; a transaction was idle, or too long."""
CONFLICTS = ("40001", "40P01")
"""Transactions that could not have run one after the other; and the victims of deadlocks."""

_PREFIX = "%e %a: "
_REFUSED = re.compile(r"^([0-9A-Z]{5}) (.*?): (?:ERROR|FATAL): ")

_FUNCTION = """
CREATE OR REPLACE FUNCTION administer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  {settings}
  RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE TRIGGER administer AFTER INSERT OR UPDATE ON "{table}"
FOR EACH STATEMENT EXECUTE FUNCTION administer()
"""


@asynccontextmanager
async def session(url: str) -> AsyncGenerator[asyncpg.Connection, None]:
    """A connection that waits for as long as it takes; in a deadlock others are the victims."""
    patient = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    settings = dict.fromkeys(patient, "0") | {"deadlock_timeout": "1min"}
    connection = await asyncpg.connect(
        url,
        ssl=False,
        timeout=PATIENCE,
        command_timeout=PATIENCE,
        server_settings={
            "application_name": NAME,
            "default_transaction_isolation": "read committed",
            **settings,
        },
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=PATIENCE)


async def watch_over(connection: asyncpg.Connection) -> None:
    """From now on `enforce` reaches every session that writes."""
    await enforce(connection, {})
    for table in WRITTEN:
        await connection.execute(_TRIGGER.format(table=table))


async def enforce(
    connection: asyncpg.Connection, settings: Mapping[str, str], *, local: bool = False
) -> None:
    """Each session has these settings when it has next written; `local`: until it commits."""
    calls = [
        f"PERFORM set_config('{name}', '{value}', {local});" for name, value in settings.items()
    ]
    await connection.execute(_FUNCTION.format(settings="\n  ".join(calls)))


async def configure(url: str, settings: Mapping[str, str]) -> None:
    """What whoever connects to this database has, unless it sets something else itself."""
    name = url.rpartition("/")[2]
    async with session(url) as connection:
        for key, value in settings.items():
            await connection.execute(f"ALTER DATABASE \"{name}\" SET {key} = '{value}'")


class Complaints:
    """What the server has refused since, by its own log: everybody but the administrator."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._since = file.stat().st_size

    async def count(self, states: Sequence[str]) -> Counter[str]:
        """How often each of these was said."""
        said = await asyncio.to_thread(self._read)
        found = (_REFUSED.match(line) for line in said.splitlines())
        return Counter(
            match[1] for match in found if match and match[1] in states and match[2] != NAME
        )

    def _read(self) -> str:
        with self._file.open("rb") as file:
            file.seek(self._since)
            return file.read().decode(errors="replace")


async def complaints(server: postgres.Server) -> Complaints:
    """Counted from here on; the log says codes and names from here on, too."""
    await run(server, f"ALTER SYSTEM SET log_line_prefix = '{_PREFIX}'")
    await run(server, "SELECT pg_reload_conf()")
    return Complaints(await folder_of(server) / "log")


def told(found: Mapping[str, int]) -> str:
    """The figures in one line."""
    said = ", ".join(f"{state} {count} times" for state, count in sorted(found.items()))
    return f"PostgreSQL's own log says {said or 'nothing of the kind'}"
