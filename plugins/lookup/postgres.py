"""A PostgreSQL database that is only read."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import asyncpg

from plugins.lookup.failures import QueryFailed, QueryTooSlow, ValueUnfit
from plugins.lookup.rows import Rows
from plugins.lookup.statements import Statement

_CLOSING = 1.0


class PostgresDatabase:
    """Connected anew for each query: nothing is kept open for a tool that is seldom used."""

    def __init__(self, url: str, seconds: float, *, connections: int) -> None:
        self._url = url
        self._seconds = seconds
        self._free = asyncio.Semaphore(connections)

    async def fetch(self, statement: Statement, values: Mapping[str, Any], limit: int) -> Rows:
        """The first rows.

        Raises:
            QueryFailed: why there are none.
        """
        bound = [_as_bound(values[name]) for name in statement.order]
        try:
            async with asyncio.timeout(self._seconds + 1), self._free:
                return await self._fetch(statement.numbered, bound, limit)
        except (TimeoutError, asyncpg.QueryCanceledError) as error:
            raise QueryTooSlow from error
        except (asyncpg.DataError, ValueError) as error:
            raise ValueUnfit from error
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            OSError,
        ) as error:
            raise QueryFailed from error

    async def _fetch(self, sql: str, bound: list[Any], limit: int) -> Rows:
        connection = await self._connected()
        try:
            async with connection.transaction(readonly=True):
                milliseconds = max(1, int(self._seconds * 1000))
                await connection.execute(f"SET LOCAL statement_timeout = {milliseconds}")
                prepared = await connection.prepare(sql)
                cursor = await prepared.cursor(*bound)
                found = await cursor.fetch(limit + 1)
                columns = [attribute.name for attribute in prepared.get_attributes()]
            await connection.close(timeout=_CLOSING)
        finally:
            # Closed already, unless something went wrong or the turn was cancelled.
            connection.terminate()
        return Rows(columns, [tuple(row) for row in found[:limit]], more=len(found) > limit)

    async def _connected(self) -> asyncpg.Connection:
        try:
            # No statement cache: behind a pooler the next query may meet another connection.
            return await asyncpg.connect(self._url, timeout=self._seconds, statement_cache_size=0)
        except ValueError as error:
            raise QueryFailed from error


def _as_bound(value: Any) -> Any:
    # numeric and double precision both take a Decimal; a float would bring its own digits along.
    return Decimal(repr(value)) if isinstance(value, float) else value
