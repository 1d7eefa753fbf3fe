"""Store and engine alone: a backlog, a model that answers at once, a platform that discards.

`measure` fills a database and starts so many nodes on it, each a process of its own; the same file
run as a program is one such node.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from bench.readings import family_seconds, resident_mb
from bot.app.engine import Rules, build_engine
from bot.clock import SystemClock
from bot.domain.address import Address, Sender
from bot.domain.conversation import Usage
from bot.domain.message import Inbound, Message, Outbound, Role, Sent, Text
from bot.domain.model import Delta, Finished, Reason, Request, TextDelta
from bot.domain.records import Placement
from bot.engine.audience import Audience
from bot.engine.outbox import AmbiguousPolicy
from bot.engine.taking import Limits
from bot.logs import Logs
from bot.metrics import Metrics
from bot.ports import Clock, Store
from bot.store.codec import JsonCodec
from bot.store.postgres import PostgresStore
from bot.store.sqlite import SqliteStore
from bot.telemetry import Telemetry

ROOT = Path(__file__).parents[1]
PEOPLE = 2
"""In each conversation; they take turns, so that every message is a turn of its own."""
ANSWER = "It is sunny in Tokyo, and about twenty-five degrees warm. " * 3
LEASE = timedelta(seconds=15)
LIMIT = 300.0
"""Seconds after which a run is given up."""
SETTLE = 0.5
"""Seconds in which the database's server notices that a node has gone: its time counts then."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One row: what the nodes and the database's server used for each turn."""

    name: str
    turns: int
    per_second: float
    node_ms: float
    server_ms: float
    rss_mb: float


async def measure(
    name: str, database: str, *, nodes: int, turns: int, conversations: int, server: int | None
) -> Rate:
    """Fill the database, then let the nodes work it off.

    `server` is the process id of PostgreSQL, None where the database is a file.

    Raises:
        AssertionError: a turn is missing or came twice.
    """
    store = open_store(database)
    await store.open()
    await fill(store, turns, conversations)
    await store.close()
    used = 0.0 if server is None else family_seconds(server)
    found = await asyncio.gather(*(_node(database, number) for number in range(nodes)))
    if server is not None:
        await asyncio.sleep(SETTLE)
        used = family_seconds(server) - used
    sent = sum(one["sent"] for one in found)
    assert sent == turns, f"{name}: {sent} answers to {turns} messages"
    seconds = max(one["ended"] for one in found) - min(one["began"] for one in found)
    return Rate(
        name,
        turns,
        per_second=turns / seconds,
        node_ms=sum(one["cpu"] for one in found) * 1000 / turns,
        server_ms=used * 1000 / turns,
        rss_mb=max(one["rss"] for one in found),
    )


def open_store(database: str) -> Store:
    """The store that an address names."""
    scheme, _, rest = database.partition(":///")
    if scheme == "sqlite":
        Path(rest).parent.mkdir(parents=True, exist_ok=True)
        return SqliteStore(Path(rest), clock=SystemClock())
    return PostgresStore(database)


async def fill(store: Store, turns: int, conversations: int) -> None:
    """Accept so many messages, evenly over the conversations."""
    clock = SystemClock()
    gate = asyncio.Semaphore(64)
    placement = Placement("default", "x", "")

    async def accept(number: int) -> None:
        async with gate:
            await store.accept(_inbound(number, conversations, clock), placement)

    for first in range(0, turns, conversations):
        numbers = range(first, min(first + conversations, turns))
        await asyncio.gather(*(accept(number) for number in numbers))


def _inbound(number: int, conversations: int, clock: Clock) -> Inbound:
    round_, chat = divmod(number, conversations)
    sender = Sender(f"u{chat}-{round_ % PEOPLE}", "Ann")
    text = "What is the weather in Tokyo today, and will it rain tomorrow? " * 2
    message = Message(Role.USER, (Text(text),), clock.now(), sender=sender, platform_id=str(number))
    address = Address("x", "me", str(chat))
    return Inbound(f"k{number}", address, sender, message, direct=False, addressed=True)


async def _node(database: str, number: int) -> dict[str, Any]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.alone", database, f"node{number}:1"),
        cwd=ROOT,
        stdin=pipe,
        stdout=pipe,
    )
    async with asyncio.timeout(LIMIT):
        output, _ = await process.communicate()
    assert process.returncode == 0, "a node failed; see above"
    found: dict[str, Any] = json.loads(output)
    return found


# ---- one node ------------------------------------------------------------------------------------


class Instant:
    """A model whose answer is there at once."""

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """The same words to everybody."""
        yield TextDelta(ANSWER)
        yield Usage(input=400, output=40)
        yield Finished(Reason.STOP, "main")


class Discarding:
    """A platform that takes everything and shows it to nobody."""

    platform = "x"
    account = "me"
    name = "x"

    def __init__(self) -> None:
        self.sent = 0

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        """The answer whole."""
        return [outbound]

    async def send(self, piece: Outbound) -> Sent:
        """Count it."""
        self.sent += 1
        return Sent(str(self.sent))


async def work(database: str, name: str) -> dict[str, Any]:
    """Be a node until nothing waits any more."""
    clock = SystemClock()
    store = open_store(database)
    await store.open()
    platform = Discarding()
    audience = Audience(
        name="",
        persona="You are kind.",
        model=Instant(),
        listed=None,
        max_steps=8,
        deadline=timedelta(seconds=120),
        idle=timedelta(hours=2),
        window_messages=50,
        window_tokens=8000,
    )
    rules = Rules(
        node=name,
        lease=LEASE,
        limits=Limits(max_age=timedelta(hours=1), lane_limit=100),
        expires=timedelta(hours=1),
        hold=timedelta(days=7),
        ambiguous=AmbiguousPolicy.REPEAT,
        locale="en",
        interrupts=False,
        polls=True,
        max_characters=100_000,
        idle_of_adapter={},
        roles={},
    )
    engine = build_engine(
        store=store,
        codec=JsonCodec(),
        adapters={"x": platform},
        audiences={"": audience},
        tools={},
        rules=rules,
        clock=clock,
        observer=_observer(clock),
        http=_no_http,
    )
    await engine.runner.join()
    running = asyncio.ensure_future(engine.runner.run())
    began, cpu = time.monotonic(), time.process_time()
    ended, count = began, -1
    # Done when a whole second brings nothing new; that second is not counted.
    while count != platform.sent or engine.runner.running:
        if count != platform.sent:
            ended, count = time.monotonic(), platform.sent
        await asyncio.wait([running], timeout=0.25 if engine.runner.running else 1.0)
    used = time.process_time() - cpu
    rss = resident_mb(os.getpid())
    running.cancel()
    await asyncio.wait([running])
    await engine.runner.leave()
    await store.close()
    return {"sent": count, "began": began, "ended": ended, "cpu": used, "rss": rss}


class _Nowhere(StringIO):
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


def _observer(clock: Clock) -> Telemetry:
    # As in the program: every fact becomes a metric and, from its level on, a line.
    logs = Logs(format="json", level="info", clock=clock, stream=_Nowhere())
    return Telemetry(log=logs.logger, metrics=Metrics(version="0", node="bench"), clock=clock)


def _no_http() -> Any:
    raise AssertionError("nothing here speaks HTTP")


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(work(sys.argv[1], sys.argv[2]))))
