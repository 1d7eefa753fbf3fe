"""Asking everything that can be asked whether it is well."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from bot.domain.sentences import Said
from bot.ports import Clock, Health, Observer, Probes

LIMIT = 10.0
"""Seconds that one probe may take."""
_LATE = Said("no answer within {limit:g} seconds", "{limit:g} 秒内没有回应")
_FAILED = Said(
    "the probe itself failed ({kind}); the log says where",
    "检查本身出错（{kind}）；详见日志",
)


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
        locale: str = "en",
        report: Callable[[Iterable[Health]], None] | None = None,
    ) -> None:
        self._probes = probes
        self._clock = clock
        self._observer = observer
        self._locale = locale
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

    async def order(self, args: Mapping[str, object]) -> AsyncGenerator[Mapping[str, object], None]:
        """For an operator beside the server, which has seen what a stranger to it cannot."""
        if self._running is not None:
            # It may have begun before the very thing that the operator asks about.
            await asyncio.wait({self._running})
        for one in await self.run():
            yield {"event": "health", "name": one.name, "ok": one.ok, "detail": one.detail}

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
            detail = _LATE.to(self._locale).format(limit=LIMIT)
            health = Health(name, ok=False, detail=detail)
        except Exception as error:  # a probe: somebody else's code
            self._observer.failed(place=f"probe {name}", error=error)
            detail = _FAILED.to(self._locale).format(kind=type(error).__name__)
            health = Health(name, ok=False, detail=detail)
        return replace(health, checked_at=self._clock.now())

    def _done(self, task: asyncio.Task[tuple[Health, ...]]) -> None:
        self._running = None
        if not task.cancelled():
            task.exception()
