"""Named points at which a process stands still, so that it can be killed exactly there.

`PARLEY_FAULT=store.take:after#2` stops the second call of the store's `take` right after it has
returned, and writes the point's name to the file `PARLEY_FAULT_FILE`. With `PARLEY_FAULT_ARM`
calls are counted only once that file exists. Unset, nothing is wrapped and nothing costs anything.
For fault runs only; it holds nothing that a request could reach.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from bot.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Point:
    """Which object's which method, before or after, at which call."""

    owner: str
    method: str
    when: str
    occurrence: int
    report: Path
    arm: Path | None = None
    """Nothing happens before this file exists: a start and its recovery go undisturbed."""

    @property
    def armed(self) -> bool:
        """Whether calls count by now."""
        return self.arm is None or self.arm.exists()

    @property
    def name(self) -> str:
        """As it is written in the variable."""
        return f"{self.owner}.{self.method}:{self.when}"


def point_of(environ: Mapping[str, str]) -> Point | None:
    """The point that the environment names, None without one.

    Raises:
        ConfigError: it is not written as owner.method:before|after[#n].
    """
    text = environ.get("PARLEY_FAULT")
    if not text:
        return None
    name, _, count = text.partition("#")
    place, _, when = name.partition(":")
    owner, _, method = place.partition(".")
    counted = int(count) if count.isdecimal() else 0 if count else 1
    if not owner or not method or when not in {"before", "after"} or not counted:
        raise ConfigError("PARLEY_FAULT: write owner.method:before or owner.method:after[#n]")
    report = Path(environ.get("PARLEY_FAULT_FILE", "parley.fault"))
    arm = environ.get("PARLEY_FAULT_ARM")
    return Point(owner, method, when, counted, report, Path(arm) if arm else None)


def standing_still(owner: str, inner: T, point: Point | None) -> T:
    """`inner`, which stands still for ever at `point` if that is one of its methods."""
    if point is None or point.owner != owner:
        return inner
    return cast(T, _Wrapped(inner, point))


class _Wrapped:
    def __init__(self, inner: object, point: Point) -> None:
        self._inner = inner
        self._point = point
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name != self._point.method or not inspect.iscoroutinefunction(found):
            return found
        return self._guarded(found)

    def _guarded(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            self._calls += self._point.armed
            reached = self._point.armed and self._calls == self._point.occurrence
            if reached and self._point.when == "before":
                await self._stand_still()
            result = await method(*args, **kwargs)
            if reached and self._point.when == "after":
                await self._stand_still()
            return result

        return guarded

    async def _stand_still(self) -> None:
        await asyncio.to_thread(self._point.report.write_text, self._point.name, "utf-8")
        await asyncio.Event().wait()
