"""How a message comes in, and how its answer may go back with the very request."""

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any, Protocol

from bot.domain.message import Inbound, Outbound, Sent
from bot.errors import Ambiguous, Held

ASGIApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class Receipt(Protocol):
    """What an adapter gets for a message that is on disk."""

    @property
    def new(self) -> bool:
        """False for a repeat."""
        ...

    async def reply(self, within: timedelta) -> Outbound | None:
        """The next part of the answer, for this very request; None when none came in time.

        None comes at once when nothing more can come. Asked again before `replied`, it hands out
        the part after: one request may carry what was held back and the answer to this message.
        """
        ...

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        """Say what became of the oldest part handed out that nothing was said of yet.

        `Held`: it was not put into the request and waits as before. After the last part the
        request is over.
        """
        ...


class Receive(Protocol):
    """Hand an inbound to the engine; when it returns, the row is committed.

    Raises:
        Transient: it could not be stored; the platform must not be acknowledged.
    """

    async def __call__(self, inbound: Inbound, open_for: timedelta | None = None, /) -> Receipt:
        """`open_for` is how long the platform's request stays open for a reply."""
        ...
