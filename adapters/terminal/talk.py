"""A conversation as the terminal holds it: say, watch the answer grow, stop it, come back to it.

It knows no socket: `Call` gives an order to whatever server there is and yields its events.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec

from adapters.terminal.events import (
    Accepted,
    Activities,
    Attach,
    Attached,
    Doing,
    Draft,
    Ended,
    Event,
    Line,
    Look,
    Said,
    Say,
    Stop,
    read,
)
from adapters.terminal.leaving import Left
from adapters.terminal.surface import Surface, open_surface
from adapters.terminal.words import QUIT, Words
from bot import Command, ParleyError, Permanent, Transient

E = TypeVar("E", bound=Exception)
Call = Callable[[str, Mapping[str, object]], AsyncGenerator[Mapping[str, object], None]]

EARLIER = 20
"""Rows of the conversation that are read at the beginning; the newest are shown."""
MOST = 1000
"""Rows among which an answer that was missed is looked for."""
INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C has ended."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How patient a terminal is, in seconds.

    `quiet` passes without news before the history is asked whether an answer was missed, `pause`
    between two attempts to reach a server that has gone, `limit` until it is given up.
    """

    quiet: float = 2.0
    pause: float = 0.5
    limit: float = 60.0


async def talk(call: Call, *, chat: str, locale: str | None, recall: Path | None = None) -> int:
    """Talk on standard input and output until the person leaves; the program's exit code.

    Raises:
        Transient: the server is gone and did not come back.
    """
    words = Words(locale)
    surface = open_surface(words, recall)
    conversation = Talk(call, surface, words, chat=chat)
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(conversation.interrupt))
    else:
        loop.add_signal_handler(signal.SIGINT, conversation.interrupt)
    return await conversation.run()


