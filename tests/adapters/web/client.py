"""A page without a browser: it keeps its cookie, posts, and reads the stream as a page does."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.adapters.web.site import Site

PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    name: str
    id: str
    data: dict[str, Any]


class Client:
    """One visitor."""

    def __init__(self, site: Site, session: aiohttp.ClientSession) -> None:
        self.site = site
        self.session = session

    @property
    def visitor(self) -> str:
        """The id in our cookie."""
        cookie = next(each for each in self.session.cookie_jar if each.key == "parley_web")
        return cookie.value.partition(".")[0]

    async def enter(self) -> None:
        """Open the page, which makes the browser a visitor."""
        await self.get("/")

    async def post(self, id: str, text: str, path: str = "/messages", **more: Any) -> int:
        """Say something; the status."""
        status, _ = await self.send(path, json.dumps({"id": id, "text": text, **more}))
        return status

    async def send(
        self, path: str, body: str | bytes, headers: dict[str, str] | None = None
    ) -> tuple[int, aiohttp.ClientResponse]:
        """Post a body as it is."""
        given = {"Content-Type": "application/json", **(headers or {})}
        async with self.session.post(self.site.api + path, data=body, headers=given) as answer:
            await answer.read()
            return answer.status, answer

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        """Read something, whole."""
        async with self.session.get(self.site.api + path, headers=headers) as answer:
            await answer.read()
            return answer

    async def history(self, query: str = "") -> dict[str, Any]:
        """A page of history."""
        async with self.session.get(self.site.api + "/messages" + query) as answer:
            page: dict[str, Any] = await answer.json()
            return page

    @asynccontextmanager
    async def reading(
        self, *, last: str | None = None, base: str | None = None
    ) -> AsyncIterator["Reader"]:
        """An open stream."""
        headers = {"Last-Event-ID": last} if last else {}
        address = (base or self.site.api) + "/events"
        async with self.session.get(address, headers=headers) as answer:
            assert answer.status == 200
            yield Reader(answer.content)


class Reader:
    """What comes out of a stream; `text` is the answer as a page would show it."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self.events: list[Event] = []

    async def next(self) -> Event | None:
        """The next event; None when the server hung up."""
        block: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while line := (await self._content.readline()).decode():
                if line == "\n" and block:
                    if event := self._read(block):
                        return event
                    block = []
                elif line != "\n":
                    block.append(line.rstrip("\n"))
        return None

    async def until(self, wanted: str | Callable[[Event], bool]) -> list[Event]:
        """Everything up to the first event of this name, or for which this holds."""
        seen: list[Event] = []
        while event := await self.next():
            seen.append(event)
            if event.name == wanted or (callable(wanted) and wanted(event)):
                return seen
        raise AssertionError(f"hung up after {[event.name for event in seen]}")

    async def heartbeat(self) -> None:
        """Until one comes: an event, for scripts are told of no comments."""
        await self.until("beat")

    def _read(self, block: list[str]) -> Event | None:
        event = _event(block)
        if event is not None:
            self.events.append(event)
        return event


def read(data: bytes) -> list[Event]:
    """The events in these bytes."""
    blocks = (block.split("\n") for block in data.decode().split("\n\n"))
    return [event for block in blocks if (event := _event(block)) is not None]


def _event(block: list[str]) -> Event | None:
    fields = {"id": "", "event": "", "data": ""}
    for line in block:
        name, _, value = line.partition(": ")
        fields[name] = value
    if not fields["event"]:
        return None
    return Event(fields["event"], fields["id"], json.loads(fields["data"]))


@asynccontextmanager
async def visiting(site: Site) -> AsyncIterator[Client]:
    """A visitor with a cookie of their own."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        client = Client(site, session)
        await client.enter()
        yield client


def shown(events: list[Event], before: str = "") -> str:
    """The text that a page shows after these events, as the page's own code builds it."""
    text = before
    for event in events:
        if event.name == "draft":
            text += event.data["text"]
        elif event.name in {"snapshot", "message"}:
            text = event.data["text"]
    return text


def characters(id: str) -> int:
    """How many characters an event's id says a page has."""
    found = re.fullmatch(r"\d+\.(\d+)", id)
    assert found is not None, id
    return int(found[1])
