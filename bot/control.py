"""The running server's ear on this machine: a loopback socket, and a token that only we can read.

Port and token are in a file beside the database (0600). A line of JSON asks, lines of JSON answer:
`{"token": …, "command": …, "args": {…}}` → `{"event": …}` …, closed by `{"end": true}` or
`{"error": "a sentence"}`. The asking side keeps its connection open while it wants answers.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bot.domain.sentences import Said
from bot.errors import ConfigError, ParleyError, Permanent, Transient
from bot.ports import Observer, Order

T = TypeVar("T")

HOST = "127.0.0.1"
LINE_LIMIT = 1_000_000
"""Bytes of a request; an answer may be longer, for it quotes what was accepted."""
ANSWER_LIMIT = 16 * LINE_LIMIT
MOST = 64
"""Connections at once: a chat has one open and now and then a second."""
PATIENCE = 10.0
"""Seconds to ask in, and to take an answer in."""
BEAT = 15.0
"""Seconds between signs of life while an order has nothing to say."""
HELLO = "hello"

_TOO_LONG = Said("this is too long for one message", "这条消息太长，无法一次发送")
_NO_ANSWER = Said("the server does not answer", "服务没有回应")
_HUNG_UP = Said("the server hung up before it had answered", "服务在回答之前断开了连接")
_UNKNOWN = Said("this server has no command {command}", "这个服务没有 {command} 命令")
_STRANGE = Said(
    "this request cannot be read or has a wrong token",
    "这个请求无法读取，或令牌不正确",
)
_UNEXPECTED = Said(
    "something unexpected happened; the server's log says more",
    "服务出了意外；详见服务的日志",
)


class Request(msgspec.Struct, frozen=True):
    """What the asking side writes."""

    token: str
    command: str
    args: dict[str, object] = {}
    locale: str = "en"
    """The language of whoever asks: a refusal is read by them."""


class Note(msgspec.Struct, frozen=True):
    """What the file beside the database says."""

    port: int
    token: str
    pid: int = 0


class ControlServer:
    """Takes orders while a server runs; opened after the store's lock is held."""

    def __init__(
        self, path: Path, orders: Mapping[str, Order], observer: Observer, *, beat: float = BEAT
    ) -> None:
        self._path = path
        self._orders = {HELLO: _hello, **orders}
        self._observer = observer
        self._beat = beat
        self._token = secrets.token_urlsafe(32)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen on a free port and leave a note where to find it; an old note is replaced."""
        self._server = await asyncio.start_server(self._connected, HOST, 0, limit=LINE_LIMIT)
        port = int(self._server.sockets[0].getsockname()[1])
        _write_note(self._path, Note(port, self._token, os.getpid()))

    async def close(self) -> None:
        """Take the note away, then hang up on everybody."""
        note = read_note(self._path)
        if note is not None and note.token == self._token:
            self._path.unlink(missing_ok=True)
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=PATIENCE)
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError):
            pass  # whoever asked has gone, or does not read
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) > MOST:
            await _write(writer, {"error": "too many connections", "again": True})
            return
        async with asyncio.timeout(PATIENCE):
            request = await _read_request(reader)
        if request is None or not secrets.compare_digest(
            request.token.encode(), self._token.encode()
        ):
            language = "en" if request is None else request.locale
            await _write(writer, {"error": _STRANGE.to(language)})
            return
        order = self._orders.get(request.command)
        if order is None:
            said = _UNKNOWN.to(request.locale).format(command=request.command[:80])
            await _write(writer, {"error": said})
            return
        gone = asyncio.ensure_future(reader.read(1))
        try:
            async with aclosing(order(request.args)) as events:
                last = await self._carry(request, events, writer, gone)
            await _write(writer, last)
        finally:
            await _give_up(gone)

    async def _carry(
        self,
        request: Request,
        events: AsyncGenerator[Mapping[str, object], None],
        writer: asyncio.StreamWriter,
        gone: "asyncio.Future[bytes]",
    ) -> Mapping[str, object]:
        """Pass events on until there are no more or nobody reads them; the line to close with."""
        while True:
            coming = asyncio.ensure_future(anext(events))
            try:
                either: list[asyncio.Future[Any]] = [coming, gone]
                while not coming.done():
                    await asyncio.wait(
                        either, timeout=self._beat, return_when=asyncio.FIRST_COMPLETED
                    )
                    if gone.done():
                        return {"end": True}
                    if not coming.done():
                        await _write(writer, {"event": "beat"})
            finally:
                error = await _give_up(coming)
            if error is not None:
                return self._closing(request, error)
            await _write(writer, coming.result())

    def _closing(self, request: Request, error: BaseException) -> Mapping[str, object]:
        if isinstance(error, StopAsyncIteration):
            return {"end": True}
        if isinstance(error, ParleyError):
            return {"error": str(error), "again": isinstance(error, Transient)}
        self._observer.failed(place=f"control {request.command}", error=error)
        return {"error": _UNEXPECTED.to(request.locale)}


@dataclass(frozen=True, slots=True)
class Control:
    """A running server as a command sees it, which speaks to somebody in `locale`."""

    note: Note
    locale: str = "en"

    async def call(
        self, command: str, args: Mapping[str, object]
    ) -> AsyncGenerator[Mapping[str, object], None]:
        """Give an order; its events as they come.

        Raises:
            Permanent: the server said why not.
            Transient: it said to try later, hung up, or is not there any more.
        """
        reader, writer = await self._connect()
        try:
            request = msgspec.json.encode(
                Request(self.note.token, command, dict(args), self.locale)
            )
            if len(request) >= LINE_LIMIT:
                raise Permanent(_TOO_LONG.to(self.locale))
            writer.write(request + b"\n")
            while (event := await _next_event(reader, self.locale)) is not None:
                if event.get("event") != "beat":
                    yield event
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.open_connection(HOST, self.note.port, limit=ANSWER_LIMIT)
        except (OSError, TimeoutError) as error:
            raise Transient(_NO_ANSWER.to(self.locale)) from error


async def reach(path: Path, locale: str = "en") -> Control | None:
    """The server that runs on this database; None when none does, whatever note it left.

    It refuses in the language of whoever asks.
    """
    note = read_note(path)
    if note is None:
        return None
    control = Control(note, locale)
    try:
        async with asyncio.timeout(PATIENCE):
            async with aclosing(control.call(HELLO, {})) as events:
                # Another program may have been given the port of a server that was killed.
                return control if [event async for event in events] else None
    except (Transient, Permanent, TimeoutError):
        return None


def read_note(path: Path) -> Note | None:
    """What a server has left beside its database; None when there is nothing to be read.

    Raises:
        ConfigError: it is there, or may be, and another user's.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Note)
    except PermissionError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): run this as the user that runs Parley"
        ) from error
    except (OSError, msgspec.DecodeError):
        return None


