"""An engine of a few lines: it stores what a page says and lets answers grow as a script says.

The real one is behind the same ports; here a test decides when the next word comes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from adapters.web.adapter import WebAdapter
from bot import (
    Activity,
    ActivityState,
    Address,
    Ambiguous,
    Choice,
    Clock,
    Entry,
    Held,
    Inbound,
    Kind,
    Message,
    Outbound,
    Role,
    Sender,
    Sent,
    Text,
    ToolCall,
    ToolResult,
    Transient,
    TurnId,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, chunk by chunk, after these tool calls."""

    chunks: tuple[str, ...]
    calls: tuple[tuple[str, str, str], ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.chunks)


class Gate:
    """A pace that a test sets: so many chunks, or all of them."""

    def __init__(self, allowed: int | None = None) -> None:
        self._allowed = allowed
        self._news = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self._allowed is None or self._allowed > 0)
            if self._allowed is not None:
                self._allowed -= 1

    async def let(self, chunks: int | None = None) -> None:
        """Let so many more pass; None opens for good."""
        async with self._news:
            self._allowed = None if chunks is None else (self._allowed or 0) + chunks
            self._news.notify_all()


@dataclass(frozen=True, slots=True)
class Taken:
    """The engine's receipt; a page leaves no request open."""

    new: bool

    async def reply(self, within: timedelta) -> Outbound | None:
        """Nothing: answers are pushed."""
        return None

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        """Nothing was handed out."""


@dataclass(slots=True)
class Conversation:
    """What was said at one address, and what waits there."""

    entries: list[Entry] = field(default_factory=list)
    waiting: dict[str, Entry] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: "asyncio.Task[None] | None" = None

    def say(self, message: Message, turn: TurnId | None, key: str | None = None) -> None:
        """Append to the transcript."""
        numbered = replace(message, id=len(self.entries) + 1)
        address = next(iter(self.waiting.values())).address if self.waiting else None
        at = address or self.entries[-1].address
        self.entries.append(Entry(numbered, at, event_key=key, turn=turn))


