"""How updates leave the service: handed to a poller, or posted until the webhook says yes."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from tests.peers.log import Json, Log
from tests.peers.telegram_rules import Refusal

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
# Not sent unless somebody asks for them by name.
OFF_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
BEYOND = 11
"""An offset so far behind the newest update is still known: as tdlib's queue counts."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where updates go when nobody polls."""

    url: str = ""
    secret: str | None = None
    max_connections: int = 40


@dataclass(frozen=True, slots=True)
class Redelivery:
    """How a refused delivery is tried again. The real service starts at seconds, ends at hours."""

    first: float = 0.05
    longest: float = 1.0
    attempts: int = 40
    patience: float = 30.0
    """How long one delivery may take."""


@dataclass(slots=True)
class Waiting:
    """Updates that nobody has confirmed yet, by id."""

    updates: list[Json] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    again: list[Json] = field(default_factory=list)
    """Handed out once more, although confirmed."""
    newest: int = 0
    """The id of what came last, confirmed or not."""

    def admits(self, update: Json) -> bool:
        """Whether this kind was asked for."""
        kind = next(key for key in update if key != "update_id")
        return kind in self.allowed if self.allowed else kind not in OFF_BY_DEFAULT

    def add(self, update: Json) -> None:
        """Put it where its id says."""
        self.updates.append(update)
        self.updates.sort(key=_id)
        self.newest = _id(update)

    def take(self, offset: int, limit: int) -> list[Json]:
        """What a poll gets; everything below the offset is confirmed and forgotten by `confirm`."""
        repeats, self.again = self.again, []
        first = 0 if self._is_beyond(offset) else offset
        return [*repeats, *(update for update in self.updates if _id(update) >= first)][:limit]

    def confirm(self, offset: int) -> list[int]:
        """Forget what the offset confirms; a negative one keeps only the last so many."""
        if self._is_beyond(offset):
            return []
        gone = self.updates[:offset] if offset < 0 else []
        gone += [update for update in self.updates if 0 <= _id(update) < offset]
        for update in gone:
            self.updates.remove(update)
        return [_id(update) for update in gone]

    def _is_beyond(self, offset: int) -> bool:
        """One that the service does not know: it answers from its oldest update, and keeps all."""
        return offset > self.newest + BEYOND


