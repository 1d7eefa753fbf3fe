"""Telegram asked for its updates: what an offset has passed is acknowledged, whoever asked."""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec

from tests.faults.platforms.base import PATIENCE, Event
from tests.faults.platforms.telegram import Telegram
from tests.peers.log import Json
from tests.peers.process import Remote

EVERY = 0.05
"""Seconds between two looks at what the platform has been told."""
FIRST = 700_000_001


@dataclass(slots=True)
class Book:
    """Which updates are confirmed, by the log of the stand-in that was told so."""

    file: Path
    taken: set[int] = field(default_factory=set)
    place: int = 0
    numbers: dict[str | int, int] = field(default_factory=dict)
    """Telegram numbers updates as they come, and an offset confirms every lower number."""
    pushing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def look(self) -> None:
        """Read what is new."""
        with self.file.open("rb") as lines:
            lines.seek(self.place)
            while (line := lines.readline()).endswith(b"\n"):
                self.place += len(line)
                if b'"kind":"acknowledged"' in line:
                    self.taken.update(msgspec.json.decode(line)["update_ids"])


class TelegramPolling(Telegram):
    """An update stays with the platform until somebody asks for what comes behind it."""

    def __init__(self) -> None:
        super().__init__()
        self._books: dict[str, Book] = {}

    def running(self, tenant: str, log: Path) -> AbstractAsyncContextManager[Remote]:
        self._books[tenant] = Book(log)
        return super().running(tenant, log)

    def adapter(self, tenant: str, bot: Remote) -> Json:
        return {**super().adapter(tenant, bot), "mode": "polling", "webhook_secret": None}

    async def deliver(
        self, event: Event, url: str, attempt: int, session: aiohttp.ClientSession, bot: Remote
    ) -> int:
        """Handed to the platform once, and then waited for: it keeps what nobody has confirmed."""
        del url, attempt, session
        book = self._books[event.mark.talk.tenant]
        async with book.pushing:
            if event.key not in book.numbers:
                number = book.numbers[event.key] = FIRST + len(book.numbers)
                await bot.tell("push", updates=[{**event.body, "update_id": number}])
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while book.numbers[event.key] not in book.taken:
                    await asyncio.sleep(EVERY)
                    book.look()
                return 200
        return 0
