"""What an author may say about a tool beside its signature."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from bot.domain.model import Effect, ToolSpec
from bot.engine.finding import Lookup, check_lookup
from bot.engine.signatures import Place
from bot.errors import PluginError

EffectName = Effect | Literal["read", "idempotent", "once"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Options:
    """What an author may say about a tool beside its signature; times are seconds."""

    effect: Effect = Effect.READ
    needs_approval: bool = False
    roles: frozenset[str] = frozenset()
    timeout: float | None = None
    private: bool = False
    examples: tuple[str, ...] = ()
    lookup: Lookup | None = None


def spec_of(
    place: Place, name: str, description: str, schema: dict[str, Any], options: Options
) -> ToolSpec:
    """What a model is told of a tool.

    Raises:
        PluginError: no model could call it by that name.
    """
    if _NAME.fullmatch(name) is None:
        raise PluginError(
            f"{place}: a tool's name has 1 to 64 of a-z A-Z 0-9 _ -; {name[:80]!r} has not"
        )
    return ToolSpec(
        name=name,
        description=description,
        parameters=schema,
        effect=options.effect,
        needs_approval=options.needs_approval,
        roles=options.roles,
        private=options.private,
        examples=options.examples,
    )


def options_of(
    place: Place,
    *,
    effect: EffectName = Effect.READ,
    needs_approval: bool = False,
    roles: Collection[str] = (),
    timeout: timedelta | float | None = None,
    private: bool = False,
    examples: Iterable[str] = (),
    lookup: Lookup | None = None,
) -> Options:
    """The options as an author writes them.

    Raises:
        PluginError: one of them cannot be.
    """
    if effect not in tuple(Effect):
        raise PluginError(f"{place}: effect is one of {', '.join(Effect)}")
    if isinstance(roles, str) or isinstance(examples, str):
        raise PluginError(f"{place}: roles and examples are collections, not one string")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds is not None and seconds <= 0:
        raise PluginError(f"{place}: timeout must be more than nothing")
    check_lookup(place, lookup, Effect(effect))
    return Options(
        effect=Effect(effect),
        needs_approval=needs_approval,
        roles=frozenset(roles),
        timeout=seconds,
        private=private,
        examples=tuple(examples),
        lookup=lookup,
    )
