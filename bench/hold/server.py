"""PostgreSQL as one would run it: on disk, and asked what it does."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from bench.readings import family_seconds, parent
from tests import postgres

SETTINGS = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "256MB"}
"""What the tests' server does without: what it says is committed has to be on the disk."""

_READ = """
SELECT d.xact_commit + d.xact_rollback, d.numbackends,
  (pg_current_wal_lsn() - '0/0')::bigint, (SELECT sum(size)::bigint FROM pg_ls_waldir()),
  pg_size_bytes(current_setting('max_wal_size'))
FROM pg_stat_database d WHERE d.datname = $1
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the server says about one database, and about its log."""

    transactions: int
    connections: int
    written: int
    """Bytes of log since it was made."""
    log: int
    """Bytes of log that it keeps."""
    most_log: int
    """Bytes of log that it means to keep."""


class Postgres:
    """One server, and the CPU that it has used."""

    def __init__(self, server: postgres.Server) -> None:
        self._server = server
        self.pid = 0

    async def start(self) -> None:
        """Let it write to disk as it would anywhere else."""
        connection = await self._connect()
        for name, value in SETTINGS.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.close()
        self._server.stop()
        self._server.start()
        connection = await self._connect()
        self.pid = parent(await connection.fetchval("SELECT pg_backend_pid()"))
        await connection.close()

    async def create(self) -> str:
        """The address of a new database."""
        return await self._server.create()

    def cpu(self) -> float:
        """Seconds that it has used, all connections together."""
        return family_seconds(self.pid)

    async def read(self, url: str) -> Reading:
        """What it says now; from a connection to another database, which does not count."""
        connection = await self._connect()
        row = await connection.fetchrow(_READ, urlsplit(url).path.removeprefix("/"))
        await connection.close()
        return Reading(*row)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self._server.url("postgres"), ssl=False, timeout=30)
