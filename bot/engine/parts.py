"""What every lane of this server shares, handed over once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.conversation import TurnId
from bot.domain.message import Sent
from bot.engine.audience import Audience
from bot.engine.quarantine import Quarantine
from bot.engine.saying import Sayings
from bot.engine.sessions import Sessions
from bot.engine.taking import Limits
from bot.engine.toolbox import Toolbox
from bot.ports import (
    Adapter,
    Clock,
    Codec,
    Erasure,
    History,
    Inbox,
    Journal,
    Lanes,
    Observer,
    Upkeep,
)
from bot.recent import Recent

if TYPE_CHECKING:
    from aiohttp import ClientSession


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports and rules of a lane; nothing here belongs to one conversation."""

    inbox: Inbox
    lanes: Lanes
    journal: Journal
    history: History
    erasure: Erasure
    upkeep: Upkeep
    codec: Codec
    clock: Clock
    observer: Observer
    adapters: Mapping[str, Adapter]
    audiences: Mapping[str, Audience]
    toolbox: Toolbox
    sessions: Sessions
    sayings: Sayings
    limits: Limits
    expires: timedelta
    locale: str
    interrupts: bool
    draining: Callable[[], bool]
    """True once this server is about to stop: what runs may end, nothing new begins."""
    sure: Callable[[], bool]
    """False once others may hold our lanes: what no fence guards looks here first."""
    certain: Callable[[], Awaitable[None]]
    """Waits for that: before anything that cannot be taken back, a send, a call."""
    http: "Callable[[], ClientSession]"
    quarantine: Quarantine
    unrecorded: Recent[TurnId, Sent]
    """Where drafts stand that could not be written down before their lanes were lost."""

    def audience(self, name: str) -> Audience:
        """The audience of that name.

        Where it is no longer configured people get the default answer, but none of its tools:
        those were chosen for others.
        """
        found = self.audiences.get(name)
        return found or replace(self.audiences[""], listed=frozenset())
