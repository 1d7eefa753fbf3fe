"""What became of a call that was begun: the question that a tool with `lookup=` can answer."""

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, get_type_hints

from bot.domain.model import Effect
from bot.domain.tool import ToolContext
from bot.engine.forking import ThisProcessOnly
from bot.engine.signatures import Place
from bot.engine.threads import in_thread
from bot.errors import PluginError

Lookup = Callable[..., Awaitable[Any] | Any]
"""Given a call's key: its result, if it happened; None when it surely did not. It raises when it
cannot tell. A second parameter annotated `ToolContext` is filled by the engine."""


def check_lookup(place: Place, lookup: Lookup | None, effect: Effect) -> None:
    """Refuse one that could never be asked.

    Raises:
        PluginError: it does not take a key, or belongs to a tool that may simply run again.
    """
    if lookup is None:
        return
    if effect is not Effect.ONCE:
        raise PluginError(f'{place}: lookup= is for effect="once"; others are simply run again')
    context = _context_of(lookup)
    try:
        inspect.signature(lookup).bind("key", **({context: None} if context else {}))
    except TypeError as error:
        raise PluginError(f"{place}: lookup= takes one argument, the call's key") from error


async def look_up(lookup: Lookup, ctx: ToolContext) -> object:
    """Ask it; a plain function is asked in a thread."""
    context = _context_of(lookup)
    ask = partial(lookup, ctx.key, **({context: ctx} if context else {}))
    if not inspect.iscoroutinefunction(inspect.unwrap(lookup)):
        found = await in_thread(ask, name="tool lookup")
    else:
        found = ask()
    return await ThisProcessOnly(found) if inspect.isawaitable(found) else found


def _context_of(lookup: Lookup) -> str | None:
    try:
        hints = get_type_hints(inspect.unwrap(lookup))
    except (NameError, TypeError):
        return None  # an annotation that cannot be read is not ours
    return next((name for name, hint in hints.items() if hint is ToolContext), None)
