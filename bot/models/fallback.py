"""Several models in a row: the next one answers where the one before cannot."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace

from bot.domain.model import Delta, Finished, Request
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.closing import closing
from bot.ports import Model


class Fallback:
    """A `Model` made of rungs, by name, in the order in which they are tried.

    A rung is left only before its first delta: what somebody may have seen is not said twice. A
    turn stays on the rung that answered its first step (`Facts.rung`) while that one works.
    """

    def __init__(self, rungs: Mapping[str, Model]) -> None:
        self._rungs = dict(rungs)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """See `ports.Model`; the last rung's error is the one that is raised."""
        names = list(self._order(request.facts.rung))
        for name in names:
            started = False
            try:
                async with closing(self._rungs[name].stream(request)) as deltas:
                    async for delta in deltas:
                        started = True
                        yield replace(delta, rung=name) if isinstance(delta, Finished) else delta
                return
            except ContextTooLong:
                # The caller can shorten the window, which is better than a weaker model.
                raise
            except (Transient, Permanent):
                if started or name == names[-1]:
                    raise

    def _order(self, first: str) -> Iterator[str]:
        if first in self._rungs:
            yield first
        yield from (name for name in self._rungs if name != first)
