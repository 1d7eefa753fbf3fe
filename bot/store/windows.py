"""The newest transcript entries of the conversations that are talking now, kept in memory."""

from collections import OrderedDict
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bot.domain.conversation import ConversationId
from bot.domain.message import Message, Part, Reasoning, Text, ToolCall, ToolResult

CONVERSATIONS = 1600

SIZE = 100_000_000
"""Roughly in bytes: without it, 1,600 conversations of long messages would fill any memory."""

ENTRY = 800
"""Bytes of an entry whose text is empty (CPython 3.11, measured)."""


@dataclass(slots=True)
class _Window:
    """Every entry from sequence number `since` on, and how many a reader wants of them."""

    since: int
    messages: list[Message]
    wanted: int
    size: int


class Windows:
    """A bounded cache in front of `History.window`: it holds what the table holds, or nothing."""

    def __init__(self, most: int = CONVERSATIONS, size: int = SIZE) -> None:
        self._most = most
        self._most_size = size
        self._size = 0
        self._windows: OrderedDict[ConversationId, _Window] = OrderedDict()

    def get(self, conversation: ConversationId, first: int, limit: int) -> list[Message] | None:
        """The newest `limit` entries from `first` on; None when they have to be read."""
        window = self._windows.get(conversation)
        if window is None:
            return None
        self._windows.move_to_end(conversation)
        found = window.messages
        if found and found[0].id < first:
            found = [message for message in found if message.id >= first]
        if len(found) >= limit:
            return found[-limit:] if limit else []
        return list(found) if first >= window.since else None

    def put(
        self, conversation: ConversationId, first: int, limit: int, messages: Sequence[Message]
    ) -> None:
        """Remember what was read for (`first`, `limit`)."""
        if limit < 1:
            return
        since = messages[0].id if len(messages) == limit and messages else first
        self.drop(conversation)
        size = _size_of(messages)
        self._windows[conversation] = _Window(since, list(messages), limit, size)
        self._size += size
        self._shrink()

    def extend(self, conversation: ConversationId, messages: Sequence[Message]) -> None:
        """What was just committed."""
        window = self._windows.get(conversation)
        if window is None:
            return
        last = window.messages[-1].id if window.messages else 0
        # A reader may have seen the commit before its writer was told of it.
        fresh = [message for message in messages if message.id > last]
        window.messages += fresh
        grown = _size_of(fresh)
        surplus = len(window.messages) - 2 * max(window.wanted, 1)
        if surplus > 0:
            grown -= _size_of(window.messages[: surplus + window.wanted])
            del window.messages[: surplus + window.wanted]
            window.since = window.messages[0].id
        window.size += grown
        self._size += grown
        self._shrink()

    @contextmanager
    def doubted(self, conversation: ConversationId) -> Generator[None, None, None]:
        """Forget the conversation unless the block ends well.

        A write that fails, or whose waiter is cancelled, may have been committed all the same.
        """
        with ExitStack() as otherwise:
            otherwise.callback(self.drop, conversation)
            yield
            otherwise.pop_all()

    def drop(self, conversation: ConversationId) -> None:
        window = self._windows.pop(conversation, None)
        if window is not None:
            self._size -= window.size

    def clear(self) -> None:
        self._windows.clear()
        self._size = 0

    def _shrink(self) -> None:
        """Forget whoever has been silent for longest."""
        while len(self._windows) > self._most or self._size > self._most_size:
            _, window = self._windows.popitem(last=False)
            self._size -= window.size


def _size_of(messages: Iterable[Message]) -> int:
    return sum(ENTRY + sum(map(_length_of, message.parts)) for message in messages)


def _length_of(part: Part) -> int:
    if isinstance(part, (Text, Reasoning, ToolResult)):
        return len(part.text)
    return len(part.arguments) if isinstance(part, ToolCall) else 0
