"""One conversation, one turn at a time, under one fence; what arrives meanwhile comes next."""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.conversation import Turn, TurnState
from bot.domain.message import Inbound, Kind
from bot.domain.records import Claim, Finish, Head, Waiting
from bot.domain.sentences import locale_of, sentence
from bot.engine.answer import Answering, Cut
from bot.engine.commands import Command, command_of
from bot.engine.obey import Obeying
from bot.engine.outbox import NEVER, Delivering, Delivery, clear_draft
from bot.engine.parts import Parts
from bot.engine.taking import (
    COMMAND,
    SENTENCE,
    Amend,
    Obey,
    Say,
    Skip,
    Take,
    Wait,
    Work,
    is_said,
    may_stop,
    next_work,
    resumed,
    rows_of_turn,
)
from bot.engine.turn import used_by
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

MOST_RUNS = 3
"""A message that was in flight at this many crashes is poison (design section 7)."""


@dataclass(slots=True)
class Running:
    """The turn that is being thought about now, and the task that does it."""

    turn: Turn
    first: Inbound
    task: "asyncio.Task[object]"
    cut: Cut | None = None


class Lane:
    """Runs what waits at one conversation until nothing does, then gives the lane back."""

    def __init__(self, parts: Parts, delivering: Delivering, claim: Claim) -> None:
        self.claim = claim
        self._parts = parts
        self._delivering = delivering
        self._running: Running | None = None
        self._answered_stops: dict[int, str] = {}
        # Orders that came while nothing could be stopped yet: a turn was being begun.
        self._early: dict[int, Waiting] = {}
        self._arrived = asyncio.Event()
        self._excused = False
        self.parked = False
        """Given back with a time to wake at, or taken away: the node has to look at its lanes."""

    # ---- from outside ------------------------------------------------------------------

    def stop(self, order: Waiting) -> None:
        """Act on a /stop at once; its row is answered in the order of the conversation."""
        running = self._running
        if running is None:
            self._early[order.id] = order
            return
        if running.cut is not None:
            return
        if not may_stop(order.inbound, running.first):
            self._answered_stops[order.id] = "stop_not_yours"
            return
        running.cut = Cut("stopped_mark", (order.id,))
        running.task.cancel()

    def arrived(self, inbound: Inbound) -> None:
        """Something was accepted here: with `while_busy: interrupt` the running turn yields."""
        self._arrived.set()
        running = self._running
        if (
            self._parts.interrupts
            and is_said(inbound)
            and running is not None
            and running.cut is None
            and running.first.sender.id == inbound.sender.id
        ):
            running.cut = Cut("interrupted_mark", ())
            running.task.cancel()

    # ---- the loop ----------------------------------------------------------------------

    async def run(self) -> None:
        """Until the lane is given back or has another holder."""
        failures = 0
        while True:
            try:
                await self._hold()
            except Exception as error:  # the lane around a turn: one conversation's, not the node's
                found = tuple(_leaves(error))
                if any(isinstance(one, Fenced) for one in found):
                    self.parked = True
                    return  # another node has it now: silence is the promise
                self._parts.observer.failed(place="lane", error=found[0])
                # While the database is away what is stored is safe, and the lane is still ours.
                self._excused = all(isinstance(one, Transient) for one in found)
                failures = failures if self._excused else failures + 1
            else:
                return
            if failures > MOST_RUNS:
                await self._break_off()
                return
            await self._parts.clock.sleep(RETRY_PAUSE * 2.0 ** max(0, failures - 1))

    async def _break_off(self) -> None:
        """Not even the apology could be written: rest, so that nobody spins, and try again."""
        try:
            await self._park(BROKEN)
        except (Fenced, Transient):
            self.parked = True  # the lease decides

    async def _hold(self) -> None:
        head = await self._look()
        delivery = Delivery(
            self._delivering,
            self.claim,
            head.conversation,
            head.outbox,
            parked_until=head.slot_closes_at,
        )
        async with asyncio.TaskGroup() as group:
            while True:
                again = await self._step(head, delivery, group)
                if again is None:
                    return
                head = again

    async def _look(self) -> Head:
        head = await self._parts.lanes.head(self.claim)
        excused, self._excused = self._excused, False
        if excused and head.turn is not None:
            # That run ended because the database was away: it was no crash.
            runs = max(0, head.turn.attempts - 1)
            head = replace(head, turn=replace(head.turn, attempts=runs))
        return head

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
            await self._drop(head)
            return await self._again(delivery)
        work = resumed(head) or next_work(head.waiting, head.now, self._parts.limits)
        if work is None:
            return await self._give_back(delivery)
        over = asyncio.Event()
        sending = None if delivery.empty else group.create_task(self._send(delivery, over))
        done = await self._do(work, head, delivery, group)
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
            await self._either(
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

    async def _drop(self, head: Head) -> None:
        """End a turn whose messages are all gone (taken back, erased): nobody waits for it."""
        assert head.turn is not None
        session = head.session or self._parts.sessions.following(self.claim, head, head.now)
        usage, spent = used_by(head.steps)
        ended = replace(head.turn, state=TurnState.CANCELLED, usage=usage)
        finish = Finish(turn=ended, session=session, spent=spent)
        await self._parts.journal.finish(self.claim, finish)
        adapter = self._parts.adapters.get(head.conversation.adapter)
        await clear_draft(adapter, head.conversation.address, ended, self._parts.observer)

    async def _again(self, delivery: Delivery) -> Head:
        head = await self._look()
        delivery.refresh(head.outbox, head.slot_closes_at)
        return head

    async def _give_back(self, delivery: Delivery) -> Head | None:
        self._arrived.clear()
        due = await delivery.drain()
        now = self._parts.clock.now()
        if due is not None and (due - now).total_seconds() < NEAR:
            await self._parts.clock.sleep(max((due - now).total_seconds(), 0.05))
            return await self._again(delivery)
        wake_at = _known(due)
        if await self._parts.lanes.release(self.claim, wake_at=wake_at):
            self.parked = wake_at is not None
            return None
        return await self._again(delivery)

    # ---- the kinds of work ---------------------------------------------------------------

    async def _do(
        self, work: Work, head: Head, delivery: Delivery, group: asyncio.TaskGroup
    ) -> int:
        """How many waiting rows are done by it; 0 asks for a fresh look."""
        match work:
            case Amend(rows):
                await self._amend(rows)
                return 0
            case Skip(rows):
                await self._parts.journal.skip(self.claim, [row.id for row in rows])
                self._settled(rows)
                return len(rows)
            case Wait(seconds):
                await self._pause(seconds)
                return 0
            case Say(rows, name, values):
                await self._say(rows, name, dict(values), head, delivery)
                self._settled(rows)
                return len(rows)
            case Obey(row, command):
                await self._obey(row, command, head, delivery)
                self._settled((row,))
                return 1
            case Take(rows):
                return await self._answer(rows, head, delivery, group)

    async def _amend(self, rows: Sequence[Waiting]) -> None:
        for row in rows:
            name = row.inbound.message.platform_id
            if name is not None:
                taken_back = row.inbound.kind is Kind.RECALLED
                edited = None if taken_back else row.inbound.message
                await self._parts.inbox.amend(self.claim.conversation, name, edited)
        await self._parts.journal.skip(self.claim, [row.id for row in rows])

    async def _pause(self, seconds: float) -> None:
        """Wait for an album's other pictures, or for the person to finish typing."""
        self._arrived.clear()
        await self._either(self._parts.clock.sleep(seconds), self._arrived.wait())

    async def _either(self, *awaited: Awaitable[object]) -> None:
        waits = [asyncio.ensure_future(one) for one in awaited]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _settled(self, rows: Sequence[Waiting]) -> None:
        """These are answered: what was noted about them is of no more use."""
        for row in rows:
            self._early.pop(row.id, None)
            self._answered_stops.pop(row.id, None)

    async def _say(
        self,
        rows: Sequence[Waiting],
        name: str,
        values: dict[str, str],
        head: Head,
        delivery: Delivery,
    ) -> None:
        last = rows[-1]
        text = sentence(name, self._locale(last.inbound), **values)
        await self._parts.sayings.say(
            self.claim,
            head,
            rows,
            text,
            delivery,
            state=TurnState.REFUSED,
            route=SENTENCE + name,
        )

    async def _obey(self, row: Waiting, command: Command, head: Head, delivery: Delivery) -> None:
        obeying = Obeying(self._parts, self.claim, self._locale(row.inbound))
        denied = self._answered_stops.get(row.id)
        text, session = await obeying.do(row, command, head, denied)
        await self._parts.sayings.say(
            self.claim,
            head,
            (row,),
            text,
            delivery,
            state=TurnState.ANSWERED,
            route=COMMAND,
            session=session,
            remembered=False,
        )

    async def _answer(
        self,
        rows: Sequence[Waiting],
        head: Head,
        delivery: Delivery,
        group: asyncio.TaskGroup,
    ) -> int:
        answering = Answering(
            self._parts,
            self.claim,
            head,
            rows,
            delivery=delivery,
            locale=self._locale(rows[-1].inbound),
        )
        if head.turn is not None and head.turn.attempts >= MOST_RUNS:
            await answering.give_up()
            return len(rows)
        await answering.prepare(group)
        task: asyncio.Task[object] = group.create_task(answering.think())
        self._running = running = Running(answering.turn, rows[0].inbound, task)
        self._stop_early(rows, head)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if self._parts.draining():
                await answering.leave()
            raise
        finally:
            self._running = None
        extra = await answering.finish(running.cut)
        return len(rows) + extra

    def _stop_early(self, rows: Sequence[Waiting], head: Head) -> None:
        """Obey what was ordered before there was a turn to stop.

        It came while the turn was being begun, or before a crash that the turn outlived.
        """
        orders = {id: order for id, order in self._early.items() if id > rows[0].id}
        self._early.clear()
        if head.turn is not None:
            orders |= {row.id: row for row in head.waiting if _stops(row) and row.id > rows[0].id}
        for order in orders.values():
            self.stop(order)

    def _locale(self, inbound: Inbound) -> str:
        return locale_of(inbound.sender.locale, self._parts.locale)


def _stops(row: Waiting) -> bool:
    return command_of(row.inbound) is Command.STOP


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _known(due: datetime | None) -> datetime | None:
    """A held piece has no time of its own: the lane sleeps until something is accepted."""
    return None if due == NEVER else due
