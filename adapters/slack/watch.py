"""What goes wrong over time and only we can see: remembered until it goes right, said in words."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from bot import Recent, Said

ENOUGH = 10
"""So many mentions of which only one of two events came are no accident."""
FORGED = 3
"""So many wrong signatures without a right one between them are no passer-by."""


@dataclass(slots=True)
class Watch:
    """One installation's troubles. Nothing here is text that somebody wrote."""

    revoked: str = ""
    """Why the token opens nothing any more: "" while it does."""
    socket: Said | None = None
    """What keeps the socket from being opened, in words; None while one is open."""
    connected: bool = False
    seeking: bool = False
    """We keep a socket open ourselves: whoever asks about it waits for what becomes of that."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the last try to open a socket has come to something, good or bad."""
    signed: int = 0
    """Requests that were Slack's own."""
    forged: int = 0
    """Requests with a wrong signature since the last right one."""
    late: timedelta | None = None
    """How far the time of a request with a right signature was ahead of ours, if too far."""
    mentions: int = 0
    messages: int = 0
    """What was said in channels; `named` of it to us."""
    named: int = 0
    misdirected: bool = False
    """The newest event was meant for another bot than the one whose token we have."""
    outside: Recent[str, str] = field(default_factory=lambda: Recent(100))
    """Channels in which we may not write, and what Slack said."""

    def opened(self) -> None:
        """A socket is open and said hello."""
        self.socket = None
        self.connected = True
        self.settled.set()

    def left(self) -> None:
        """It goes; nothing speaks against the next one yet."""
        self.connected = False
        self.settled.clear()

    def failed(self, trouble: Said) -> None:
        """There is none, and this is why."""
        self.socket = trouble
        self.settled.set()

    def heard(self, what: str) -> None:
        """An event came: Slack sends both kinds for a mention, if both are asked for."""
        if what == "mention":
            self.mentions += 1
        elif what in {"named", "channel"}:
            self.messages += 1
            self.named += what == "named"

    @property
    def suspicious(self) -> int:
        """Wrong signatures, when there are too many for somebody who just passes by."""
        return self.forged if not self.signed or self.forged >= FORGED else 0

    @property
    def lacking(self) -> str:
        """The event subscription that seems to be missing, or ""."""
        if self.mentions >= ENOUGH and not self.messages:
            return "message.channels"
        return "app_mention" if self.named >= ENOUGH and not self.mentions else ""

    def took(self) -> None:
        """A request with a right signature and time came."""
        self.signed += 1
        self.forged = 0
        self.late = None

    def came_in(self, channel: str) -> None:
        """Something was said to us there, so we are there."""
        self.outside.drop(channel)
