"""What other nodes have left for this one: looked for often while it matters, and acted on."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from bot.domain.address import Address
from bot.domain.conversation import ConversationId
from bot.domain.records import NewSignal, Signal, SignalKind
from bot.engine.moments import Waiters, done, moment, rest
from bot.engine.watching import GONE, Place, Watching
from bot.errors import Permanent, Transient
from bot.ports import Clock, Observer, Signals

LOOK_LIVELY, LOOK_BUSY, LOOK_WATCHING, LOOK_IDLE = 0.2, 0.5, 1.0, 2.0
"""Seconds between looks that nobody rang for: while something grows elsewhere that is watched
here; while turns run here that may be stopped; while pages are open here; and otherwise."""

LOOK_LEAST, LOOK_FIRST = 0.1, 0.02
"""Seconds between looks that others rang for, and between those that somebody waits for."""

AFTER_FAILURE = 1.0

MARGIN = 2.0
"""Seconds in which an id may still come to light after a higher one."""

LIMIT = 100

Obey = Callable[[ConversationId], Awaitable[None]]


class Hearing:
    """Reads every signal once. `node` is our own name: what we have left ourselves is no news."""

    def __init__(
        self,
        signals: Signals,
        watching: Watching,
        *,
        node: str,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._signals = signals
        self._watching = watching
        self._node = node
        self._clock = clock
        self._observer = observer
        self._bell = asyncio.Event()
        self._hurry = asyncio.Event()
        self._looking: Waiters = []
        self._after: int | None = None
        self._seen: dict[int, float] = {}

    def ring(self) -> None:
        """Look soon: there may be something new."""
        self._bell.set()

    async def look(self) -> None:
        """Look now, and wait a moment until that is done."""
        self._hurry.set()
        self._bell.set()
        await moment(self._looking)

    async def run(self, obey: Obey, busy: Callable[[], bool]) -> None:
        """Until cancelled; `obey` and `busy` are those of `Signalling.run`."""
        while True:
            try:
                await self._look(obey)
            except (Transient, Permanent) as error:
                self._observer.failed(place="signals", error=error)
                await self._clock.sleep(AFTER_FAILURE)
            await self._clock.sleep(LOOK_FIRST)
            await rest(self._clock, LOOK_LEAST - LOOK_FIRST, self._hurry)
            if not self._hurry.is_set():
                await rest(self._clock, self._pause(busy=busy()) - LOOK_LEAST, self._bell)
            self._hurry.clear()
            self._bell.clear()

    def _pause(self, *, busy: bool) -> float:
        if self._watching.lively:
            return LOOK_LIVELY
        if busy:
            return LOOK_BUSY
        return LOOK_WATCHING if self._watching.here else LOOK_IDLE

    async def _look(self, obey: Obey) -> None:
        asked, self._looking = self._looking, []
        if self._after is None:
            self._after = await self._signals.signals_before(timedelta(seconds=GONE))
        more = True
        while more:
            found = await self._signals.signals(
                self._after, shards=self._watching.shards, known=tuple(self._seen), limit=LIMIT
            )
            more = len(found) == LIMIT
            now = self._clock.monotonic()
            for signal in found:
                self._seen[signal.id] = now
                try:
                    await self._act(signal, obey)
                except Transient:
                    del self._seen[signal.id]  # an order that nobody has looked for is read again
                    raise
        self._move_on()
        done(asked)

    def _move_on(self) -> None:
        """Read on from the highest id that nothing lower can come to light beside."""
        until = self._clock.monotonic() - MARGIN
        old = [id for id, at in self._seen.items() if at <= until]
        if not old:
            return
        self._after = max(old)
        self._seen = {id: at for id, at in self._seen.items() if id > self._after}

    async def _act(self, signal: Signal, obey: Obey) -> None:
        head, _, word = signal.body.partition("\n")
        try:
            node, address = json.loads(head)
            place = Place(signal.tenant, Address.parse(str(address)))
        except (ValueError, TypeError):
            return  # a newer node's form, during an upgrade
        if node == self._node:
            return
        if signal.kind is SignalKind.STOP:
            await obey(signal.conversation)
        else:
            self._watching.hear(signal.kind, place, node, word)


def signed(new: NewSignal, node: str) -> NewSignal:
    """With the line that says who leaves it, and where it belongs: what is read above."""
    return replace(new, body=f"{json.dumps([node, str(new.address)])}\n{new.body}")
