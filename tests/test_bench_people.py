"""Those who write to servers under load: they hang up on nobody, and notice who hung up on them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bench.hold.people import People
from bench.hold.watch import Watch

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
LIMIT = 10.0


class Rude:
    """A server that answers every request, and hangs up before the answer of some."""

    def __init__(self, *, ends_after_answer: bool = False, drops: int = 0) -> None:
        self.opened = self.asked = self.left = 0
        self.hung_up = asyncio.Event()
        self._ends = ends_after_answer
        self._drops = drops

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        while head := await _head(reader):
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            self.asked += 1
            if self._drops and self.asked > 1:
                self._drops -= 1
                break
            writer.write(OK)
            await writer.drain()
            if self._ends:
                break
        writer.close()
        await writer.wait_closed()
        self.left += 1
        self.hung_up.set()

    async def all_gone(self) -> None:
        """Wait until nobody is connected any more."""
        while self.left < self.opened:
            self.hung_up.clear()
            await self.hung_up.wait()


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Of the next request; nothing when there is none."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


@asynccontextmanager
async def people_at(rude: Rude) -> AsyncGenerator[tuple[People, int], None]:
    server = await asyncio.start_server(rude.serve, "127.0.0.1", 0)
    people = People(Watch(), chats=10)
    port = server.sockets[0].getsockname()[1]
    people.move_to([port])
    try:
        async with asyncio.timeout(LIMIT):
            yield people, port
    finally:
        people.move_to(())
        server.close()
        async with asyncio.timeout(LIMIT):
            await rude.all_gone()


async def test_a_connection_on_which_the_server_has_hung_up_is_not_used_again() -> None:
    rude = Rude(ends_after_answer=True)
    async with people_at(rude) as (people, port):
        await people.say(0)
        await rude.hung_up.wait()
        # The loop hears of it when it looks at its sockets next.
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        await people.say(0)
        assert rude.asked == 2


async def test_a_message_whose_connection_breaks_before_its_answer_is_posted_again() -> None:
    rude = Rude(drops=1)
    async with people_at(rude) as (people, _):
        await people.say(0)
        await people.say(0)
        assert (rude.opened, rude.asked) == (2, 3)
