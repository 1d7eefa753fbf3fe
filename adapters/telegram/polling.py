"""Long polling: one holder, and nothing is confirmed to Telegram before it is on disk."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from adapters.telegram.client import Client
from adapters.telegram.failures import Elsewhere
from adapters.telegram.normalise import Read
from adapters.telegram.reception import Reception
from bot import Backoff, Clock, Kind, Observer, Permanent, Receive, Transient

HOLD_EVERY = 4.0
"""Seconds between two looks whether we are still the one who polls."""
CONFLICT_WAIT = 5.0
LONGEST_WAIT = 60.0
DEAF = 30.0
"""Seconds without a way to Telegram after which another node may try: it may be our line alone."""
AWAY = 15.0
"""Seconds that others are given for it, before we try again ourselves."""


class Holding(Protocol):
    """What polling needs of the store: `ports.WaitingListeners`."""

    async def hold(self, listener: str) -> int | None: ...

    async def advance(self, listener: str, offset: int) -> None: ...

    async def let_go(self, listener: str) -> None: ...

    async def until_free(self, listener: str) -> None: ...


class Polling:
    """Asks for updates while this node holds the listener's row."""

    def __init__(
        self,
        name: str,
        *,
        client: Client,
        reception: Reception,
        listeners: Holding,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.trouble = ""
        self._name = name
        self._client = client
        self._reception = reception
        self._listeners = listeners
        self._clock = clock
        self._observer = observer
        self._backoff = Backoff()
        self._conflicts = Backoff(CONFLICT_WAIT, LONGEST_WAIT)
        self._repeats = Backoff()
        self._webhook_is_gone = False
        self._deaf_since: float | None = None

    async def run(self, receive: Receive, introduced: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled; `introduced` returns once our own name is known."""
        try:
            while True:
                offset = await self._held()
                if offset is None:
                    # Another node polls: whoever takes over begins by taking a webhook away.
                    self._webhook_is_gone, self._deaf_since = False, None
                    await self._listeners.until_free(self._name)
                    continue
                is_known = await self._in_time(introduced())
                if is_known:
                    await self._clock.sleep(await self._round(offset, receive))
                if not is_known or self._is_deaf:
                    await self._leave_it_to_others()
        finally:
            await self._let_go()

    async def _in_time(self, introduction: Awaitable[None]) -> bool:
        """Whether we learned our own name before others are to try: it asks the same platform."""
        learning = asyncio.ensure_future(introduction)
        patience = asyncio.ensure_future(self._clock.sleep(DEAF))
        try:
            await asyncio.wait({learning, patience}, return_when=asyncio.FIRST_COMPLETED)
            if learning.done():
                learning.result()
            return learning.done()
        finally:
            for task in (learning, patience):
                task.cancel()
            await asyncio.wait({learning, patience})

    async def _round(self, offset: int, receive: Receive) -> float:
        """One poll and what it brought; the seconds to wait before the next one."""
        try:
            if not self._webhook_is_gone:
                await self._client.delete_webhook()
                self._webhook_is_gone = True
            updates = await self._updates(offset)
            brought_on = await self._take(offset, updates, receive)
        except Elsewhere as error:
            self._webhook_is_gone = not error.by_webhook
            return self._failed("another program uses this bot", self._conflicts.next())
        except Transient as error:
            wait, told = self._backoff.next(), error.retry_after
            if told is not None:
                return self._failed(str(error), max(wait, told.total_seconds()))
            return self._failed(str(error), wait, reached=False)
        except Permanent as error:
            return self._failed(str(error), LONGEST_WAIT)
        self.trouble, self._deaf_since = "", None
        self._backoff.reset()
        self._conflicts.reset()
        self._observer.listening(adapter=self._name, alive=True)
        if brought_on:
            self._repeats.reset()
            return 0.0
        # The answer to the next poll may be the same again, and at once.
        return self._repeats.next()

    @property
    def _is_deaf(self) -> bool:
        since = self._deaf_since
        return since is not None and self._clock.monotonic() - since >= DEAF

    async def _leave_it_to_others(self) -> None:
        await self._let_go()
        self._webhook_is_gone, self._deaf_since = False, None
        await self._clock.sleep(AWAY)

    def _failed(self, reason: str, wait: float, *, reached: bool = True) -> float:
        self.trouble = reason
        if reached:
            self._deaf_since = None
        elif self._deaf_since is None:
            self._deaf_since = self._clock.monotonic()
        self._observer.listening(adapter=self._name, alive=False)
        return wait

    async def _updates(self, offset: int) -> Sequence[bytes]:
        """What one long poll brings; nothing when another node has taken over meanwhile."""
        poll = asyncio.ensure_future(self._client.poll(offset))
        try:
            while not poll.done():
                beat = asyncio.ensure_future(self._clock.sleep(HOLD_EVERY))
                await asyncio.wait({poll, beat}, return_when=asyncio.FIRST_COMPLETED)
                beat.cancel()
                if not poll.done() and await self._held() is None:
                    return ()
            return [bytes(update) for update in poll.result()]
        finally:
            poll.cancel()
            await asyncio.wait({poll})

    async def _take(self, offset: int, updates: Sequence[bytes], receive: Receive) -> bool:
        """Accept a batch, then confirm it: in order within a chat, side by side otherwise.

        False where it held nothing from `offset` on. One that cannot be decoded is handled by
        being counted: asked for again, it would come back for ever.
        """
        if not updates:
            return True
        reads = [self._reception.read(update) for update in updates]
        failures: list[Transient] = []

        async def accept(lane: Sequence[Read]) -> None:
            try:
                for read in lane:
                    await self._accepted(read, receive)
            except Transient as error:
                failures.append(error)

        async with asyncio.TaskGroup() as group:
            for lane in _lanes(reads):
                group.create_task(accept(lane))
        if failures:
            raise failures[0]
        numbers = [read.update_id for read in reads if read.update_id is not None]
        # It may lie below where we were: ids begin anew, at random, after a week without updates,
        # and another bot or another server counts from elsewhere. A server that finds our offset
        # beyond its newest update answers from its oldest one, until it is given one that it knows.
        after = max(numbers) + 1 if numbers else offset + len(updates)
        await self._listeners.advance(self._name, after)
        return bool(numbers) and after > offset

    async def _accepted(self, read: Read, receive: Receive) -> None:
        try:
            await self._reception.take(read, receive)
        except Permanent as error:
            # No database will ever take it: asked for again, it would come back for ever, and
            # nothing behind it would be heard.
            self._observer.failed(place=f"accept {self._name}", error=error)

    async def _held(self) -> int | None:
        try:
            return await self._listeners.hold(self._name)
        except Transient:
            return None  # without the database nothing could be accepted

    async def _let_go(self) -> None:
        try:
            async with asyncio.timeout(2):
                await self._listeners.let_go(self._name)
        except (Transient, TimeoutError):
            return  # our lease runs out by itself


def _lanes(reads: Sequence[Read]) -> list[list[Read]]:
    """Updates that must be accepted in order stand in one lane."""
    if any(read.inbound is not None and read.inbound.kind is Kind.MOVED for read in reads):
        # A chat that moves is two chats, and what is said in the new one comes after.
        return [list(reads)]
    lanes: dict[str, list[Read]] = {}
    for read in reads:
        chat = "" if read.inbound is None else str(read.inbound.address)
        lanes.setdefault(chat, []).append(read)
    return list(lanes.values())
