"""Cables that carry, lose and delay, before a plain server: what the kernels make of it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.cables import Cable, Line, cable
from tests.faults.hosts import Host, host

pytestmark = [pytest.mark.slow, pytest.mark.cables]

PARTY = """
import asyncio
talking = set()
async def serve(reader, writer):
    talking.add(writer)
    while said := await reader.read(65536):
        for one in talking:
            one.write(said)
async def main():
    async with await asyncio.start_server(serve, "0.0.0.0", 7) as server:
        print("listens", flush=True)
        await server.serve_forever()
asyncio.run(main())
"""
"""What one says, everybody hears."""
HOLDER = """
import asyncio
from tests.faults.cables import cable
from tests.faults.hosts import host
async def main():
    with host() as far, cable(far) as one:
        print(far.name, flush=True)
        input()
asyncio.run(main())
"""
PATIENCE = 100.0
"""Seconds: what was lost a kernel says again, and each time waits twice as long."""
HOUR = 3600.0
MUCH = 20_000


class Person:
    """One end of a connection to the party, over a cable of its own."""

    def __init__(
        self, line: Cable, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.line = line
        self._reader, self._writer = reader, writer

    def say(self, words: bytes) -> None:
        self._writer.write(words)

    async def hears(self, words: bytes) -> bool:
        """These words next, whenever they come."""
        return await self._reader.readexactly(len(words)) == words

    async def struck(self, times: int) -> None:
        """So many more packets did not arrive, or not yet."""
        until = self.line.struck + times
        while self.line.struck < until:
            self.line.met.clear()
            await self.line.met.wait()

    def leave(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def party() -> AsyncIterator[tuple[Person, Person]]:
    """Two people, each behind a cable of his own, and a host with a server where both are."""
    async with asyncio.timeout(PATIENCE):
        with host() as far, cable(far, 1) as one, cable(far, 2) as other:
            async with _listening(far):
                people = (await _come(one), await _come(other))
                try:
                    assert await people[0].hears(b"hello")  # the other's
                    yield people
                finally:
                    for person in people:
                        person.leave()


@asynccontextmanager
async def _listening(far: Host) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(*far.inside, sys.executable, "-c", PARTY), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"listens\n"
        yield
    finally:
        process.kill()
        await process.wait()


async def _come(line: Cable) -> Person:
    """Who has heard himself is known there, and hears what others say from now on."""
    person = Person(line, *await asyncio.open_connection(line.far, 7))
    person.say(b"hello")
    assert await person.hears(b"hello")
    return person


async def test_a_whole_cable_carries_everything() -> None:
    async with party() as (ann, bob):
        ann.say(b"words")
        assert await ann.hears(b"words")
        assert await bob.hears(b"words")
        assert (ann.line.struck, bob.line.struck) == (0, 0)


async def test_what_is_said_into_silence_is_said_again_by_the_kernel_and_arrives_once() -> None:
    async with party() as (ann, bob):
        ann.line.line = Line.SILENT
        ann.say(b"words")
        await ann.struck(3)
        bob.say(b"others")
        assert await bob.hears(b"others")  # and not what was said before
        ann.line.line = Line.WHOLE
        assert await bob.hears(b"words")
        assert await ann.hears(b"otherswords")


async def test_behind_a_deaf_line_one_is_heard_and_hears_nothing() -> None:
    async with party() as (ann, bob):
        ann.line.line = Line.DEAF
        ann.say(b"words")
        hearing = asyncio.ensure_future(ann.hears(b"words"))
        assert await bob.hears(b"words")
        await ann.struck(2)
        assert not hearing.done()
        ann.line.line = Line.WHOLE
        assert await hearing


async def test_behind_a_dumb_line_one_hears_and_is_not_heard() -> None:
    async with party() as (ann, bob):
        ann.line.line = Line.DUMB
        ann.say(b"words")
        await ann.struck(2)
        bob.say(b"others")
        assert await ann.hears(b"others")
        assert await bob.hears(b"others")
        ann.line.line = Line.WHOLE
        assert await bob.hears(b"words")


async def test_over_a_line_that_loses_packets_everything_arrives_in_the_end() -> None:
    async with party() as (ann, bob):
        ann.line.line = Line.LOSSY
        ann.say(much := bytes(range(256)) * (MUCH // 256))
        assert await bob.hears(much)
        assert await ann.hears(much)
        assert ann.line.struck


async def test_a_slow_line_keeps_packets_back_and_their_order() -> None:
    async with party() as (ann, bob):
        ann.line.line, ann.line.delay = Line.SLOW, HOUR
        ann.say(b"words")
        await ann.struck(1)
        bob.say(b"others")
        assert await bob.hears(b"others")
        ann.line.line = Line.WHOLE
        assert await bob.hears(b"words")
        ann.line.line, ann.line.delay = Line.SLOW, 0.001
        ann.say(b"more")
        assert await ann.hears(b"otherswordsmore")


async def test_a_killed_run_leaves_no_network_namespace_behind() -> None:
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stderr is not None
    async with asyncio.timeout(PATIENCE):
        name = (await holder.stdout.readline()).decode().strip()
        assert name in _names()
        holder.kill()
        # Who takes the name away shares this pipe, which therefore ends when that is done.
        await holder.stderr.read()
        await holder.wait()
    assert name not in _names()


def _names() -> set[str]:
    return {one.name for one in Path("/run/netns").glob("*")}
