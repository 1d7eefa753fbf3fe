"""What a platform is to a fault run: how it is set up, how it delivers, whose chat is whose."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import aiohttp

from tests.faults.marks import Mark, Talk
from tests.peers.log import Json
from tests.peers.process import Remote

TENANTS = ("a", "b")
ADAPTERS = {"a": "alpha", "b": "beta"}
"""The adapter that serves each tenant, and the tenant's own name."""
FIRST_CHAT = 10_000
"""The number at the end of a chat's name is that of its conversation and this."""
PATIENCE = 5.0
"""Seconds that one delivery may take; a frozen node must not keep the message."""
LONGEST_PAUSE = 0.4


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person said: the same for each delivery of it."""

    mark: Mark
    key: str | int
    """Its own name, by which databases keep it."""
    body: Json


class Platform(ABC):
    """One kind of platform, with a bot for each tenant."""

    name: ClassVar[str]
    editing: ClassVar[Sequence[str]] = ()
    """Tenants whose answers grow by edits of one message."""
    secrets: ClassVar[Sequence[str]]
    """What no log may hold."""
    tries: ClassVar[int | None] = None
    """Deliveries of one event; None: until it is taken."""
    holds: ClassVar[bool] = False
    """Whether an answer may have to wait until its person writes again."""

    @abstractmethod
    def running(self, tenant: str, log: Path) -> AbstractAsyncContextManager[Remote]:
        """The stand-in of this tenant's platform, a process of its own."""

    @abstractmethod
    def adapter(self, tenant: str, bot: Remote) -> Json:
        """The settings of this tenant's adapter."""

    @abstractmethod
    def event(self, mark: Mark, text: str) -> Event:
        """Somebody says this now."""

    @abstractmethod
    async def deliver(
        self, event: Event, url: str, attempt: int, session: aiohttp.ClientSession, bot: Remote
    ) -> int:
        """One delivery to this adapter's address: the status, 0 when there was no answer."""

    def pause(self, attempt: int, took: float, chance: random.Random) -> float:
        """Seconds until what was not taken is delivered again; `took`: so long was the last."""
        # The power has a limit of its own: who is not taken for a minute comes a hundred times.
        return float(
            min(0.02 * 2 ** min(attempt - 1, 10), LONGEST_PAUSE) * chance.uniform(0.5, 1.5)
        )


def chat_of(talk: Talk) -> int:
    """The chat of a conversation: the same people write to both bots."""
    return FIRST_CHAT + talk.number


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
) -> int:
    """The status, 0 when there was no answer."""
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with session.post(url, data=body, headers=headers, timeout=limit) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, TimeoutError, ConnectionError):
        return 0
