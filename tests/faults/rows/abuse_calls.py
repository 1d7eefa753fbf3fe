"""A call that a stranger makes, and what the server does with it: ended, refused, or let in."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from tests.faults.platforms import Event
from tests.faults.platforms.base import PATIENCE

LARGE = 3_000_000
"""Bytes; a server reads a third of it."""
LONGEST = 60.0
"""Seconds within which a server ends what does not end; its own limit is half of that."""
HUNG_UP = -1
"""What is noted where the server ended a request by hanging up."""
DROP = 2.0
"""Seconds between two pieces of a body that has no end."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it goes over the wire; it looks right, but for one thing."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    method: str = "POST"
    harmless: bool = False
    """Whether a 2xx is right, since it has no effect."""


Forge = Callable[[Event], Call]
"""What a stranger makes of a message that nobody has sent."""


async def make(session: aiohttp.ClientSession, url: str, call: Call) -> int:
    """The status, 0 when the door was shut."""
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with session.request(
            call.method,
            f"{url}?{call.query}" if call.query else url,
            data=call.body,
            headers=call.headers,
            timeout=limit,
        ) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return 0


async def never_end(url: str, call: Call, *, dropping: bool) -> int:
    """Begin this request and never end it: the server's own status, 0 where it has not ended it.

    `dropping`: a piece comes now and then, so that the line is never quiet.
    """
    place = urlsplit(url)
    assert place.hostname is not None
    try:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
    except OSError:
        return 0
    try:
        async with asyncio.timeout(LONGEST):
            lines = [f"POST {place.path}?{call.query} HTTP/1.1", "Host: x"]
            lines += [f"{name}: {value}" for name, value in call.headers.items()]
            writer.write("\r\n".join((*lines, "Transfer-Encoding: chunked", "", "")).encode())
            return await _drop(reader, writer, call.body if dropping else call.body[:5])
    except TimeoutError:
        return 0
    except OSError:
        return HUNG_UP
    finally:
        writer.transport.abort()


async def _drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
    """The status that the server ends it with; where it says none it has hung up."""
    answer = asyncio.ensure_future(reader.readline())
    try:
        for byte in body:
            writer.write(b"1\r\n%c\r\n" % byte)
            await writer.drain()
            await asyncio.wait({answer}, timeout=DROP)
            if answer.done():
                break
        said = (await answer).split()
        return int(said[1]) if len(said) > 1 else HUNG_UP
    finally:
        answer.cancel()
