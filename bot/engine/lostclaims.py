"""Lanes that this node holds and nobody runs, because the answer to a claim or release was lost."""

from collections.abc import Collection

from bot.domain.conversation import ConversationId
from bot.domain.records import Node
from bot.ports import Clock, Lanes

DOUBT = 90.0
"""Seconds after its failure in which a statement may still be carried out: the database ends
every one of ours sooner."""

LOOK = 5.0
"""Seconds between two looks for such lanes; the first is made at once."""


class LostClaims:
    """Frees them, so that they are claimed again; asked before every claim."""

    def __init__(self, lanes: Lanes, clock: Clock) -> None:
        self._lanes = lanes
        self._clock = clock
        self._until: float | None = None
        self._next = 0.0

    def lost(self) -> None:
        """An answer was lost: whether it was carried out is not known."""
        now = self._clock.monotonic()
        self._until, self._next = now + DOUBT, now

    async def let_go(self, node: Node, held: Collection[ConversationId]) -> None:
        """Free what this node holds beside `held`, while there is a doubt.

        Raises:
            Transient: the database cannot do it now; the doubt remains.
        """
        now = self._clock.monotonic()
        if self._until is None or now < self._next:
            return
        await self._lanes.let_go(node, frozenset(held))
        self._next = now + LOOK
        if now >= self._until:
            self._until = None
