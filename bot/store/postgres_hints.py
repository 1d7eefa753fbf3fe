"""Hints between nodes: a connection of its own that listens and, now and then, notifies.

Never a part of the transaction that has something to say: PostgreSQL lets only one transaction
with a NOTIFY commit at a time. Losing a hint, or the connection, loses nothing but time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from bot.ports import Clock
from bot.store.postgres_errors import FAILURES
from bot.store.postgres_room import CHANNEL

GAP = 0.05
"""Seconds between two notifications of a node, whatever it has to say: at most 20 a second."""

PATIENCE = 10.0
"""Seconds that a statement on this connection may take."""

PULSE = 60.0
"""Seconds of silence after which the connection is tried: a dead one may not say so."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class PostgresHints:
    """Listens and notifies while `run` runs; before and after, hints go nowhere."""

    def __init__(self, connect: Connect, clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._looks: list[Callable[[], None]] = []
        self._wanted = asyncio.Event()
        self.connected = asyncio.Event()
        """Set while others can be heard."""

    def hint(self) -> None:
        """Sent with the next notification; what comes before that is the same one."""
        self._wanted.set()

    def on_hint(self, look: Callable[[], None]) -> None:
        """Beside the others that were given."""
        self._looks.append(look)

    @property
    def hears(self) -> bool:
        return self.connected.is_set()

    async def run(self) -> None:
        """Connect, again and again, and carry hints until cancelled."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    connection = await self._connect()
            except FAILURES:
                # The claims speak to the same database: it is they who report that it is away.
                await self._clock.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            await self._carry(connection)
            await self._clock.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter

    async def _carry(self, connection: asyncpg.Connection) -> None:
        """Until the connection is lost."""
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self.connected.set()
            self._look()  # something may have been said while nobody listened
            while not gone.is_set():
                await self._speak(connection, gone)
        except FAILURES:
            return
        finally:
            self.connected.clear()
            connection.terminate()

    async def _speak(self, connection: asyncpg.Connection, gone: asyncio.Event) -> None:
        """Wait for something to say, and say it; after a long silence, whether it still stands."""
        waits = [
            asyncio.ensure_future(self._wanted.wait()),
            asyncio.ensure_future(gone.wait()),
            asyncio.ensure_future(self._clock.sleep(PULSE)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if gone.is_set():
            return
        if not self._wanted.is_set():
            await connection.execute("SELECT", timeout=PATIENCE)
            return
        self._wanted.clear()
        await connection.execute(f"NOTIFY {CHANNEL}", timeout=PATIENCE)
        await self._clock.sleep(GAP)

    def _heard(self, connection: Any, pid: int, channel: str, payload: object) -> None:
        if pid != connection.get_server_pid():
            self._look()

    def _look(self) -> None:
        for look in self._looks:
            look()
