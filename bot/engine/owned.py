"""The lanes of an engine that is there for one person alone: what others have is left to them."""

from collections.abc import Sequence
from typing import Protocol

from bot.domain.conversation import ConversationId
from bot.domain.records import Claim, Node
from bot.ports import Lanes


class Claims(Protocol):
    """Where a node finds its lanes: the store, which gives it whatever waits, or `Owned`."""

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        """As `Lanes.claim`."""
        ...

    async def wake_up_in(self) -> float | None:
        """As `Lanes.wake_up_in`."""
        ...


class Owned:
    """Claims lanes one by one: only of conversations that were named to it.

    Beside servers a `parley chat` would take what it has no adapter for, and keep it from them.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._ours: dict[ConversationId, None] = {}

    def add(self, conversation: ConversationId) -> None:
        """This one is ours to answer."""
        self._ours[conversation] = None

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        """Those of ours that are free and whose time has come."""
        found: list[Claim] = []
        for conversation in tuple(self._ours):
            if len(found) == limit:
                break
            claim = await self._lanes.claim_one(node, conversation)
            if claim is not None:
                found.append(claim)
        return found

    async def wake_up_in(self) -> float | None:
        """Not known: the earliest of all lanes may be another's. Polling finds ours."""
        return None
