"""Asking everything that can be asked whether it is well."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from bot.ports import Clock, Health, Observer, Probes

LIMIT = 10.0
"""Seconds that one probe may take."""


class Probing:
    """Runs all probes at once and keeps what they found; who asks meanwhile gets the same run.

    `report` is told every result.
    """

    def __init__(
        self,
        probes: Mapping[str, Probes],
        *,
        clock: Clock,
        observer: Observer,
        report: Callable[[Iterable[Health]], None] | None = None,
    ) -> None:
        self._probes = probes
        self._clock = clock
        self._observer = observer
        self._report = report
        self._found: tuple[Health, ...] = ()
        self._running: asyncio.Task[tuple[Health, ...]] | None = None

    @property
    def found(self) -> Sequence[Health]:
        """What the last run found; empty before the first."""
        return self._found

    async def run(self) -> Sequence[Health]:
        """Ask all of them now."""
        if self._running is None:
            self._running = asyncio.create_task(self._ask_all(), name="probes")
            self._running.add_done_callback(self._done)
        # Whoever is cancelled while waiting must not take the run from the others.
        return await asyncio.shield(self._running)

    async def close(self) -> None:
        """Let a run that is going on end."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=LIMIT)

    async def _ask_all(self) -> tuple[Health, ...]:
        asked = (self._ask(name, probes) for name, probes in self._probes.items())
        self._found = tuple(await asyncio.gather(*asked))
        if self._report is not None:
            self._report(self._found)
        return self._found

    async def _ask(self, name: str, probes: Probes) -> Health:
        try:
            async with asyncio.timeout(LIMIT):
                health = await probes.probe()
        except TimeoutError:
            health = Health(name, ok=False, detail=f"no answer within {LIMIT:g} seconds")
        except Exception as error:  # a probe: somebody else's code
            self._observer.failed(place=f"probe {name}", error=error)
            detail = f"the probe itself failed ({type(error).__name__}); the log says where"
            health = Health(name, ok=False, detail=detail)
        return replace(health, checked_at=self._clock.now())

    def _done(self, task: asyncio.Task[tuple[Health, ...]]) -> None:
        self._running = None
        if not task.cancelled():
            task.exception()
