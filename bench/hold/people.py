"""People who write at their own pace, whatever the program does: an open loop, and a closed one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bench.hold.watch import Watch
from bench.talk import WrongAnswersError, expect, now_us
from bench.telegram import HEADERS, update
from bench.wire import Connection, post

PATIENCE = 60.0
"""Seconds after which something that is missing counts as lost."""
FIRST_CHAT = 1_000
T = TypeVar("T")


class People:
    """Their messages go to the nodes in turn, each from a chat that waits for nothing else.

    A chat that spoke again before its answer came would be answered once for both.
    """

    def __init__(self, watch: Watch, chats: int) -> None:
        self.watch = watch
        self.due: dict[int, int] = {}
        self.accepted: dict[int, int] = {}
        self.posted: dict[int, int] = {}
        self.chat_of: dict[int, int] = {}
        self._ports: Sequence[int] = ()
        self._idle: dict[int, list[Connection]] = {}
        self._free = deque(range(FIRST_CHAT, FIRST_CHAT + chats))
        self._chats = chats
        self._count = 0
        self._room: asyncio.Semaphore | None = None
        watch.tell = self._saw

    def move_to(self, ports: Sequence[int]) -> None:
        """Write to these nodes from now on."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._ports = ports
        self._idle = {port: [] for port in ports}

    @property
    def chats(self) -> int:
        """How many people there are: as many as were invited, and whoever was missing since."""
        return self._chats

    def invite(self, most: int) -> int:
        """Let so many people write, where fewer did; how many there are now."""
        while self._chats < most:
            self._free.append(self._another())
        return self._chats

    async def steadily(self, rate: float, seconds: float) -> list[int]:
        """So many a second, each when it is due; the numbers of all that were accepted."""
        began = now_us()
        async with asyncio.TaskGroup() as group:
            tasks = []
            for place in range(round(rate * seconds)):
                due = began + int(place * 1_000_000 / rate)
                if (early := due - now_us()) > 0:
                    await asyncio.sleep(early / 1_000_000)
                tasks.append(group.create_task(self.say(due)))
        return [task.result() for task in tasks]

    async def in_flight(self, most: int, messages: int) -> float:
        """As fast as they are answered, so many at a time; how many a second that was."""
        room = self._room = asyncio.Semaphore(most)
        began = now_us()
        said = []
        async with asyncio.TaskGroup() as group:
            for _ in range(messages):
                await self._in_time(room.acquire(), "no message was answered")
                said.append(group.create_task(self.say(now_us())))
        self._room = None
        numbers = [task.result() for task in said]
        await self.answered(numbers)
        last = max(self.watch.shown_at[number] for number in numbers)
        return messages * 1_000_000 / (last - began)

    async def say(self, due: int, port: int | None = None) -> int:
        """One message; its number."""
        self._count += 1
        number = self._count
        chat = self._free.popleft() if self._free else self._another()
        self.chat_of[number] = chat
        port = self._ports[number % len(self._ports)] if port is None else port
        self.due[number] = due
        request = post("/in/telegram", update(chat, number), **HEADERS)
        await self._in_time(self._post(number, port, request), "a message was not accepted")
        self.accepted[number] = now_us()
        return number

    async def order(self, number: int, command: str, port: int) -> int:
        """A command in the chat of this message, to this node; when it was posted."""
        self._count += 1
        request = post(
            "/in/telegram", update(self.chat_of[number], self._count, command), **HEADERS
        )
        await self._in_time(self._post(self._count, port, request), "a command was not accepted")
        return self.posted[self._count]

    async def _post(self, number: int, port: int, request: bytes) -> None:
        connection = await self._connection(port)
        self.posted[number] = now_us()
        try:
            status = await connection.ask(request)
        except ConnectionError:
            # The server hung up on an idle connection just now: as Telegram does, once more.
            connection = await Connection.open(port)
            status = await connection.ask(request)
        self._idle[port].append(connection)
        expect(status, 200)

    async def _connection(self, port: int) -> Connection:
        idle = self._idle[port]
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return await Connection.open(port)

    async def answered(self, numbers: Sequence[int], *, repeats: bool = False) -> None:
        """Wait until each of these is.

        Raises:
            WrongAnswersError: one is missing or came twice.
        """
        shown = self.watch.shown
        await self.until(lambda: sum(not shown[number] for number in numbers), "answers")
        await asyncio.sleep(0.3)
        doubled = sum(shown[number] > 1 for number in numbers)
        if doubled and not repeats:
            raise WrongAnswersError(f"{doubled} of {len(numbers)} messages were answered twice")

    async def asked(self, numbers: Sequence[int], since: int = 0) -> None:
        """Wait until the model was asked about each of these after that time."""
        asked = self.watch.last_asked
        await self.until(
            lambda: sum(asked.get(number, -1) < since for number in numbers), "model calls"
        )

    async def until(self, missing: Callable[[], int], what: str) -> None:
        """Look again and again until nothing is missing; patience begins anew with progress."""
        left, since = missing(), now_us()
        while left:
            await asyncio.sleep(0.05)
            now_left = missing()
            if now_left < left:
                left, since = now_left, now_us()
            elif now_us() - since > PATIENCE * 1_000_000:
                raise WrongAnswersError(f"{left} {what} are missing")

    async def _in_time(self, waited_for: Awaitable[T], missed: str) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await waited_for
        except TimeoutError:
            shown = sum(self.watch.shown[number] > 0 for number in self.due)
            raise WrongAnswersError(
                f"{missed} for {PATIENCE:.0f} s: of {len(self.due)} messages {len(self.accepted)} "
                f"are accepted and {shown} answered"
            ) from None

    def _another(self) -> int:
        self._chats += 1
        return FIRST_CHAT + self._chats - 1

    def _saw(self, chat: int, number: int) -> None:
        if number and self.watch.shown[number] > 1:
            return
        self._free.append(chat)
        if self._room is not None:
            self._room.release()
