"""What all calls share: our errors, our pace, groups that have moved, marks that are refused."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from telegram.error import TelegramError

from adapters.telegram.failures import CallFailed, Declined, Moved, translate
from adapters.telegram.limits import Pace
from adapters.telegram.marks import Rendered
from bot import Ambiguous, Recent, Transient

T = TypeVar("T")

_MOVED_KEPT = 1000

_UNREAD = (
    *(msgspec.DecodeError, RecursionError),
    *(KeyError, TypeError, ValueError, AttributeError),
)
"""What the library, or our reader within it, makes of an answer that is of an unknown form."""


class Calls:
    """Makes one bot's calls, and remembers where its groups went."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._moved: Recent[int, int] = Recent(_MOVED_KEPT)

    async def follow(self, chat: int, call: Callable[[int], Awaitable[T]]) -> T:
        """Call for a chat; where it has moved, once more for its new id."""
        moved_to = self._moved.get(chat)
        known = chat if moved_to is None else moved_to
        try:
            return await self._guard(known, call(known))
        except Moved as moved:
            self._moved.put(chat, moved.chat)
            return await self._guard(moved.chat, call(moved.chat))

    async def say(
        self, chat: int, rendered: Rendered, call: Callable[[int, Rendered], Awaitable[T]]
    ) -> T:
        """Call for a chat with a text; where its marks are not understood, without them."""
        return await self.follow(chat, lambda chat: _marked(chat, rendered, call))

    async def ask(self, call: Awaitable[T]) -> T:
        """A call that can always be made again: without an answer nothing is lost."""
        try:
            return await self._guard(None, call)
        except Ambiguous as error:
            raise Transient(str(error)) from None

    async def _guard(self, chat: int | None, call: Awaitable[T]) -> T:
        try:
            return await call
        except TelegramError as error:
            outcome = translate(error)
        except _UNREAD:
            # The library could not read a success: the message is probably there.
            outcome = Ambiguous("an answer of an unknown form")
        if chat is not None and isinstance(outcome, Transient) and outcome.retry_after is not None:
            self._pace.pause(chat, outcome.retry_after.total_seconds())
        raise outcome


async def _marked(
    chat: int, rendered: Rendered, call: Callable[[int, Rendered], Awaitable[T]]
) -> T:
    """Where the marks are not understood, the words are still worth sending."""
    try:
        return await call(chat, rendered)
    except CallFailed as error:
        outcome = error.outcome
        if not (isinstance(outcome, Declined) and outcome.is_about_entities):
            raise
        return await call(chat, Rendered(rendered.text))