class Talk:
    """One conversation with one person."""

    def __init__(
        self,
        call: Call,
        surface: Surface,
        words: Words,
        *,
        chat: str,
        waits: Waits = Waits(),
    ) -> None:
        self._call = call
        self._surface = surface
        self._words = words
        self._chat = chat
        self._waits = waits
        self._attached = asyncio.Event()
        self._times_attached = 0
        self._away = False
        self._model = True
        self._growing = _Growing()
        self._news = asyncio.Event()
        self._seen: set[str] = set()
        self._asking = False
        self._stopping = False
        self._refused = False
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> int:
        """Everything that the person writes, one after the other; the program's exit code.

        Raises:
            ParleyError: the server is gone, or will not have this conversation.
            OSError: what the person writes cannot be read, or nobody reads the answers any more.
        """
        code = 0
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                watching = group.create_task(self._watch())
                await self._hold()
                watching.cancel()
        except* Left:
            code = INTERRUPTED
        except* (ParleyError, OSError) as failed:
            raise _first(failed) from None
        return code or int(self._refused)

    def interrupt(self) -> None:
        """Ctrl-C: stop the answer; where none is awaited, or a second time, leave."""
        if self._group is None:
            return
        if not self._asking or self._stopping:
            if self._stopping or self._surface.interrupted():
                self._group.create_task(_leave())
            return
        self._stopping = True
        self._surface.notice(self._words("stopping"))
        order = Stop(self._chat, uuid4().hex, self._words.locale)
        self._group.create_task(self._order("chat.stop", order))

    async def _hold(self) -> None:
        await self._attached.wait()
        earlier = [event for event in await self._history(EARLIER) if not event.waiting]
        self._surface.welcome(self._chat, earlier, model=self._model)
        async with aclosing(self._surface.lines()) as lines:
            async for text in lines:
                if text in QUIT:
                    return
                await self._exchange(text)

    # ---- one message and its answer --------------------------------------------------------

    async def _exchange(self, text: str) -> None:
        id = uuid4().hex
        self._news.clear()
        self._asking = True
        try:
            command = await self._say(Say(self._chat, id, text, self._words.locale))
            if command == Command.FORGET:
                self._surface.forget()  # at once: the order will be obeyed, whoever still waits
            await self._answered(id, has_line=not command)
        except Permanent as error:
            self._refused = True
            self._surface.notice(str(error))
        finally:
            self._asking = self._stopping = False

    async def _say(self, said: Say) -> str:
        """Hand a message over; the command that it is, as the engine reads it, or ""."""
        told = await self._order("chat.say", said)
        return next((event.command for event in told if isinstance(event, Accepted)), "")

    async def _answered(self, id: str, *, has_line: bool) -> None:
        """Wait until the message no longer waits and its answer was to be seen."""
        settled = False
        while True:
            heard = await self._heard()
            lines = await self._history(EARLIER)
            if any(line.waiting and line.id == id for line in lines):
                continue
            if heard or settled:
                self._catch_up(id, await self._back_to(id, lines) if has_line else lines)
                return
            # The answer is written down before it is shown: it may be on its way.
            settled = True

    async def _heard(self) -> bool:
        """Whether an answer has come, before it was quiet for a while."""
        while True:
            self._growing.stirred = False
            with suppress(TimeoutError):
                async with asyncio.timeout(self._waits.quiet):
                    await self._news.wait()
                self._news.clear()
                return True
            if not self._growing.stirred:
                return False

    async def _back_to(self, id: str, lines: Sequence[Line]) -> Sequence[Line]:
        """The history as far back as this message: the rows of its tools may lie in between."""
        limit = EARLIER
        while limit < MOST and not any(line.id == id for line in lines):
            limit = min(4 * limit, MOST)
            lines = await self._history(limit)
        return lines

    def _catch_up(self, id: str, lines: Sequence[Line]) -> None:
        """Show what was answered while nobody could tell us: on another node, or in between."""
        ours = [n for n, line in enumerate(lines) if line.id == id]
        for line in lines[ours[-1] :] if ours else ():
            if line.role == "assistant" and line.turn not in self._seen:
                self._take(Said(line.turn, line.text))

    async def _history(self, limit: int) -> list[Line]:
        events = await self._order("chat.history", Look(self._chat, limit))
        return [event for event in events if isinstance(event, Line)]

    async def _order(self, name: str, order: msgspec.Struct) -> list[Event]:
        """Give an order until a server has taken it: a repeat of it does nothing."""
        args = msgspec.to_builtins(order)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._waits.limit):
                while True:
                    with suppress(Transient):
                        async with aclosing(self._call(name, args)) as events:
                            told = [read(event) async for event in events]
                            return [event for event in told if event is not None]
                    self._gone()
                    await asyncio.sleep(self._waits.pause)
        raise Transient(self._words("gone"))

    # ---- what is told ----------------------------------------------------------------------

    async def _watch(self) -> None:
        """Look at the chat, and come back when the server does."""
        args = msgspec.to_builtins(Attach(self._chat))
        attempts = 0
        while attempts * self._waits.pause <= self._waits.limit:
            before = self._times_attached
            with suppress(Transient):
                async with aclosing(self._call("chat.attach", args)) as events:
                    async for event in events:
                        self._take(read(event))
            attempts = attempts + 1 if self._times_attached == before else 1
            self._gone()
            await asyncio.sleep(self._waits.pause)
        raise Transient(self._words("gone"))

    def _gone(self) -> None:
        if not self._away:
            self._away = True
            self._surface.notice(self._words("away"))

    def _take(self, event: Event | None) -> None:
        growing = self._growing
        match event:
            case Attached(model):
                self._model = model
                self._times_attached += 1
                self._growing = _Growing(stirred=True)
                self._attached.set()
                if self._away:
                    self._away = False
                    self._surface.notice(self._words("back"))
            case Draft() | Activities():
                growing.take(event)
                self._surface.grow(growing.text, growing.calls)
            case Said(turn, text, choices):
                self._seen.add(turn)
                self._growing = _Growing(stirred=True)
                self._surface.say(text, choices)
                self._news.set()
            case Ended():
                self._growing = _Growing(stirred=True)
                self._surface.notice(self._words("interrupted"))


@dataclass(slots=True)
class _Growing:
    """The answer that grows now; `stirred` when something of it came lately."""

    turn: str = ""
    text: str = ""
    calls: tuple[Doing, ...] = ()
    stirred: bool = False

    def take(self, event: Draft | Activities) -> None:
        if event.turn != self.turn:
            self.turn, self.text, self.calls = event.turn, "", ()
        self.stirred = True
        if isinstance(event, Activities):
            self.calls = event.calls
        else:
            self.text = event.text if event.whole else self.text + event.text


async def _leave() -> None:
    raise Left


def _first(group: BaseExceptionGroup[E]) -> E:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
