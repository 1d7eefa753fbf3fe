"""What happens to an update, however it came: read, counted, confirmed, handed to the engine."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Protocol

from adapters.telegram.client import Client
from adapters.telegram.mentions import Me
from adapters.telegram.normalise import Read, normalise
from bot import (
    Address,
    Ambiguous,
    Entry,
    Inbound,
    Kind,
    Observer,
    Permanent,
    Receive,
    Recent,
    Transient,
)

_ERRANDS = 100
"""Presses that may be confirmed at a time; the service forgets them soon anyway."""

LATELY = 100
"""Rows among which what was edited is looked for: people correct what they have just said."""

_Place = tuple[str, str | None]


class Pages(Protocol):
    """What is needed of the store: `ports.Transcript`."""

    async def page(
        self, tenant: str, address: Address, *, before: int | None, limit: int
    ) -> Sequence[Entry]: ...


class Reception:
    """Turns raw updates into accepted messages. `me` grows a user name once it is known."""

    def __init__(
        self,
        name: str,
        me: Me,
        *,
        client: Client,
        tenant: str,
        transcript: Pages,
        observer: Observer,
    ) -> None:
        self.me = me
        self._name = name
        self._client = client
        self._tenant = tenant
        self._transcript = transcript
        self._observer = observer
        self._unreachable: Recent[str, None] = Recent()
        self._accepted: Recent[_Place, None] = Recent()
        self._errands: set[asyncio.Task[None]] = set()

    def read(self, raw: bytes) -> Read:
        """What an update means; some of them tell our own name."""
        read = normalise(raw, self.me)
        if read.username is not None and self.me.username is None:
            self.me = Me(self.me.id, read.username)
        return read

    async def take(self, read: Read, receive: Receive) -> None:
        """Handle one update; on return it may be acknowledged.

        Raises:
            Transient: it is not on disk; it must come again.
        """
        if read.undecided:
            raise Transient("our own user name is not known yet")
        if read.left is not None:
            self._unreachable.put(read.left, None)
        inbound = read.inbound
        if inbound is None:
            self._observer.discarded(adapter=self._name, why=read.why)
        elif not await self._is_wanted(inbound):
            self._observer.discarded(adapter=self._name, why=f"{inbound.kind} without effect")
        else:
            await receive(inbound)
            self._remember(inbound)
        if read.press is not None:
            self._run(self._confirm(read))

    def can_reach(self, chat: str) -> bool:
        """False after the person blocked us: nothing decorative is worth a call there."""
        return chat not in self._unreachable

    async def close(self) -> None:
        """Give up what is still to be confirmed."""
        errands = tuple(self._errands)
        for errand in errands:
            errand.cancel()
        await asyncio.gather(*errands, return_exceptions=True)

    async def _is_wanted(self, inbound: Inbound) -> bool:
        """An edit that does not name us any more changes only what we were told before.

        Another process may have been told, or this one before it was started again. What a group
        says among itself is none of ours: it is not even stored.
        """
        if inbound.kind is not Kind.EDITED or inbound.addressed:
            return True
        if _place(inbound) in self._accepted:
            return True
        named, address = inbound.message.platform_id, inbound.address
        page = await self._transcript.page(self._tenant, address, before=None, limit=LATELY)
        return any(entry.message.platform_id == named for entry in page)

    def _remember(self, inbound: Inbound) -> None:
        self._unreachable.drop(inbound.address.chat)
        if inbound.message.platform_id is not None and not inbound.direct:
            self._accepted.put(_place(inbound), None)

    async def _confirm(self, read: Read) -> None:
        """Stop the spinner and take the buttons away, if they are theirs.

        If that fails, nothing is lost.
        """
        assert read.press is not None
        try:
            await self._client.confirm_press(read.press)
            if read.pressed is not None and read.inbound is not None:
                await self._client.take_buttons(int(read.inbound.address.chat), int(read.pressed))
        except (Transient, Permanent, Ambiguous):
            return

    def _run(self, errand: Coroutine[None, None, None]) -> None:
        if len(self._errands) >= _ERRANDS:
            errand.close()
            return
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def _place(inbound: Inbound) -> _Place:
    return inbound.address.chat, inbound.message.platform_id
