"""Several models in a row: the next one answers where the one before cannot."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from bot.domain.model import Delta, Finished, Request
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.closing import closing
from bot.ports import Clock, Model

LAST_SHARE = 1 / 3
"""Of the time that a step has left, kept for the last rung: one that hangs leaves it so much."""


class Fallback:
    """A `Model` made of rungs, by name, in the order in which they are tried.

    A rung is left only before its first delta: what somebody may have seen is not said twice. A
    turn stays on the rung that answered its first step (`Facts.rung`) while that one works. A
    rung that has not begun when its share of the time is over makes room for the next one.
    """

    def __init__(self, rungs: Mapping[str, Model], clock: Clock) -> None:
        self._rungs = dict(rungs)
        self._clock = clock

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """See `ports.Model`; the last rung's error is the one that is raised.

        A window that may still be shortened is better than a weaker model; one that has been
        goes to the next rung, which may take more.
        """
        names = list(self._order(request.facts.rung))
        shares = begin_times(len(names), self._clock.now(), request.first_due)
        for name, begin_by in zip(names, shares, strict=True):
            started = False
            asked = replace(request, begin_by=begin_by)
            try:
                async with closing(self._rungs[name].stream(asked)) as deltas:
                    async for delta in deltas:
                        started = True
                        yield replace(delta, rung=name) if isinstance(delta, Finished) else delta
                return
            except (Transient, Permanent) as error:
                shorter = isinstance(error, ContextTooLong) and not request.shortened
                if started or shorter or name == names[-1]:
                    raise

    def _order(self, first: str) -> Iterator[str]:
        if first in self._rungs:
            yield first
        yield from (name for name in self._rungs if name != first)


def begin_times(rungs: int, now: datetime, due: datetime) -> list[datetime]:
    """By when each rung has to have begun: all but the last share what is not kept for it.

    Times, not spans: what a rung that fails at once does not use is there for those after it.
    """
    before = (due - now) * (1 - LAST_SHARE)
    return [now + before * n / (rungs - 1) for n in range(1, rungs)] + [due]
