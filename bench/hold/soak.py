"""Half of what the nodes can do, for half an hour: what they hold must not grow."""

import asyncio
import re
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from bench.hold.figures import Figure
from bench.hold.house import House, Nodes
from bench.hold.plan import Row, Sizes
from bench.hold.server import Postgres
from bench.readings import resident_mb
from bot.store.sqlite_writer import LARGE

IN_FLIGHT = 50
FULL = 1500
"""Messages that show what full load is."""
CHATS = 100
"""People at least. So few that the windows of all are full after the first part of the time: at
thirty messages a second, 500 of them went on filling for the whole half hour, which looked like a
leak."""
SPARE = 4.0
"""Seconds for which nobody may be answered before somebody new has to write. Newcomers have windows
to fill: a few hundred of them, some after every checkpoint, looked like a leak as well."""
SLICES = 6
"""The first of so many parts of the time is for what is kept on purpose: windows, connections."""
GROWTH = 10.0
"""Per cent that everything may grow by afterwards."""
FEW = 2
"""Threads and the like that may be new in any case: pools of them are filled when they are used."""


@dataclass(frozen=True, slots=True)
class Held:
    """What all nodes hold together."""

    rss_mb: float
    descriptors: int
    threads: int
    tasks: int
    connections: int
    log_mb: float


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """Lines of the log are left out below warnings: the driver would keep them all."""
    server = await house.server_of(row)
    few = replace(sizes, chats=CHATS)
    async with house.nodes(row, log="warning") as nodes, house.people(nodes, few) as people:
        full = await people.in_flight(IN_FLIGHT, max(200, int(FULL * min(1, sizes.soak_minutes))))
        invited = people.invite(int(full / 2 * SPARE))
        seconds = sizes.soak_minutes * 60 / SLICES
        first = await _held(nodes, server)
        numbers = await people.steadily(full / 2, seconds)
        early = await _held(nodes, server)
        between: list[float] = []
        for _ in range(SLICES - 1):
            numbers += await people.steadily(full / 2, seconds)
            between.append((await _held(nodes, server)).rss_mb)
        await people.answered(numbers)
        await asyncio.sleep(sizes.rest_seconds)
        late = await _held(nodes, server)
        # What each database is set to leave of its log, and fills when it is busy for a moment.
        most_log = (await server.read(nodes.url)).most_log if server else LARGE
    return [
        Figure("full load", full, "/s"),
        Figure("messages at half of it, answered once", len(numbers), least=len(numbers)),
        Figure("minutes", sizes.soak_minutes),
        Figure("people", invited),
        Figure("people who had to join them", people.chats - invited),
        Figure("RSS before", first.rss_mb, "MB"),
        Figure("RSS after a sixth", early.rss_mb, "MB"),
        *(Figure(f"RSS after {n} sixths", rss, "MB") for n, rss in enumerate(between, 2)),
        Figure("RSS afterwards", late.rss_mb, "MB"),
        Figure("RSS growth since", _grown(early.rss_mb, late.rss_mb), "%", most=GROWTH),
        _whole("descriptors", early.descriptors, late.descriptors),
        _whole("threads", early.threads, late.threads),
        _whole("tasks", early.tasks, late.tasks),
        *([_whole("connections", early.connections, late.connections)] if server else []),
        Figure(
            "log of the database (WAL) afterwards",
            late.log_mb,
            "MB",
            most=most_log / 1e6,
        ),
    ]


async def _held(nodes: Nodes, server: Postgres | None) -> Held:
    pids = [program.pid for program in nodes.programs]
    reading = await server.read(nodes.url) if server else None
    return Held(
        rss_mb=sum(resident_mb(pid) for pid in pids),
        descriptors=sum(_entries(pid, "fd") for pid in pids),
        threads=sum(_entries(pid, "task") for pid in pids),
        tasks=sum([await _tasks(program.url) for program in nodes.programs]),
        connections=reading.connections if reading else 0,
        log_mb=(reading.log if reading else _wal(nodes.url)) / 1e6,
    )


async def _tasks(url: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
        found = re.search(r"^parley_tasks (\S+)$", await answer.text(), re.MULTILINE)
    assert found is not None, "a server names its tasks"
    return int(float(found[1]))


def _wal(url: str) -> int:
    return Path(f"{url.partition(':///')[2]}-wal").stat().st_size


def _entries(pid: int, folder: str) -> int:
    return len(list(Path(f"/proc/{pid}/{folder}").iterdir()))


def _grown(early: float, late: float) -> float:
    return (late - early) * 100 / early


def _whole(name: str, early: int, late: int) -> Figure:
    return Figure(
        f"{name} afterwards, {early} after a sixth",
        late,
        most=max(early + FEW, early * (1 + GROWTH / 100)),
    )
