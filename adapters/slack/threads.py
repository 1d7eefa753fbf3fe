"""Where we take part: a thread that has begun with us goes on without our name."""

from collections.abc import Sequence
from typing import Protocol

from bot import Address, Entry, Recent, Sender

LATELY = 100
"""Rows among which a question with buttons is looked for: it is answered within minutes."""


class Pages(Protocol):
    """What is needed of the store: `ports.Transcript`."""

    async def page(
        self, tenant: str, address: Address, *, before: int | None, limit: int
    ) -> Sequence[Entry]: ...

    async def awaited(self, tenant: str, address: Address, sender: Sender) -> Sequence[Address]: ...


class Threads:
    """Remembers what this process saw; for the rest the transcript knows.

    That a thread is not ours is never remembered: another node may have accepted its first
    mention a moment ago.
    """

    def __init__(self, tenant: str, transcript: Pages) -> None:
        self._tenant = tenant
        self._transcript = transcript
        self._ours: Recent[Address, None] = Recent()
        self._last: Recent[tuple[str, str, str], Address] = Recent()

    async def includes_us(self, address: Address) -> bool:
        """Whether something was ever accepted or said there. Raises: Transient."""
        if address in self._ours:
            return True
        if not await self._transcript.page(self._tenant, address, before=None, limit=1):
            return False
        self.joined(address)
        return True

    def joined(self, address: Address) -> None:
        """We were spoken to there, or have spoken."""
        self._ours.put(address, None)

    def spoke(self, person: str, address: Address) -> None:
        """Somebody spoke to us there: what they stop in this channel is that."""
        self.joined(address)
        self._last.put((address.account, address.chat, person), address)

    async def last_of(self, person: Sender, private: Address) -> Address | None:
        """The thread of that channel in which a person waits for us, or spoke to us last.

        Slack spreads events over all sockets: what is not answered yet, and may have been heard
        by another node, the store knows. Raises: Transient.
        """
        seen = self._last.get((private.account, private.chat, person.id))
        awaited = await self._transcript.awaited(self._tenant, private, person)
        here = (one for one in awaited if one.chat == private.chat and one != private)
        return next(here, seen)

    async def said(self, person: Sender, address: Address, ts: str) -> bool:
        """Whether that message there is this person's. Raises: Transient."""
        page = await self._transcript.page(self._tenant, address, before=None, limit=LATELY)
        return any(
            entry.message.platform_id == ts
            and entry.message.sender is not None
            and entry.message.sender.id == person.id
            for entry in page
        )
