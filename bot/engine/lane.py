"""One conversation, one turn at a time, under one fence; what arrives meanwhile comes next."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.conversation import Turn
from bot.domain.records import Claim, Head, Waiting
from bot.engine.delivering import NEVER, Delivering
from bot.engine.moments import either, is_cancelled
from bot.engine.outbox import Delivery
from bot.engine.parts import Parts
from bot.engine.replaying import legible
from bot.engine.stopping import Stops
from bot.engine.taking import (
    next_work,
    resumed,
    rows_of_turn,
)
from bot.engine.working import MOST_RUNS, Begun, Working
from bot.errors import Fenced, Transient

RETRY_PAUSE = 1.0
"""Seconds before a lane that failed tries again."""

BROKEN = 60.0
"""Seconds that a lane rests which fails again and again, on its last resort too."""

LONGEST_LOOK = 30.0
"""Seconds between looks at a piece that waits while the next turn is thought about."""

SHORT = 100
"""A head with fewer waiting messages than this shows all of them."""

NEAR = 2.0
"""Seconds; a piece that is due sooner is waited for, a later one parks the lane."""

ABSENT = 5.0
"""Seconds between looks at a lane whose adapter is not here."""


class Lane:
    """Runs what waits at one conversation until nothing does, then gives the lane back."""

    def __init__(self, parts: Parts, delivering: Delivering, claim: Claim) -> None:
        self.claim = claim
        self._parts = parts
        self._delivering = delivering
        self._stops = Stops(interrupts=parts.interrupts)
        self._arrived = asyncio.Event()
        self._working = Working(parts, claim, stops=self._stops, arrived=self._arrived)
        self._excused = False
        self._forgiven: Begun | None = None
        self.parked = False
        """Given back with a time to wake at, or taken away: the node has to look at its lanes."""

    # ---- from outside ------------------------------------------------------------------

    def stop(self, order: Waiting) -> None:
        """Act on a /stop at once; its row is answered in the order of the conversation."""
        self._stops.order(order)

    def arrived(self, row: Waiting) -> None:
        """Something was accepted here: with `while_busy: interrupt` the running turn yields."""
        self._arrived.set()
        self._stops.arrived(row)

    def excuse(self) -> None:
        """The run that was under way when this node had to let go of the lane was no crash."""
        self._excused = True

    async def hailed(self) -> None:
        """Another node has accepted something that acts at once: find it, and act on it here.

        It is among the newest. Where the lane has a newer holder, that one is hailed as well.
        """
        self._stops.hailed(await self._parts.lanes.newest(self.claim))

    # ---- the loop ----------------------------------------------------------------------

    async def run(self) -> None:
        """Until the lane is given back or has another holder.

        Raises:
            Transient: it could not be given back.
        """
        failures = 0
        while True:
            try:
                await self._whole()
            except Exception as error:  # the lane around a turn: one conversation's, not the node's
                found = tuple(_leaves(error))
                if any(isinstance(one, Fenced) for one in found):
                    self.parked = True
                    return  # another node has it now: silence is the promise
                self._parts.observer.failed(place="lane", error=found[0])
                if is_cancelled():
                    return  # whatever went wrong beside it: this lane is not to go on
                # While the database is away what is stored is safe, and the lane is still ours.
                is_away = all(isinstance(one, Transient) for one in found)
                # A run of ours that it ended was no crash; one before it may well have been one.
                if (begun := self._working.ended()) is not None:
                    self._forgiven = begun if is_away else None
                failures = failures if is_away else failures + 1
            else:
                return
            if failures > MOST_RUNS:
                await self._break_off()
                return
            await self._parts.clock.sleep(RETRY_PAUSE * 2.0 ** max(0, failures - 1))

    async def _break_off(self) -> None:
        """Not even the apology could be written: rest, so that nobody spins, and try again.

        Raises:
            Transient: not even that; this node may hold the lane, and does not run it any more.
        """
        self.parked = True
        with suppress(Fenced):
            await self._park(BROKEN)

    async def _whole(self) -> None:
        try:
            await self._hold()
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            # Else the task would be over, and the conversation ours with nobody to run it.
            raise RuntimeError("foreign code has cancelled itself") from error

    async def _hold(self) -> None:
        head = await self._look()
        delivery = Delivery(
            self._delivering,
            self.claim,
            head.conversation,
            head.outbox,
            parked_until=head.slot_closes_at,
        )
        if delivery.holds_up:
            # Whoever had the lane before may have ended between the answer and its way out.
            delivery.wake_held()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    again = await self._step(head, delivery, group)
                    if again is None:
                        return
                    head = again
        finally:
            delivery.leave()

    async def _look(self) -> Head:
        head = await self._parts.lanes.head(self.claim)
        if head.steps:
            head = replace(head, steps=legible(head.steps, self._parts.codec))
        self._working.ended()
        return replace(head, turn=self._forgiving(head.turn))

    def _forgiving(self, turn: Turn | None) -> Turn | None:
        """Without a run that was no crash, however often the turn is looked at before the next."""
        excused, self._excused = self._excused, False
        if turn is not None and excused:
            self._forgiven = Begun(turn.id, max(0, turn.attempts - 1))
        if turn is None or self._forgiven is None or self._forgiven.turn != turn.id:
            return turn
        return replace(turn, attempts=min(turn.attempts, self._forgiven.runs))

    async def _step(self, head: Head, delivery: Delivery, group: asyncio.TaskGroup) -> Head | None:
        """One piece of work, or giving the lane back; the head to go on with, None at the end."""
        if self._parts.draining():
            await self._leave(delivery)
            return None
        if head.conversation.adapter not in self._parts.adapters:
            await self._wait_for_adapter()
            return None
        if head.waiting:
            delivery.wake_held()
        if head.turn is not None and not rows_of_turn(head):
            await self._working.drop(head)
            return await self._again(delivery)
        work = resumed(head) or next_work(head.waiting, head.now, self._parts.limits)
        if work is None:
            return await self._give_back(delivery)
        over = asyncio.Event()
        sending = None if delivery.empty else group.create_task(self._send(delivery, over))
        done = await self._working.do(work, head, delivery, group)
        over.set()
        if sending is not None:
            await sending
        if done and len(head.waiting) == done < SHORT:
            return await self._give_back(delivery)
        return await self._again(delivery)

    async def _send(self, delivery: Delivery, over: asyncio.Event) -> None:
        """Send what is due, and what comes due while something else is done; never cut short."""
        while (due := await delivery.drain()) is not None and not over.is_set():
            seconds = (due - self._parts.clock.now()).total_seconds()
            await either(
                self._parts.clock.sleep(min(max(seconds, 0.05), LONGEST_LOOK)), over.wait()
            )

    async def _leave(self, delivery: Delivery) -> None:
        """Send what is due, and leave the rest to whoever comes after this server."""
        await delivery.drain()
        await self._park(0.0)

    async def _wait_for_adapter(self) -> None:
        """Nobody here speaks that platform: leave the lane, and look again now and then.

        A chat on its own has none, nor has a server whose configuration dropped the adapter.
        """
        await self._park(ABSENT)

    async def _park(self, seconds: float) -> None:
        wake_at = self._parts.clock.now() + timedelta(seconds=seconds)
        while not await self._parts.lanes.release(self.claim, wake_at=wake_at):
            pass  # something was accepted meanwhile: the next look releases
        self.parked = True

    async def _again(self, delivery: Delivery) -> Head:
        head = await self._look()
        delivery.refresh(head.conversation, head.outbox, head.slot_closes_at)
        return head

    async def _give_back(self, delivery: Delivery) -> Head | None:
        self._arrived.clear()
        due = await delivery.drain()
        if delivery.stale:
            return await self._again(delivery)
        now = self._parts.clock.now()
        if due is not None and (due - now).total_seconds() < NEAR:
            await self._parts.clock.sleep(max((due - now).total_seconds(), 0.05))
            return await self._again(delivery)
        wake_at = _known(due)
        if await self._parts.lanes.release(self.claim, wake_at=wake_at):
            self.parked = wake_at is not None
            return None
        return await self._again(delivery)


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _known(due: datetime | None) -> datetime | None:
    """A held piece has no time of its own: the lane sleeps until something is accepted."""
    return None if due == NEVER else due
