"""Telegram's poller dies, freezes or is told to stop: how soon the other node asks for updates."""

import asyncio
import os
import signal

import asyncpg

from bench.hold.figures import Figure
from bench.hold.house import House, Nodes
from bench.hold.people import FIRST_CHAT, People
from bench.hold.plan import How, Row, Sizes
from bench.load import quantile
from bench.talk import WrongAnswersError, now_us
from tests.journeys.program import Program

GRACE = 2.0
"""Seconds that a takeover may take beyond the lease."""
AT_ONCE = 2.0
"""Seconds that it may take where the one that goes says so."""
HOLDER = "SELECT node FROM listener"


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """Whoever polls is met, again and again; what was written meanwhile is answered once."""
    waits: list[int] = []
    most = AT_ONCE if row.how is How.LISTENER_STOPPED else sizes.lease + GRACE
    lease = f"{sizes.lease:g}s"
    async with house.nodes(row, lease=lease) as nodes, house.people(nodes, sizes) as people:
        await _answered(house, people, 0)
        for number in range(1, sizes.kills + 1):
            await asyncio.sleep(sizes.lease / 3 * (number - 1) / sizes.kills)
            waits.append(await _once(house, row.how, nodes, people, number))
        # Who came back last has had time to do what it must not.
        await _answered(house, people, sizes.kills + 1)
        await people.answered(range(sizes.kills + 2))
    return [
        Figure("lease", sizes.lease, "s"),
        Figure("takeover p50", quantile(waits, 0.5) / 1_000_000, "s"),
        Figure("takeover at most", max(waits) / 1_000_000, "s", most=most),
        Figure("times", sizes.kills),
        Figure("messages meanwhile, answered once", len(waits), least=sizes.kills),
    ]


async def _once(house: House, how: How, nodes: Nodes, people: People, number: int) -> int:
    """Microseconds until the other node polls."""
    holder = await _holder(nodes)
    victim = int(holder.removeprefix("node"))
    program = nodes.programs[victim]
    happened = now_us()
    await _meet(program, how)
    await _answered(house, people, number)
    if await _holder(nodes) == holder:
        raise WrongAnswersError("nobody has taken over from the one that polled")
    if how is How.LISTENER_FROZEN:
        os.kill(program.pid, signal.SIGCONT)
    else:
        await program.start()
    await nodes.ready(victim)
    return next(at for at in people.watch.polled if at > happened) - happened


async def _meet(program: Program, how: How) -> None:
    match how:
        case How.LISTENER_FROZEN:
            os.kill(program.pid, signal.SIGSTOP)
        case How.LISTENER_STOPPED:
            await program.stop()
        case _:
            await program.kill()


async def _answered(house: House, people: People, number: int) -> None:
    """One message, from a chat of its own: a frozen node's poll may bring it as well."""
    await house.push(FIRST_CHAT + number, number)
    await people.answered([number])


async def _holder(nodes: Nodes) -> str:
    connection = await asyncpg.connect(nodes.url, ssl=False, timeout=30)
    try:
        found: str | None = await connection.fetchval(HOLDER, timeout=30)
    finally:
        await connection.close(timeout=10)
    if found is None:
        raise WrongAnswersError("nobody polls")
    return found
