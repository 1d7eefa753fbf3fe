"""What strangers send to a webhook: forged, too large, too slow, not what it says it is."""

import asyncio
import gzip
import itertools
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import aiohttp

from tests.faults.bench import Bench
from tests.faults.driver import ADAPTERS, PATIENCE, SECRET, SECRET_HEADER, Habits, chat_of
from tests.faults.marks import Mark
from tests.faults.plan import Plan
from tests.faults.rows.under import under
from tests.faults.world import World
from tests.peers.log import Json

FORGED = 900_000
"""Numbers of messages that nobody sends: an answer to one is a phantom."""
LARGE = 3_000_000
UNENDED = 400
"""What is noted of a request that never ended, and so was never answered."""
FAILED, UNAVAILABLE = 500, 503
RIGHT = {SECRET_HEADER: SECRET}


async def abuse(bench: Bench) -> None:
    """Strangers knock all the time; people write and are answered as ever."""
    plan = Plan(
        "webhook abuse",
        bench.store,
        nodes=1 if bench.store == "sqlite" else 2,
        talks=10,
        seed=bench.seed,
        habits=Habits(rate=10.0, twice=0.5),
    )
    await under(bench, plan, partial(_knock, bench))


@dataclass(frozen=True, slots=True)
class Knock:
    """One stranger at one door."""

    session: aiohttp.ClientSession
    url: str
    update: Json

    async def post(self, data: bytes, headers: dict[str, str]) -> int:
        """The status, 0 when the door was shut."""
        limit = aiohttp.ClientTimeout(total=PATIENCE)
        headers = {"Content-Type": "application/json", **headers}
        try:
            async with self.session.post(
                self.url, data=data, headers=headers, timeout=limit
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0

    @property
    def body(self) -> bytes:
        """The forged message as it would be right."""
        return json.dumps(self.update).encode()


async def _unsigned(knock: Knock) -> int:
    return await knock.post(knock.body, {})


async def _wrong_secret(knock: Knock) -> int:
    return await knock.post(knock.body, {SECRET_HEADER: SECRET[:-1]})


async def _longer_secret(knock: Knock) -> int:
    return await knock.post(knock.body, {SECRET_HEADER: SECRET + "x"})


async def _too_large(knock: Knock) -> int:
    knock.update["message"]["text"] += " x" * (LARGE // 2)
    return await knock.post(knock.body, RIGHT)


async def _no_json(knock: Knock) -> int:
    return await knock.post(knock.body[:-3], RIGHT)


async def _deep(knock: Knock) -> int:
    return await knock.post(b'{"update_id":1,"message":' + b"[" * 100_000, RIGHT)


async def _zipped(knock: Knock) -> int:
    bomb = gzip.compress(b" " * LARGE + knock.body)
    return await knock.post(bomb, {**RIGHT, "Content-Encoding": "gzip"})


async def _get(knock: Knock) -> int:
    try:
        async with knock.session.get(knock.url, headers=RIGHT) as answer:
            return answer.status
    except (aiohttp.ClientError, OSError):
        return 0


async def _slow(knock: Knock) -> int:
    """Begins a request, and never ends it."""
    host, _, port = knock.url.split("/")[2].partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return 0
    try:
        head = f"POST /in/alpha HTTP/1.1\r\nHost: x\r\n{SECRET_HEADER}: {SECRET}\r\n"
        writer.write(f'{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{"upd'.encode())
        await writer.drain()
        await asyncio.sleep(1.0)
    except OSError:
        return 0
    finally:
        writer.transport.abort()
    return UNENDED


KNOCKS: tuple[Callable[[Knock], Awaitable[int]], ...] = (
    *(_unsigned, _wrong_secret, _longer_secret, _too_large, _no_json, _deep, _zipped, _get, _slow),
)


async def _knock(bench: Bench, world: World, chance: random.Random) -> None:
    numbers = itertools.count(FORGED)
    refused: Counter[str] = Counter()
    async with aiohttp.ClientSession() as session:
        while not world.over:
            knocks = [_once(bench, world, session, chance, next(numbers)) for _ in KNOCKS]
            refused.update(filter(None, await asyncio.gather(*knocks)))
            await asyncio.sleep(0.05)
    bench.told.append(f"refused: {dict(refused)}")
    if lacking := [one.__name__ for one in KNOCKS if not refused[one.__name__]]:
        bench.missed.append(f"never came to be refused: {', '.join(lacking)}")


async def _once(
    bench: Bench,
    world: World,
    session: aiohttp.ClientSession,
    chance: random.Random,
    number: int,
) -> str | None:
    """The knock's name where the server has refused it; None where the door was shut."""
    knock = KNOCKS[number % len(KNOCKS)]
    talk = chance.choice(world.talks)
    update = world.driver.forged(Mark(talk, number))
    node = chance.choice(world.nodes)
    url = f"{node.url}/in/{ADAPTERS[talk.tenant]}"
    assert update["message"]["chat"]["id"] == chat_of(talk)
    status = await knock(Knock(session, url, update))
    came = 400 <= status < 500
    kind = "knocked" if came else "note"
    world.log.write(kind, node=node.name, knock=knock.__name__, status=status)
    if 200 <= status < 300:
        world.log.write("fault", node=node.name, text=f"{knock.__name__} was taken in")
        raise AssertionError(f"{knock.__name__} was answered with {status}")
    if status >= FAILED and status != UNAVAILABLE:
        wrong = f"{knock.__name__} was answered with {status}"
        bench.missed += [wrong] if wrong not in bench.missed else []
    return knock.__name__ if came else None