class Courier:
    """Posts updates to a webhook: chats side by side, one chat in order, again until it is 2xx."""

    def __init__(self, log: Log, waiting: Waiting, redelivery: Redelivery) -> None:
        self.webhook = Webhook()
        self.last_error: str | None = None
        self._log = log
        self._waiting = waiting
        self._redelivery = redelivery
        self._lanes: dict[object, deque[Json]] = defaultdict(deque)
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(40)
        self._session: aiohttp.ClientSession | None = None

    def aim(self, webhook: Webhook) -> None:
        """Deliver there from now on, what is waiting included; nowhere when the URL is empty."""
        # A delivery under way to the former address is not called back, only not repeated.
        self.webhook = webhook
        self._room = asyncio.Semaphore(webhook.max_connections)
        self._lanes.clear()
        if webhook.url:
            for update in self._waiting.updates:
                self.carry(update)

    def carry(self, update: Json) -> None:
        """Deliver in the background, after what is waiting for the same chat."""
        key = chat_id_of(update)
        lane = self._lanes[key]
        lane.append(update)
        if len(lane) == 1:
            task = asyncio.create_task(self._run(key, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def post(self, update: Json, webhook: Webhook, attempt: int = 1) -> int:
        """One delivery; the HTTP status, or 0 when there was none."""
        id = _id(update)
        self._log.write("delivery", update_id=id, attempt=attempt, update=update)
        status = await self._status(msgspec.json.encode(update), webhook)
        self._log.write("delivered", update_id=id, attempt=attempt, status=status)
        if 200 <= status < 300:
            self._log.write("acknowledged", update_ids=[id])
        return status

    async def insist(
        self, update: Json, webhook: Webhook, wanted: Callable[[], bool] = lambda: True
    ) -> int:
        """Deliver again until it is taken or no longer wanted; the last status."""
        wait, status = self._redelivery.first, 0
        for attempt in range(1, self._redelivery.attempts + 1):
            if attempt > 1:
                await asyncio.sleep(wait)
                wait = min(wait * 2, self._redelivery.longest)
            status = await self.post(update, webhook, attempt)
            if 200 <= status < 300:
                return status
            self.last_error = f"Wrong response from the webhook: {status}"
            if not wanted():
                return status
        self._log.write("given_up", update_id=_id(update), status=status)
        return status

    async def twins(self, update: Json, webhook: Webhook, copies: int) -> list[int]:
        """The same update over connections that are open already, bodies released together."""
        body = msgspec.json.encode(update)
        head = _head(webhook, len(body))
        address = urlsplit(webhook.url)
        pairs = [
            await asyncio.open_connection(address.hostname, address.port) for _ in range(copies)
        ]
        try:
            for _, writer in pairs:
                writer.write(head)
                await writer.drain()
            self._log.write("twins", update_id=_id(update), copies=copies, update=update)
            for _, writer in pairs:
                writer.write(body)
            async with asyncio.timeout(self._redelivery.patience):
                statuses = await asyncio.gather(*(_read_status(reader) for reader, _ in pairs))
        finally:
            for _, writer in pairs:
                writer.close()
        for copy, status in enumerate(statuses, start=1):
            self._log.write("delivered", update_id=_id(update), attempt=copy, status=status)
        if any(200 <= status < 300 for status in statuses):
            self._log.write("acknowledged", update_ids=[_id(update)])
        return statuses

    async def close(self) -> None:
        """Deliver nothing more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _run(self, key: object, lane: deque[Json]) -> None:
        def current() -> bool:
            return self._lanes.get(key) is lane

        while lane and current():
            async with self._room:
                status = await self.insist(lane[0], self.webhook, current)
            if not current():
                return
            update = lane.popleft()
            if 200 <= status < 300 and update in self._waiting.updates:
                self._waiting.updates.remove(update)
        self._lanes.pop(key, None)

    async def _status(self, body: bytes, webhook: Webhook) -> int:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._redelivery.patience)
            self._session = aiohttp.ClientSession(timeout=timeout)
        headers = {"Content-Type": "application/json"}
        if webhook.secret is not None:
            headers[SECRET_HEADER] = webhook.secret
        try:
            async with self._session.post(webhook.url, data=body, headers=headers) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


class Poll:
    """The one poller that the service allows."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._ended: list[Refusal] | None = None

    async def run(self, take: Callable[[], list[Json]], seconds: float) -> list[Json]:
        """What there is, or what comes within the seconds; another poll ends this one."""
        self.refuse(
            "terminated by other getUpdates request; make sure that only one bot instance "
            "is running"
        )
        ended = self._ended = []
        try:
            async with asyncio.timeout(seconds):
                while not (batch := take()):
                    self._wake.clear()
                    await self._wake.wait()
                    if ended:
                        raise ended[0]
        except TimeoutError:
            return []
        finally:
            if self._ended is ended:
                self._ended = None
        return batch

    def wake(self) -> None:
        """Something arrived."""
        self._wake.set()

    def refuse(self, reason: str) -> None:
        """End the poll that hangs, if one does."""
        if self._ended is not None:
            self._ended.append(Refusal(409, f"Conflict: {reason}"))
            self._wake.set()


def chat_id_of(update: Json) -> object:
    """The chat that an update belongs to; updates without one share a lane."""
    content: Any = next((value for key, value in update.items() if key != "update_id"), {})
    if not isinstance(content, dict):
        return None
    chat = content.get("chat") or content.get("message", {}).get("chat") or {}
    return chat.get("id")


def _id(update: Json) -> int:
    return int(update["update_id"])


def _head(webhook: Webhook, length: int) -> bytes:
    address = urlsplit(webhook.url)
    target = address.path + (f"?{address.query}" if address.query else "")
    lines: Sequence[str] = [
        f"POST {target or '/'} HTTP/1.1",
        f"Host: {address.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        "Connection: close",
        *([f"{SECRET_HEADER}: {webhook.secret}"] if webhook.secret is not None else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read_status(reader: asyncio.StreamReader) -> int:
    line = await reader.readline()
    parts = line.split()
    await reader.read()
    return int(parts[1]) if len(parts) > 1 else 0