def _write_note(path: Path, note: Note) -> None:
    draft = path.with_name(f"{path.name}.{note.pid}")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(note))
    # Whoever reads it finds the whole of it or the one before.
    draft.replace(path)


async def _hello(_args: Mapping[str, object]) -> AsyncGenerator[Mapping[str, object], None]:
    yield {"event": "hello", "pid": os.getpid()}


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        return msgspec.json.decode(await reader.readline(), type=Request)
    except (ValueError, msgspec.DecodeError):  # ValueError: the line is too long
        return None


async def _write(writer: asyncio.StreamWriter, event: Mapping[str, object]) -> None:
    writer.write(msgspec.json.encode(event) + b"\n")
    async with asyncio.timeout(PATIENCE):
        await writer.drain()


async def _give_up(future: "asyncio.Future[T]") -> BaseException | None:
    """Cancel what is not done yet; what it ended with, if that was an error."""
    future.cancel()
    await asyncio.wait([future])
    return None if future.cancelled() else future.exception()


async def _next_event(reader: asyncio.StreamReader, locale: str) -> dict[str, object] | None:
    try:
        async with asyncio.timeout(BEAT + PATIENCE):
            line = await reader.readline()
        event = msgspec.json.decode(line, type=dict[str, object])
    except (OSError, ValueError, TimeoutError, msgspec.DecodeError) as error:
        raise Transient(_HUNG_UP.to(locale)) from error
    if "error" in event:
        kind = Transient if event.get("again") else Permanent
        raise kind(str(event["error"]))
    return None if event.get("end") else event
