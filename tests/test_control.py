"""The control socket: orders in, events out, for those who can read its note and nobody else."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from stat import S_IMODE

import pytest

from bot.control import LINE_LIMIT, MOST, Control, ControlServer, Note, reach, read_note
from bot.errors import Permanent, Transient
from bot.ports import Order
from tests.fakes import RecordingObserver, until

Args = Mapping[str, object]
Events = AsyncGenerator[Mapping[str, object], None]


class Endless:
    """An order that says one thing and then nothing more, until nobody listens."""

    def __init__(self) -> None:
        self.closed = False

    async def __call__(self, args: Args) -> Events:
        try:
            yield {"event": "begun"}
            await asyncio.Event().wait()
        finally:
            self.closed = True


async def count(args: Args) -> Events:
    for n in range(int(str(args["to"]))):
        yield {"event": "number", "n": n}


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "parley.db.control"


@asynccontextmanager
async def running(
    note: Path, observer: RecordingObserver | None = None, beat: float = 15.0, **orders: Order
) -> AsyncIterator[ControlServer]:
    server = ControlServer(
        note, {"count": count, **orders}, observer or RecordingObserver(), beat=beat
    )
    await server.open()
    try:
        async with asyncio.timeout(20):
            yield server
    finally:
        await server.close()


def modes(folder: Path) -> dict[str, int]:
    return {path.name: S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def leave(note: Path, text: str) -> None:
    note.write_text(text, encoding="utf-8")


async def control_of(note: Path) -> Control:
    control = await reach(note)
    assert control is not None
    return control


async def asked(note: Path, command: str, args: Args | None = None) -> list[Mapping[str, object]]:
    control = await control_of(note)
    async with aclosing(control.call(command, args or {})) as events:
        return [event async for event in events]


async def spoken(note: Path, line: bytes) -> list[dict[str, object]]:
    """What comes back for a line as it is, without our own client."""
    reader, writer = await connection(note)
    try:
        writer.write(line)
        answer = await reader.read()
    finally:
        writer.close()
    return [json.loads(text) for text in answer.splitlines()]


async def connection(note: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    found = read_note(note)
    assert found is not None
    return await asyncio.open_connection("127.0.0.1", found.port)


def request(note: Path, command: str, **args: object) -> bytes:
    found = read_note(note)
    assert found is not None
    return json.dumps({"token": found.token, "command": command, "args": args}).encode() + b"\n"


async def test_events_come_one_a_line_and_are_closed_by_an_end(note: Path) -> None:
    async with running(note):
        assert await spoken(note, request(note, "count", to=2)) == [
            {"event": "number", "n": 0},
            {"event": "number", "n": 1},
            {"end": True},
        ]
        assert [event["n"] for event in await asked(note, "count", {"to": 3})] == [0, 1, 2]


async def test_the_note_is_for_its_owner_and_goes_with_the_server(note: Path) -> None:
    async with running(note):
        assert modes(note.parent) == {note.name: 0o600}
    assert modes(note.parent) == {}
    assert await reach(note) is None


async def test_a_wrong_token_is_refused_and_nothing_is_run(note: Path) -> None:
    order = Endless()
    async with running(note, endless=order):
        line = json.dumps({"token": "guessed", "command": "endless"}).encode() + b"\n"
        (answer,) = await spoken(note, line)
        assert "wrong token" in str(answer["error"])
    assert not order.closed


@pytest.mark.parametrize(
    "line",
    [b"\n", b"GET / HTTP/1.1\r\n", b"[1]\n", b'{"token": 1, "command": "count"}\n', b"\xff\xfe\n"],
)
async def test_what_is_no_request_gets_a_sentence(note: Path, line: bytes) -> None:
    async with running(note):
        (answer,) = await spoken(note, line)
        assert "cannot be read" in str(answer["error"])


async def test_a_line_beyond_the_cap_is_not_read(note: Path) -> None:
    async with running(note):
        (answer,) = await spoken(note, request(note, "count", to="1" * LINE_LIMIT))
        assert "cannot be read" in str(answer["error"])
        assert await asked(note, "count", {"to": 1})


async def test_an_asker_is_told_that_a_request_is_too_long(note: Path) -> None:
    async with running(note):
        control = await reach(note)
        assert control is not None
        with pytest.raises(Permanent, match="too long"):
            async with aclosing(control.call("count", {"to": "9" * LINE_LIMIT})) as events:
                assert [event async for event in events] == []


async def test_whoever_asks_in_chinese_is_refused_in_chinese(note: Path) -> None:
    async def breaks(args: Args) -> Events:
        raise ValueError("canary")
        yield {}  # type: ignore[unreachable]  # makes it a generator

    told: list[str] = []
    async with running(note, breaks=breaks):
        control = await reach(note, "zh")
        assert control is not None
        orders = [("count", {"to": "9" * LINE_LIMIT}), ("dance", {}), ("breaks", {})]
        for command, args in orders:
            with pytest.raises(Permanent) as refused:
                async with aclosing(control.call(command, args)) as events:
                    assert [event async for event in events] == []
            told.append(str(refused.value))
    assert told[0] == "这条消息太长，无法一次发送"
    assert told[1] == "这个服务没有 dance 命令"
    assert told[2] == "服务出了意外；详见服务的日志"


async def test_an_unknown_command_is_named(note: Path) -> None:
    async with running(note):
        with pytest.raises(Permanent, match="no command dance"):
            await asked(note, "dance")


@pytest.mark.parametrize("error", [Permanent("there is no such row"), Transient("not now")])
async def test_an_error_of_ours_reaches_the_asker_as_what_it_is(
    note: Path, error: Exception
) -> None:
    async def failing(args: Args) -> Events:
        yield {"event": "begun"}
        raise error

    async with running(note, failing=failing):
        with pytest.raises(type(error), match=str(error)):
            await asked(note, "failing")


async def test_an_unexpected_error_is_reported_and_the_server_goes_on(note: Path) -> None:
    observer = RecordingObserver()

    async with running(note, observer):
        with pytest.raises(Permanent, match="the server's log says more"):
            await asked(note, "count", {"to": "many"})
        assert await asked(note, "count", {"to": 1})
    (fact,) = observer.named("failed")
    assert fact["place"] == "control count"


async def test_an_order_is_closed_when_nobody_listens_any_more(note: Path) -> None:
    order = Endless()
    async with running(note, endless=order):
        control = await control_of(note)
        async with aclosing(control.call("endless", {})) as events:
            assert await anext(events) == {"event": "begun"}
        await until(lambda: order.closed)


async def test_a_quiet_order_shows_that_it_is_alive(note: Path) -> None:
    async with running(note, beat=0.01, endless=Endless()):
        reader, writer = await connection(note)
        writer.write(request(note, "endless"))
        lines = [json.loads(await reader.readline()) for _ in range(3)]
        writer.close()
    assert lines == [{"event": "begun"}, {"event": "beat"}, {"event": "beat"}]


async def test_signs_of_life_are_not_events(note: Path) -> None:
    done = asyncio.Event()
    beats = 0

    async def slow(args: Args) -> Events:
        await done.wait()
        yield {"event": "done"}

    async with running(note, beat=0.01, slow=slow):
        asking = asyncio.ensure_future(asked(note, "slow"))
        reader, writer = await connection(note)
        writer.write(request(note, "slow"))
        while beats < 3:
            beats += json.loads(await reader.readline()) == {"event": "beat"}
        writer.close()
        done.set()
        assert await asking == [{"event": "done"}]


async def test_a_stopping_server_hangs_up_on_everybody(note: Path) -> None:
    order = Endless()
    async with running(note, endless=order) as server:
        control = await control_of(note)
        async with aclosing(control.call("endless", {})) as events:
            await anext(events)
            await server.close()
            with pytest.raises(Transient, match="hung up"):
                await anext(events)
        assert order.closed


async def test_a_note_that_a_killed_server_left_is_nobodys(note: Path) -> None:
    async with running(note):
        left = read_note(note)
    assert left is not None
    leave(note, json.dumps({"port": left.port, "token": left.token}))
    assert await reach(note) is None


@pytest.mark.parametrize("text", ["", "{", '{"port": "x"}', '{"port": 0, "token": "t"}'])
async def test_a_note_that_cannot_be_used_is_as_good_as_none(note: Path, text: str) -> None:
    leave(note, text)
    assert await reach(note) is None


async def test_another_program_on_a_left_port_is_not_taken_for_a_server(note: Path) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        writer.close()

    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(await asyncio.start_server(greet, "127.0.0.1", 0))
        port = int(other.sockets[0].getsockname()[1])
        leave(note, json.dumps({"port": port, "token": "t"}))
        assert await reach(note) is None


async def test_a_new_server_replaces_the_note_and_an_old_one_leaves_it(note: Path) -> None:
    async with running(note) as old:
        async with running(note):
            await old.close()
            assert await asked(note, "count", {"to": 1})
        assert modes(note.parent) == {}


async def test_too_many_connections_are_told_to_come_later(note: Path) -> None:
    async with running(note, endless=Endless()), AsyncExitStack() as stack:
        control = await control_of(note)
        for _ in range(MOST):
            events = control.call("endless", {})
            await stack.enter_async_context(aclosing(events))
            await anext(events)
        with pytest.raises(Transient, match="too many"):
            async with aclosing(control.call("count", {"to": 1})) as more:
                await anext(more)


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_text('{"port": 4000, "token": "abc", "pid": 7}', encoding="utf-8")
    assert read_note(path) == Note(4000, "abc", 7)
