"""What may cut a running turn short: /stop, also one that came too early, and interruption."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.conversation import InboundId, Turn
from bot.domain.message import Inbound
from bot.domain.records import Head, Waiting
from bot.engine.commands import Command, command_of
from bot.engine.taking import is_readable, is_said, may_stop


@dataclass(frozen=True, slots=True)
class Cut:
    """Why a running turn was cancelled: the mark it gets, and the rows that asked for it."""

    mark: str
    done: tuple[InboundId, ...]


@dataclass(slots=True)
class Running:
    """The turn that is being thought about now: its first message, and the task that does it."""

    turn: Turn
    first: Inbound
    task: "asyncio.Task[object]"
    cut: Cut | None = None

    def end(self, cut: Cut) -> None:
        """Cancel it; the first reason counts."""
        if self.cut is None:
            self.cut = cut
            self.task.cancel()


class Stops:
    """The orders of one lane, kept until the turn that they are about has begun or is done."""

    def __init__(self, *, interrupts: bool) -> None:
        self._interrupts = interrupts
        self._running: Running | None = None
        self._denied: dict[int, str] = {}
        # Orders that came while nothing could be stopped yet: a turn was being begun.
        self._early: dict[int, Waiting] = {}

    def order(self, order: Waiting) -> None:
        """Act on a /stop at once; its row is answered in the order of the conversation."""
        running = self._running
        if running is None:
            self._early[order.id] = order
        elif order.id < running.turn.inbounds[0]:
            return  # answered before that turn was begun: the word of it has come late
        elif running.cut is None and not may_stop(order.inbound, running.first):
            self._denied[order.id] = "stop_not_yours"
        else:
            running.end(Cut("stopped_mark", (order.id,)))

    def arrived(self, row: Waiting) -> None:
        """With `while_busy: interrupt` the running turn yields to what its sender says next.

        The word of its own messages may come when it has begun already: they do not cut it.
        """
        running = self._running
        if (
            self._interrupts
            and running is not None
            and row.id > running.turn.inbounds[-1]
            and _wants_turn(row)
            and running.first.sender.id == row.inbound.sender.id
        ):
            running.end(Cut("interrupted_mark", ()))

    def hailed(self, waiting: Sequence[Waiting]) -> None:
        """Another node has accepted something that acts at once: find it, and act on it here."""
        for row in waiting:
            if _stops(row):
                self.order(row)
            else:
                self.arrived(row)

    def begin(self, running: Running, rows: Sequence[Waiting], head: Head) -> None:
        """A turn runs now; obey what was ordered before there was one to stop.

        It came while the turn was being begun, or before a crash that the turn outlived.
        """
        self._running = running
        orders = {id: order for id, order in self._early.items() if id > rows[0].id}
        self._early.clear()
        if head.turn is not None:
            orders |= {row.id: row for row in head.waiting if _stops(row) and row.id > rows[0].id}
        for order in orders.values():
            self.order(order)

    def end(self) -> None:
        """No turn runs."""
        self._running = None

    def denied(self, row: Waiting) -> str | None:
        """The sentence that says why an order was not obeyed."""
        return self._denied.get(row.id)

    def settled(self, rows: Sequence[Waiting]) -> None:
        """These are answered: what was noted about them is of no more use."""
        for row in rows:
            self._early.pop(row.id, None)
            self._denied.pop(row.id, None)


def _stops(row: Waiting) -> bool:
    return command_of(row.inbound) is Command.STOP


def _wants_turn(row: Waiting) -> bool:
    """Whether a turn will follow that knows what the cut one was asked, and answers."""
    return row.refusal is None and is_said(row.inbound) and is_readable(row.inbound)