class ScriptedEngine:
    """`Receive` and `Transcript` in memory; drives the adapter's drafts as the real one would."""

    def __init__(
        self,
        clock: Clock,
        script: Callable[[str], Answer],
        pace: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.clock = clock
        self.script = script
        self.pace = pace or Gate()
        self.inbounds: list[Inbound] = []
        self.refusing = False
        self.silent = False
        self.adapter: WebAdapter | None = None
        self._conversations: dict[str, Conversation] = {}
        self._turns = 100
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self, adapter: WebAdapter) -> AsyncIterator[None]:
        """Turns run inside; what still runs at the end is cancelled."""
        self.adapter = adapter
        async with asyncio.TaskGroup() as group:
            self._group = group
            yield
            for task in tuple(self._tasks):
                task.cancel()

    async def __call__(self, inbound: Inbound, open_for: timedelta | None = None, /) -> Taken:
        if self.refusing:
            raise Transient("the disk is full")
        conversation = self._conversations.setdefault(str(inbound.address), Conversation())
        if inbound.event_key in conversation.keys:
            return Taken(new=False)
        conversation.keys.add(inbound.event_key)
        self.inbounds.append(inbound)
        if inbound.kind is Kind.COMMAND and inbound.text == "/stop":
            if conversation.running is not None:
                conversation.running.cancel()
            return Taken(new=True)
        if inbound.kind is Kind.COMMAND:
            conversation.commands.add(inbound.event_key)
        entry = Entry(inbound.message, inbound.address, inbound.event_key, waiting=True)
        conversation.waiting[inbound.event_key] = entry
        if not self.silent:
            self.run(inbound.address)
        return Taken(new=True)

    def run(self, address: Address) -> None:
        """Answer what waits, one after the other."""
        self._start(self._answer_waiting(address))

    async def awaited(self, tenant: str, address: Address, sender: Sender) -> Sequence[Address]:
        """Web pages give no orders without a place."""
        return ()

    async def page(
        self, tenant: str, address: Address, *, before: int | None, limit: int
    ) -> Sequence[Entry]:
        """A page of the transcript, as the port wants it."""
        conversation = self._conversations.get(str(address), Conversation())
        older = [e for e in conversation.entries if before is None or e.message.id < before]
        waiting = list(conversation.waiting.values()) if before is None else []
        return [*older[-limit:], *waiting]

    def take_over(self, other: "ScriptedEngine") -> None:
        """Go on with what another engine left, as after a restart: same turns, same messages."""
        self._turns = other._turns - 1
        for key, left in other._conversations.items():
            self._conversations[key] = Conversation(
                list(left.entries), dict(left.waiting), set(left.keys)
            )
            for entry in left.waiting.values():
                self.run(entry.address)

    def remember(self, address: Address, said: str, answer: Answer) -> None:
        """Put an exchange into the history as if it had been said long ago."""
        conversation = self._conversations.setdefault(str(address), Conversation())
        key = f"old-{len(conversation.entries)}"
        message = Message(Role.USER, (Text(said),), self.clock.now())
        conversation.waiting[key] = Entry(message, address, key)
        self._finish(conversation, key, TurnId(self._next()), answer, answer.text)

    async def push(self, address: Address, text: str, turn: int | None = None) -> None:
        """Send something that nobody asked for, or the answer of a turn that is remembered."""
        assert self.adapter is not None
        await self.adapter.send(Outbound(f"{turn or self._next()}/0", address, text))

    @property
    def last_turn(self) -> int:
        """The newest turn's number."""
        return self._turns

    async def _answer_waiting(self, address: Address) -> None:
        conversation = self._conversations[str(address)]
        async with conversation.turns:
            if not conversation.waiting:
                return
            key = next(iter(conversation.waiting))
            conversation.running = self._start(self._answer(conversation, key))
            await asyncio.wait([conversation.running])
            conversation.running = None

    async def _answer(self, conversation: Conversation, key: str) -> None:
        assert self.adapter is not None
        entry = conversation.waiting[key]
        turn = TurnId(self._next())
        answer = self.script(entry.message.text)
        text = ""
        draft = None
        if self.adapter.watched(entry.address):
            draft = await self.adapter.draft(entry.address, turn=turn, reply_to=None, resume=None)
        try:
            calls = _activities(answer, ActivityState.RUNNING)
            if draft is not None and calls:
                await draft.show("", calls)
            for chunk in answer.chunks:
                await self.pace()
                text += chunk
                if draft is not None:
                    await draft.show(text, _activities(answer, ActivityState.DONE))
        except asyncio.CancelledError:
            text += " …"
        self._finish(conversation, key, turn, answer, text)
        piece = Outbound(f"{turn}/0", entry.address, text, choices=answer.choices)
        for part in self.adapter.pieces(piece):
            await (self.adapter.send(part) if draft is None else draft.finish(part))

    def _start(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        assert self._group is not None
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _finish(
        self, conversation: Conversation, key: str, turn: TurnId, answer: Answer, text: str
    ) -> None:
        if key in conversation.commands:
            del conversation.waiting[key]  # a command and its answer are no part of the transcript
            return
        now = self.clock.now()
        conversation.say(conversation.waiting[key].message, None, key)
        for n, (tool, arguments, result) in enumerate(answer.calls):
            call = ToolCall(str(n), tool, arguments)
            conversation.say(Message(Role.ASSISTANT, (call,), now), turn)
            said = ToolResult(str(n), tool, result)
            conversation.say(Message(Role.TOOL, (said,), now), turn)
        conversation.say(Message(Role.ASSISTANT, (Text(text),), now), turn)
        del conversation.waiting[key]

    def _next(self) -> int:
        self._turns += 1
        return self._turns


def _activities(answer: Answer, state: ActivityState) -> list[Activity]:
    return [
        Activity(tool, arguments, state, result if state is ActivityState.DONE else "")
        for tool, arguments, result in answer.calls
    ]
